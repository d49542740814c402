"""Questions to the API server, answered afresh each time."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus

from sealegs.errors import ClusterError
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
AGENT_METRICS = (15_020, "/stats/prometheus")


def nodes(api: Api) -> list[Node]:
    """Every node."""
    return [parse_node(item, api.shape) for item in api.call("GET", "/api/v1/nodes").body["items"]]


def node(api: Api, name: str) -> Node:
    """One node."""
    return told_node(api, name)[0]


def told_node(api: Api, name: str) -> tuple[Node, datetime | None]:
    """One node, and when its kubelet told all this of it: its clock, whole seconds; None if it never did.

    What makes a node not ready in the end, the silence of its kubelet, leaves that time as it is.
    """
    item = api.call("GET", f"/api/v1/nodes/{name}").body
    conditions = item["status"].get("conditions") or []
    told_at = next((one.get("lastHeartbeatTime") for one in conditions if one["type"] == "Ready"), None)
    return parse_node(item, api.shape), datetime.fromisoformat(told_at) if told_at else None


def pods(api: Api, *, namespace: str | None = None, node: str | None = None) -> list[Pod]:
    """Pods of a namespace, or of all; of a node, or of all."""
    path = f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"
    query: Query = {"fieldSelector": f"spec.nodeName={node}"} if node else {}
    return [parse_pod(item, api.shape) for item in api.call("GET", path, query=query).body["items"]]


def pod_is_there(api: Api, pod: Pod) -> bool:
    """Whether this very pod still exists: another one under its name does not count."""
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
    answer = api.call("GET", path, also=(HTTPStatus.NOT_FOUND,))
    return bool(answer.status == HTTPStatus.OK and answer.body["metadata"]["uid"] == pod.uid)


def pod_ip(api: Api, pod: Pod) -> str:
    """A pod's address in the cluster; empty while it has none."""
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
    return str(api.call("GET", path).body["status"].get("podIP", ""))


def annotated(api: Api, name: str, *, namespace: str) -> set[str]:
    """The uids of a namespace's pods that carry an annotation."""
    items = api.call("GET", f"/api/v1/namespaces/{namespace}/pods").body["items"]
    return {one["metadata"]["uid"] for one in items if name in one["metadata"].get("annotations", {})}


def told(api: Api, variables: Mapping[str, str], *, namespace: str) -> set[str]:
    """The uids of a namespace's pods of which a container has these variables, with these values."""
    items = api.call("GET", f"/api/v1/namespaces/{namespace}/pods").body["items"]
    wanted = variables.items()
    return {
        one["metadata"]["uid"]
        for one in items
        for container in one["spec"]["containers"]
        if wanted <= {(var["name"], var.get("value")) for var in container.get("env", [])}
    }


def container_id(api: Api, pod: Pod) -> str:
    """The id by which a node's runtime knows a pod's own container. ClusterError when it does not run."""
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
    statuses = api.call("GET", path).body["status"].get("containerStatuses") or []
    found = next((one.get("containerID") for one in statuses if one["name"] == pod.container), None)
    if not found:
        raise ClusterError(f"container {pod.container} of pod {pod.namespace}/{pod.name} does not run")
    return str(found).rpartition("/")[2]


def deployments(api: Api, *, namespace: str, limit_s: float = TIMEOUTS.api_answer_s) -> list[Deployment]:
    """Deployments of a namespace."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    items = api.call("GET", path, limit_s=limit_s).body["items"]
    return [parse_deployment(item, api.shape) for item in items]


def deployment(api: Api, name: str, *, namespace: str) -> Deployment:
    """One deployment. ClusterError when there is none of that name."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
    return parse_deployment(api.call("GET", path).body, api.shape)


def variables(api: Api, *, deployment: str, namespace: str, container: str) -> dict[str, str | None]:
    """The variables of a deployment's container; None is the value of one that comes from elsewhere.

    Raises:
        ClusterError: there is no such deployment, or it has no such container.
    """
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}"
    containers = api.call("GET", path).body["spec"]["template"]["spec"]["containers"]
    found = next((one for one in containers if one["name"] == container), None)
    if found is None:
        raise ClusterError(f"deployment {namespace}/{deployment} has no container {container}")
    # The API server leaves out a value that is empty.
    return {one["name"]: None if "valueFrom" in one else one.get("value", "") for one in found.get("env", [])}


def pods_of(api: Api, deployment: str, *, namespace: str) -> list[Pod]:
    """The pods that a deployment's selector names. ClusterError when there is no such deployment."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}"
    labels = api.call("GET", path).body["spec"]["selector"]["matchLabels"]
    query: Query = {"labelSelector": ",".join(f"{key}={value}" for key, value in sorted(labels.items()))}
    found = api.call("GET", f"/api/v1/namespaces/{namespace}/pods", query=query).body
    return [parse_pod(item, api.shape) for item in found["items"]]


def answers(api: Api, *, limit_s: float) -> bool:
    """Whether the API server answers a question that it has to ask its store about, within a time."""
    try:
        api.call("GET", "/api/v1/nodes", limit_s=limit_s)
    except ClusterError:
        return False
    return True


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
    api: Api,
    pod: Pod,
    *,
    names: Sequence[str],
    of: str = "",
    at: tuple[int, str] = AGENT_METRICS,
    limit_s: float = TIMEOUTS.api_answer_s,
) -> dict[str, float]:
    """Sums over all series of some of a pod's metrics; a metric that it does not have is left out.

    With `of` only series count that have this text among their labels.

    Read through the API server's proxy, `at` a port and a path. Raises ClusterError when the pod does not
    answer.
    """
    port, place = at
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}:{port}/proxy{place}"
    return sums(api.text(path, limit_s=limit_s), names=names, of=of)


def metric_labels(api: Api, pod: Pod, *, metric: str, label: str) -> set[str]:
    """The values of a label of one of a pod's metrics. ClusterError when the pod does not answer."""
    port, place = AGENT_METRICS
    text = api.text(f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}:{port}/proxy{place}")
    return set(
        re.findall(rf'^{re.escape(metric)}\{{(?:.*,)?{re.escape(label)}="([^"]*)".*\}} ', text, re.MULTILINE)
    )


def config(api: Api, name: str, *, namespace: str) -> Mapping[str, str]:
    """What a ConfigMap holds. ClusterError when there is none of that name."""
    data: Mapping[str, str] = api.call("GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}").body.get(
        "data", {}
    )
    return data


def sums(text: str, *, names: Sequence[str], of: str = "") -> dict[str, float]:
    """Sums over series of some metrics in Prometheus' text format, of those with `of` in their labels."""
    found: dict[str, float] = {}
    wanted = "|".join(map(re.escape, names))
    for name, labels, value in re.findall(rf"^({wanted})(\{{.*\}})? (\S+)", text, re.MULTILINE):
        if of in labels:
            found[name] = found.get(name, 0.0) + float(value)
    return found
