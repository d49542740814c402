"""What a scenario needs of a cluster, looked for before any fault: mesh, GPUs, budgets, metrics."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from sealegs.errors import MissingError
from sealegs.kube import reads
from sealegs.kube.api import Api
from sealegs.kube.objects import SIDECAR, parse_pod
from sealegs.rollout import selects
from sealegs.stack_shape import selected
from sealegs.timeline import Timeline

MESH_API = "/apis/networking.istio.io"
API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
# Group of an API that is served by an add-on → what serves it.
METRICS = {
    "metrics.k8s.io": "metrics-server",
    "custom.metrics.k8s.io": "an adapter such as prometheus-adapter",
}


def require(api: Api, asked: Sequence[str], *, timeline: Timeline) -> None:
    """The cluster has what a scenario asks for; what was looked for, and what is missing, is noted.

    Raises:
        MissingError: it lacks something: begins with ``missing:`` and says what is to be done about each.
        ClusterError: the API server did not answer, or does not let us look.
    """
    if not asked:
        return
    missing = [f"{need} ({why})" for need in asked if (why := "; ".join(LACKS[need](api)))]
    timeline.note("needs", asked=list(asked), missing=missing)
    if missing:
        raise MissingError(f"missing: {', '.join(missing)}")


def _no_mesh(api: Api) -> Iterator[str]:
    """Istio's API is served, and every pod of the stack has a sidecar."""
    if api.call("GET", MESH_API, also=(HTTPStatus.NOT_FOUND,)).status == HTTPStatus.NOT_FOUND:
        yield "no API networking.istio.io; install Istio"
        return
    shape = api.shape
    items = api.call("GET", f"/api/v1/namespaces/{shape.namespace}/pods").body["items"]
    stack = {item["metadata"]["name"]: item for item in items if parse_pod(item, shape).app in shape.parts}
    bare = sorted(name for name, item in stack.items() if not _has_sidecar(item))
    if bare or not stack:
        yield (
            f"no sidecar in {', '.join(bare) or 'any pod'}; label namespace {shape.namespace} "
            "istio-injection=enabled and have its pods made again"
        )


def _has_sidecar(pod: Mapping[str, Any]) -> bool:
    """Whether the mesh's proxy is in a pod: as a container, or as an init container that stays."""
    spec = pod["spec"]
    return any(one["name"] == SIDECAR for one in (*spec["containers"], *spec.get("initContainers", ())))


def _no_gpus(api: Api) -> Iterator[str]:
    """A node that is ready offers GPUs."""
    if not any(node.gpus and node.ready for node in reads.nodes(api)):
        yield f"no ready node offers {api.shape.gpus}; install its device plug-in"


def _no_budgets(api: Api) -> Iterator[str]:
    """A disruption budget stands for each part of the stack: it selects pods of it."""
    shape = api.shape
    here = f"namespaces/{shape.namespace}"
    budgets = api.call("GET", f"/apis/policy/v1/{here}/poddisruptionbudgets").body["items"]
    pods = api.call("GET", f"/api/v1/{here}/pods").body["items"]
    covered = {
        parse_pod(pod, shape).app
        for pod in pods
        for budget in budgets
        # The pods' own labels: the stack's file need not name all of them.
        if selects(budget["spec"].get("selector"), pod["metadata"].get("labels", {}))
    }
    for app, part in shape.parts.items():
        if app not in covered:
            yield f"no PodDisruptionBudget selects {selected(part.labels)} in {shape.namespace}; create one"


def _no_metrics(api: Api) -> Iterator[str]:
    """The APIs that an autoscaler reads are served."""
    services = api.call("GET", API_SERVICES).body["items"]
    for group, program in METRICS.items():
        states = [_availability(one) for one in services if one["spec"].get("group") == group]
        if not states:
            yield f"no APIService {group}; install {program}"
        elif not any(one.get("status") == "True" for one in states):
            said = states[0].get("message") or states[0].get("reason") or "it does not say why"
            yield f"APIService {group} is not available: {said}; look after {program}"


def _availability(service: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is said of whether an API is served."""
    conditions = service.get("status", {}).get("conditions") or []
    return next((one for one in conditions if one["type"] == "Available"), {})


# Need → what of it the cluster lacks, in words.
LACKS: Mapping[str, Callable[[Api], Iterator[str]]] = {
    "mesh": _no_mesh,
    "gpus": _no_gpus,
    "budgets": _no_budgets,
    "metrics": _no_metrics,
}
