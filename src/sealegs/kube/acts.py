"""Changes to a cluster: cordon, eviction, and the end of what was made for a run."""

import re
from collections.abc import Mapping
from http import HTTPStatus

from sealegs.kube.api import MERGE_PATCH, STRATEGIC_MERGE_PATCH, Answer, Api
from sealegs.kube.objects import Pod

EVICTION_ANSWERS = (
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
)


def cordon(api: Api, node: str) -> None:
    """No new pod is put on the node."""
    _set_unschedulable(api, node, value=True)


def uncordon(api: Api, node: str) -> None:
    """New pods may be put on the node again. Safe to repeat; a node that is gone needs nothing."""
    _set_unschedulable(api, node, value=False, also=(HTTPStatus.NOT_FOUND,))


def evict(api: Api, pod: Pod) -> Answer:
    """Ask for the pod's eviction.

    Returns:
        Status 201 granted; 404 gone already; 429 refused by a disruption budget; 500 several budgets cover
        the pod, which can never be granted; 409 the name is another pod's by now.
    """
    metadata = {"name": pod.name, "namespace": pod.namespace}
    options = {"preconditions": {"uid": pod.uid}}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata, "deleteOptions": options}
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/eviction"
    return api.call("POST", path, body=body, also=EVICTION_ANSWERS)


def refusing_pdb(answer: Answer) -> str | None:
    """Name of the disruption budget that refused an eviction, as the API server's message has it."""
    causes = answer.body.get("details", {}).get("causes", [])
    said = " ".join(one.get("message", "") for one in causes)
    named = re.search(r"disruption budget (\S+)", said)
    return named[1] if named else None


def delete_pod(api: Api, pod: Pod, *, grace_s: int | None) -> None:
    """This very pod ends, with its own grace where `grace_s` is None.

    One that is gone already is no error, nor is another one under its name.
    """
    grace = {} if grace_s is None else {"gracePeriodSeconds": grace_s}
    body = {**grace, "preconditions": {"uid": pod.uid}}
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
    api.call("DELETE", path, body=body, also=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT))


def scale(api: Api, deployment: str, *, namespace: str, replicas: int) -> None:
    """A deployment wants so many replicas. ClusterError when there is no such deployment."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}"
    api.call("PATCH", path, body={"spec": {"replicas": replicas}}, content_type=MERGE_PATCH)


def set_config(api: Api, name: str, *, namespace: str, key: str, text: str) -> None:
    """A ConfigMap holds this text under a key. ClusterError when there is no such ConfigMap."""
    path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
    api.call("PATCH", path, body={"data": {key: text}}, content_type=MERGE_PATCH)


def annotate_pod(api: Api, pod: Pod, *, name: str, value: str | None) -> None:
    """A pod carries an annotation, or, with None, does not; one that is gone needs nothing."""
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
    body = {"metadata": {"annotations": {name: value}}}
    api.call("PATCH", path, body=body, content_type=MERGE_PATCH, also=(HTTPStatus.NOT_FOUND,))


def annotate_template(api: Api, *, deployment: str, namespace: str, name: str, value: str | None) -> None:
    """A deployment's pods are to carry an annotation, or, with None, not to: that rolls them out anew."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}"
    body = {"spec": {"template": {"metadata": {"annotations": {name: value}}}}}
    api.call("PATCH", path, body=body, content_type=MERGE_PATCH)


def set_variables(
    api: Api, *, deployment: str, namespace: str, container: str, variables: Mapping[str, str | None]
) -> None:
    """A deployment's container has these variables, or, with None, has not: that rolls its pods out anew."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}"
    wanted = [
        {"name": name, "$patch": "delete"} if value is None else {"name": name, "value": value}
        for name, value in variables.items()
    ]
    pod = {"containers": [{"name": container, "env": wanted}]}
    api.call("PATCH", path, body={"spec": {"template": {"spec": pod}}}, content_type=STRATEGIC_MERGE_PATCH)


def delete_namespace(api: Api, name: str) -> bool:
    """A namespace begins to go, with everything in it; False when there is none any more."""
    path = f"/api/v1/namespaces/{name}"
    also = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
    return api.call("DELETE", path, body={}, also=also).status != HTTPStatus.NOT_FOUND


def _set_unschedulable(api: Api, node: str, *, value: bool, also: tuple[int, ...] = ()) -> None:
    body = {"spec": {"unschedulable": value}}
    api.call("PATCH", f"/api/v1/nodes/{node}", body=body, content_type=MERGE_PATCH, also=also)
