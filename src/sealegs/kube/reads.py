"""Questions to the API server, answered afresh each time."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from sealegs.kube.api import Api, Query
from sealegs.kube.objects import (
    Deployment,
    Node,
    Pod,
    parse_deployment,
    parse_node,
    parse_pod,
)
from sealegs.waiting import TIMEOUTS

# Istio's agent serves its own numbers and the application's here, in plain HTTP also under strict mTLS.
METRICS = "15020/proxy/stats/prometheus"


def nodes(api: Api) -> list[Node]:
    """Every node."""
    return [parse_node(item) for item in api.call("GET", "/api/v1/nodes").body["items"]]


def node(api: Api, name: str) -> Node:
    """One node."""
    return parse_node(api.call("GET", f"/api/v1/nodes/{name}").body)


def pods(api: Api, *, namespace: str | None = None, node: str | None = None) -> list[Pod]:
    """Pods of a namespace, or of all; of a node, or of all."""
    path = f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"
    query: Query = {"fieldSelector": f"spec.nodeName={node}"} if node else {}
    return [parse_pod(item) for item in api.call("GET", path, query=query).body["items"]]


def pod_is_there(api: Api, pod: Pod) -> bool:
    """Whether this very pod still exists: another one under its name does not count."""
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
    answer = api.call("GET", path, also=(HTTPStatus.NOT_FOUND,))
    return bool(answer.status == HTTPStatus.OK and answer.body["metadata"]["uid"] == pod.uid)


def pod_ip(api: Api, pod: Pod) -> str:
    """A pod's address in the cluster; empty while it has none."""
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
    return str(api.call("GET", path).body["status"].get("podIP", ""))


def deployments(api: Api, *, namespace: str, limit_s: float = TIMEOUTS.api_answer_s) -> list[Deployment]:
    """Deployments of a namespace."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    return [parse_deployment(item) for item in api.call("GET", path, limit_s=limit_s).body["items"]]


def namespace_labels(api: Api, name: str) -> Mapping[str, str]:
    """A namespace's labels; none when there is no such namespace."""
    answer = api.call("GET", f"/api/v1/namespaces/{name}", also=(HTTPStatus.NOT_FOUND,))
    labels: Mapping[str, str] = answer.body.get("metadata", {}).get("labels", {})
    return labels


def server_version(api: Api) -> str:
    """The version of the API server."""
    return str(api.call("GET", "/version").body.get("gitVersion", ""))


def image_tag(api: Api, *, namespace: str, deployment: str) -> str | None:
    """Tag of the image that a deployment's first container runs; None when there is no such deployment."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}"
    answer = api.call("GET", path, also=(HTTPStatus.NOT_FOUND,))
    if answer.status == HTTPStatus.NOT_FOUND:
        return None
    return str(answer.body["spec"]["template"]["spec"]["containers"][0]["image"]).rpartition(":")[2]


def pod_metrics(
    api: Api, pod: Pod, *, names: Sequence[str], limit_s: float = TIMEOUTS.api_answer_s
) -> dict[str, float]:
    """Sums over all series of some of a pod's metrics; a metric that it does not have is left out.

    Read through the API server's proxy. Raises ClusterError when the pod does not answer.
    """
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}:{METRICS}"
    return sums(api.text(path, limit_s=limit_s), names=names)


def sums(text: str, *, names: Sequence[str]) -> dict[str, float]:
    """Sums over all series of some metrics in Prometheus' text format."""
    found: dict[str, float] = {}
    wanted = "|".join(map(re.escape, names))
    for name, value in re.findall(rf"^({wanted})(?:\{{.*\}})? (\S+)", text, re.MULTILINE):
        found[name] = found.get(name, 0.0) + float(value)
    return found
