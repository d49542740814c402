"""The kind cluster itself: made, found, deleted."""

import os
import socket
from pathlib import Path

from sealegs.cluster import images
from sealegs.cluster.cache import cache_dir, log_path
from sealegs.cluster.command import output, run, succeeds
from sealegs.cluster.places import HERE
from sealegs.errors import ClusterError

NAME = "sealegs"
GATEWAY_PORT = 30080
# A network of our own: the one that kind would take may be another cluster's.
NETWORK = "sealegs"
SUBNET = "198.18.251.0/24"
CREATE_LIMIT_S = 300


def kubeconfig() -> Path:
    """Where the cluster's credentials lie."""
    return cache_dir() / "kubeconfig"


def nodes() -> list[str]:
    """Names of the node containers, running or not."""
    return images.nodes(NAME)


def create(node_image: str, *, binary: Path) -> None:
    """One control plane and three GPU workers are Ready; `kubeconfig` leads to them.

    Raises:
        ClusterError: the gateway's port is taken, or kind failed.
    """
    _require_free_port()
    if not succeeds(["docker", "network", "inspect", NETWORK]):
        output(["docker", "network", "create", "--subnet", SUBNET, NETWORK])
    options = ["--name", NAME, "--image", node_image, "--wait", "120s"]
    asked = HERE / "kind" / "config.yaml"
    run(
        [binary, "create", "cluster", *options, "--config", asked, "--kubeconfig", kubeconfig()],
        log=log_path("kind"),
        limit_s=CREATE_LIMIT_S,
        env={**os.environ, "KIND_EXPERIMENTAL_DOCKER_NETWORK": NETWORK},
    )


def delete() -> None:
    """No node, no volume of a node and no network of the cluster is left."""
    for container in [*nodes(), *images.unfinished()]:
        run(["docker", "rm", "--force", "--volumes", container], log=log_path("kind"))
    if succeeds(["docker", "network", "inspect", NETWORK]):
        output(["docker", "network", "rm", NETWORK])
    kubeconfig().unlink(missing_ok=True)


def _require_free_port() -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", GATEWAY_PORT))
        except OSError as taken:
            raise ClusterError(
                f"127.0.0.1:{GATEWAY_PORT} is in use, and the cluster's gateway needs it: "
                f"end what listens there (`ss -ltnp sport = :{GATEWAY_PORT}` names it)"
            ) from taken
