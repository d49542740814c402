"""Where scenarios happen: the kind cluster made here, or one that you name."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from sealegs.cluster import kind
from sealegs.cluster.command import output
from sealegs.cluster.places import kubectl
from sealegs.errors import ClusterError
from sealegs.stack_shape import Gateway

CONNECT_LIMIT_S = 5


@dataclass(frozen=True)
class Cluster:
    """A running cluster.

    Attributes:
        name: what people call it.
        kubeconfig: file with its credentials.
        context: the context in that file.
        gateway_url: how load reaches the ingress gateway from this machine; empty where none was found.
        owned: made here, so that nodes may be created and deleted.
    """

    name: str
    kubeconfig: Path
    context: str
    gateway_url: str
    owned: bool


def own() -> Cluster:
    """The kind cluster made here, whether it runs or not."""
    return Cluster(
        name=kind.NAME,
        kubeconfig=kind.kubeconfig(),
        context=f"kind-{kind.NAME}",
        gateway_url=f"http://127.0.0.1:{kind.GATEWAY_PORT}",
        owned=True,
    )


def connect(context: str | None = None) -> Cluster:
    """A cluster whose API server answers: the one made here, or the one that a kubeconfig's context names.

    Raises:
        ClusterError: there is none or it does not answer; names the command that makes one.
    """
    if context is not None:
        return _named(context)
    cluster = own()
    if not cluster.kubeconfig.exists():
        raise ClusterError("no cluster here: run `make cluster` (or `sealegs cluster up`)")
    try:
        ask(cluster, "get", "--raw", "/readyz")
    except ClusterError as silent:
        raise ClusterError(
            f"the cluster {cluster.name} does not answer: run `make cluster` (or `sealegs cluster up`), "
            "which makes it again where it must"
        ) from silent
    return cluster


def at_gateway(cluster: Cluster, gateway: Gateway) -> Cluster:
    """The cluster with the URL of a stack's gateway. The cluster made here has one only.

    Raises:
        ClusterError: there is no such gateway.
    """
    url = gateway.url or (cluster.gateway_url if cluster.owned else _gateway_url(cluster, gateway))
    if not url:
        raise ClusterError(
            f"context {cluster.context} has no service {gateway.namespace}/{gateway.service} on port "
            f"{gateway.port}: install Istio with an ingress gateway there, name yours in the stack's file "
            "(docs/stack.md), or leave --context out and use our own cluster"
        )
    return replace(cluster, gateway_url=url)


def ask(cluster: Cluster, *words: str, limit_s: float = CONNECT_LIMIT_S) -> str:
    """What a kubectl command says of the cluster.

    Raises:
        ClusterError: the command failed, or the API server did not answer within ``limit_s`` seconds.
    """
    return output(kubectl_of(cluster, f"--request-timeout={limit_s}s", *words), limit_s=2 * limit_s)


def kubectl_of(cluster: Cluster, *words: str) -> list[str | Path]:
    """A kubectl command for the cluster."""
    return [kubectl(), "--kubeconfig", cluster.kubeconfig, "--context", cluster.context, *words]


def _named(context: str) -> Cluster:
    cluster = Cluster(name=context, kubeconfig=_kubeconfig(), context=context, gateway_url="", owned=False)
    try:
        ask(cluster, "get", "--raw", "/readyz")
    except ClusterError as silent:
        raise ClusterError(
            f"the cluster of context {context} in {cluster.kubeconfig} does not answer"
        ) from silent
    return replace(cluster, gateway_url=_gateway_url(cluster, Gateway()))


def _kubeconfig() -> Path:
    # Of a list of files the first is taken: merging them would mean writing credentials to a new file.
    first = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    path = Path(first) if first else Path.home() / ".kube" / "config"
    if not path.exists():
        raise ClusterError(f"no kubeconfig at {path}; set KUBECONFIG to the file that holds the context")
    return path


def _gateway_url(cluster: Cluster, gateway: Gateway) -> str:
    """The gateway at its load balancer's address where there is one, otherwise at a node's port, or empty."""
    service = ["-n", gateway.namespace, "get", "service", gateway.service, "--ignore-not-found", "-o"]
    balancer = "{.status.loadBalancer.ingress[0]['ip','hostname']}"
    if address := ask(cluster, *service, f"jsonpath={balancer}"):
        return f"http://{address.split()[0]}{gateway.port_in_url}"
    port = ask(cluster, *service, f"jsonpath={{.spec.ports[?(@.port=={gateway.port})].nodePort}}")
    if not port:
        return ""
    inside = "{.items[0].status.addresses[?(@.type=='InternalIP')].address}"
    return f"http://{ask(cluster, 'get', 'nodes', '-o', f'jsonpath={inside}')}:{port}"
