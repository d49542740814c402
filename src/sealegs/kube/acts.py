"""Changes to a cluster: cordon and eviction."""

import re
from http import HTTPStatus

from sealegs.kube.api import MERGE_PATCH, Answer, Api
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


def _set_unschedulable(api: Api, node: str, *, value: bool, also: tuple[int, ...] = ()) -> None:
    body = {"spec": {"unschedulable": value}}
    api.call("PATCH", f"/api/v1/nodes/{node}", body=body, content_type=MERGE_PATCH, also=also)
