"""The cluster's programs, compiled from pinned Go modules: one go.mod a family, one build each.

Families are apart because their versions of client-go clash. Within one, a single `go build` compiles
shared packages once; Istio's agent is built with the tags of its control plane for that reason.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sealegs.cluster.cache import artefact, artefact_path, log_path
from sealegs.cluster.command import output, run
from sealegs.cluster.places import HERE
from sealegs.errors import ClusterError

# The newest that one of our go.mod files asks for.
GO_VERSION_MIN = (1, 26, 7)
BUILD_LIMIT_S = 3600
ENVIRONMENT = {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOGC": "400", "GOFLAGS": "-mod=readonly"}
# Without debug information the compiler and the linker have a third less to do.
FLAGS = ("-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false")


@dataclass(frozen=True)
class Family:
    """Programs that share a go.mod.

    Attributes:
        programs: name of the binary → package it is built from.
        tags: build tags, as upstream's own builds set them.
        stamps: ``-X`` values for the linker, with ``{version}`` for the first required module's.
    """

    programs: Mapping[str, str]
    tags: str = ""
    stamps: tuple[str, ...] = ()


def _kubernetes_stamps() -> tuple[str, ...]:
    # Unstamped, kubeadm takes itself for 1.0.0 and its checks of version skew go wrong.
    values = ("gitMajor={major}", "gitMinor={minor}", "gitVersion={version}", "gitTreeState=clean")
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return tuple(f"{package}.{value}" for package in packages for value in values)


_ISTIO = "istio.io/istio/pkg/version.build"
ISTIO_VERSION = "1.31.0"
_OPERATOR = "github.com/prometheus-operator/prometheus-operator"

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "kubernetes": Family(
            {
                **{
                    name: f"k8s.io/kubernetes/cmd/{name}"
                    for name in (
                        "kube-apiserver",
                        "kube-controller-manager",
                        "kube-scheduler",
                        "kube-proxy",
                        "kubelet",
                        "kubeadm",
                    )
                },
                "etcd": "go.etcd.io/etcd/server/v3",
            },
            tags="grpcnotrace,selinux,notest",
            stamps=_kubernetes_stamps(),
        ),
        "kind": Family({"kind": "sigs.k8s.io/kind"}),
        "storage": Family({"local-path-provisioner": "github.com/rancher/local-path-provisioner"}),
        "coredns": Family({"coredns": "github.com/coredns/coredns"}),
        "istio": Family(
            {
                "pilot-discovery": "istio.io/istio/pilot/cmd/pilot-discovery",
                "pilot-agent": "istio.io/istio/pilot/cmd/pilot-agent",
                "istioctl": "istio.io/istio/istioctl/cmd/istioctl",
            },
            tags="vtprotobuf,disable_pgv",
            stamps=(
                f"{_ISTIO}Version={ISTIO_VERSION}",
                f"{_ISTIO}Hub=sealegs",
                f"{_ISTIO}Tag={ISTIO_VERSION}",
                f"{_ISTIO}Status=Clean",
            ),
        ),
        "metrics-server": Family({"metrics-server": "sigs.k8s.io/metrics-server/cmd/metrics-server"}),
        "prometheus": Family(
            {name: f"github.com/prometheus/prometheus/cmd/{name}" for name in ("prometheus", "promtool")},
            tags="remove_all_sd,enable_kubernetes_sd",
        ),
        "prometheus-operator": Family(
            {
                "prometheus-operator": f"{_OPERATOR}/cmd/operator",
                "prometheus-config-reloader": f"{_OPERATOR}/cmd/prometheus-config-reloader",
            }
        ),
        "prometheus-adapter": Family({"prometheus-adapter": "sigs.k8s.io/prometheus-adapter/cmd/adapter"}),
        "kube-state-metrics": Family({"kube-state-metrics": "k8s.io/kube-state-metrics/v2"}),
    }
)


def build(family: str) -> Path:
    """Folder with the family's programs, compiled now or before from the same go.mod, go.sum and flags.

    Raises:
        ClusterError: Go is missing or too old, or the build failed.
    """
    return artefact(family, inputs=_inputs(family), build=lambda folder: _compile(family, into=folder))


def is_built(family: str) -> bool:
    """Whether the family's programs are in the cache."""
    return artefact_path(family, inputs=_inputs(family)).is_dir()


def version_of(module: str, *, family: str) -> str:
    """Version at which a family's go.mod requires a module, such as ``v1.37.2``."""
    found = re.search(rf"^\s*(?:require )?{re.escape(module)} (v\S+)", _go_mod(family), re.MULTILINE)
    if found is None:
        raise ClusterError(f"cluster/go/{family}/go.mod does not require {module}")
    return found[1]


def module_dir(module: str, *, family: str) -> Path:
    """Folder of a module's sources as the family's go.mod pins it; downloaded if absent."""
    folder = HERE / "go" / family
    env = {**os.environ, **ENVIRONMENT}
    run(["go", "-C", folder, "mod", "download", module], log=log_path(family), env=env)
    listed = output(["go", "-C", folder, "list", "-m", "-f", "{{.Dir}}", module], env=env)
    return Path(listed)


def _go_mod(family: str) -> str:
    return (HERE / "go" / family / "go.mod").read_text()


def _inputs(family: str) -> list[str | Path]:
    folder = HERE / "go" / family
    made_of = FAMILIES[family]
    return [folder / "go.mod", folder / "go.sum", *FLAGS, made_of.tags, *_stamps(family), *made_of.programs]


def _stamps(family: str) -> list[str]:
    stamps = FAMILIES[family].stamps
    if family != "kubernetes":
        return list(stamps)
    version = version_of("k8s.io/kubernetes", family=family)
    major, minor = version.removeprefix("v").split(".")[:2]
    return [stamp.format(version=version, major=major, minor=minor) for stamp in stamps]


def _compile(family: str, *, into: Path) -> None:
    made_of = FAMILIES[family]
    linker = " ".join(["-s -w", *(f"-X {stamp}" for stamp in _stamps(family))])
    options = [*FLAGS, "-tags", made_of.tags, "-ldflags", linker, "-o", f"{into}/"]
    run(
        ["go", "-C", HERE / "go" / family, "build", *options, *made_of.programs.values()],
        log=log_path(family),
        limit_s=BUILD_LIMIT_S,
        env={**os.environ, **ENVIRONMENT},
    )
    for name, package in made_of.programs.items():
        _rename(package, name=name, folder=into)


def _rename(package: str, *, name: str, folder: Path) -> None:
    # go names a program after the last element of its path that is not a major version.
    built = [part for part in package.split("/") if not re.fullmatch(r"v\d+", part)][-1]
    if built != name:
        (folder / built).rename(folder / name)


def require_go() -> None:
    """Go is there and new enough. ClusterError says how to get it."""
    wanted = ".".join(map(str, GO_VERSION_MIN))
    where = "install it (go.dev/doc/install) or put it on PATH"
    if shutil.which("go") is None:
        raise ClusterError(f"Go {wanted} or newer is needed and absent: {where}")
    said = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout
    version = tuple(int(number) for number in re.findall(r"\d+", said)[:3])
    if version < GO_VERSION_MIN:
        raise ClusterError(f"Go {wanted} or newer is needed, here is {said.strip()}: {where}")
