"""Whether a stack is complete, read off its objects as the API server lists them."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sealegs.stack_shape import REFERENCE, StackShape, selected


def app_of(item: Mapping[str, Any], shape: StackShape) -> str:
    """The role in the stack of a pod, of a deployment, or of what a disruption budget covers."""
    metadata = item["metadata"]
    if item["kind"] == "Deployment":
        return shape.app_of_deployment(metadata["name"])
    if item["kind"] == "PodDisruptionBudget":
        return app_of_budget(item, shape)
    return shape.app_of(metadata.get("namespace", shape.namespace), metadata.get("labels", {}))


def app_of_budget(item: Mapping[str, Any], shape: StackShape) -> str:
    """The part of the stack that a disruption budget counts the pods of; of none, the ``app`` it selects.

    One that counts several parts together is no single part's: its numbers say nothing of either.
    """
    home, selector = item["metadata"].get("namespace", shape.namespace), item["spec"].get("selector")
    taken = [app for app, part in shape.parts.items() if selects(selector, part.labels)]
    if taken and home == shape.namespace:
        return taken[0] if len(taken) == 1 else ""
    # A selector that demands more than the part's labels takes some of its pods.
    return shape.app_of(home, (selector or {}).get("matchLabels") or {})


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a selector of Kubernetes' takes what has these labels. An empty one takes all, None nothing.

    Its labels and its expressions all have to hold: `LabelSelector` in the reference of Kubernetes' API.
    """
    if selector is None:
        return False
    wanted, expressions = selector.get("matchLabels") or {}, selector.get("matchExpressions") or []
    return wanted.items() <= labels.items() and all(_holds(one, labels) for one in expressions)


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether one expression of a selector holds of labels."""
    key, values = expression["key"], expression.get("values") or []
    answers = {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }
    return answers[expression["operator"]]


def absent(objects: Sequence[Mapping[str, Any]], shape: StackShape) -> Iterator[str]:
    """Parts of the stack of which there is no deployment, or no pod that its labels name, a line each."""
    there = {(item["kind"], app_of(item, shape)) for item in objects}
    for app, part in shape.parts.items():
        if ("Deployment", app) not in there:
            yield f"no deployment {part.deployment} in {shape.namespace}"
        elif ("Pod", app) not in there:
            yield f"no pod with {selected(part.labels)} in {shape.namespace}"


def problems(objects: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What keeps deployments, pods and disruption budgets from being as they are at rest, a line each.

    A budget that still counts a pod as disrupted refuses evictions: its eviction was granted, the delete
    never came, as when the client was killed in between, and the controller waits two minutes for it.
    """
    for item in objects:
        name, spec, status = item["metadata"]["name"], item["spec"], item.get("status", {})
        if item["kind"] == "PodDisruptionBudget":
            if status.get("observedGeneration", 0) < item["metadata"]["generation"]:
                yield f"budget {name}: not looked at yet"
            elif disrupted := status.get("disruptedPods"):
                yield f"budget {name}: waits for the end of {', '.join(sorted(disrupted))}"
        elif item["kind"] == "Deployment":
            counts = {key: status.get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas")}
            if status.get("observedGeneration", 0) < item["metadata"]["generation"]:
                yield f"{name}: not looked at yet"
            elif set(counts.values()) != {spec["replicas"]}:
                yield f"{name}: {spec['replicas']} wanted, {counts}"
        elif "deletionTimestamp" in item["metadata"]:
            yield f"{name}: ending"
        elif why := _waits_for(status):
            yield f"{name}: {why}"


def _waits_for(status: Mapping[str, Any]) -> str:
    """Why a pod is not ready, as its kubelet and the scheduler say it; empty if it is."""
    false = [one for one in status.get("conditions", []) if one["status"] != "True"]
    if not any(one["type"] == "Ready" for one in false) and status.get("phase") == "Running":
        return ""
    containers = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    waiting = [one["state"]["waiting"] for one in containers if "waiting" in one.get("state", {})]
    said = [one.get("message") or one.get("reason", "") for one in [*waiting, *false]]
    return next((line for line in said if line), str(status.get("phase")))


def unmanaged(pods: Sequence[Mapping[str, Any]]) -> list[str]:
    """Pods that nothing would put back elsewhere, a line each."""
    return [
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}: has no controller"
        for pod in pods
        if not any(owner.get("controller") for owner in pod["metadata"].get("ownerReferences", []))
    ]


def crowded(pods: Sequence[Mapping[str, Any]], *, places: int, shape: StackShape = REFERENCE) -> list[str]:
    """Names of pods beyond an even share of their node, which a drain leaves behind for good."""
    by_app: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for pod in pods:
        by_app[app_of(pod, shape)].append((pod["spec"]["nodeName"], pod["metadata"]["name"]))
    surplus = []
    for placed in by_app.values():
        share = math.ceil(len(placed) / max(places, 1))
        on_node: Counter[str] = Counter()
        for node, name in sorted(placed):
            on_node[node] += 1
            if on_node[node] > share:
                surplus.append(name)
    return surplus


def restarted(pods: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of pods with a container that was started again: it would wait the longer for its next start.

    10 s, and twice as much each time until it ran for ten minutes: "Container restarts" in the Kubernetes
    documentation's pod lifecycle.
    """
    return [
        pod["metadata"]["name"]
        for pod in pods
        if any(one["restartCount"] for one in pod.get("status", {}).get("containerStatuses", []))
    ]


def sidecar_mode(pods: Sequence[Mapping[str, Any]]) -> str:
    """``native`` where the mesh's proxy is an init container that stays, ``classic`` or ``none``."""
    for place, mode in (("initContainers", "native"), ("containers", "classic")):
        if any(one["name"] == "istio-proxy" for pod in pods for one in pod["spec"].get(place, [])):
            return mode
    return "none"
