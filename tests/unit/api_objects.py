"""Objects of a cluster as the API server writes them: no more of each than this suite reads."""

from collections.abc import Sequence
from typing import Any

NAMESPACE = "llm-production"
Json = dict[str, Any]


def node(name: str, *, gpus: int = 2, ready: bool = True, unschedulable: bool = False) -> Json:
    """A node's JSON."""
    return {
        "metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": "zone-a"}},
        "spec": {"unschedulable": True} if unschedulable else {},
        "status": {
            "allocatable": {"nvidia.com/gpu": str(gpus)} if gpus else {},
            "conditions": [{"type": "Ready", "status": str(ready)}],
        },
    }


def pod(name: str, *, on: str = "worker-a", app: str = "llm-inference", **changes: Any) -> Json:  # noqa: ANN401
    """A pod's JSON: of a ReplicaSet, running, started and ready unless `changes` say otherwise.

    `statuses` are those of its containers.
    """
    owner, ready = changes.pop("owner", "ReplicaSet"), changes.pop("ready", True)
    owners = [{"kind": owner, "name": "any", "controller": True}] if owner else []
    return {
        "metadata": {
            "name": name,
            "namespace": changes.pop("namespace", NAMESPACE),
            "labels": {"app": app},
            "ownerReferences": owners,
        },
        "spec": {"nodeName": on, "containers": [{"name": "inference"}, {"name": "istio-proxy"}]},
        "status": {
            "phase": changes.pop("phase", "Running"),
            "podIP": "10.0.0.1",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": changes.pop("statuses", [container("inference"), container("istio-proxy")]),
        },
    }


def container(name: str, *, started: bool | None = True, restarts: int = 0, **states: str) -> Json:
    """The JSON of a container's status; `states` are ``state`` and ``lastState``, ended, as REASON@TIME."""
    ended = {
        state: dict(zip(("reason", "finishedAt"), one.split("@"), strict=True))
        for state, one in states.items()
    }
    terminated = {state: {"terminated": one} for state, one in ended.items()}
    return {
        "name": name,
        "started": started,
        "restartCount": restarts,
        "state": {},
        "lastState": {},
        **terminated,
    }


def deployment(app: str, *, wanted: int, ready: int) -> Json:
    """A deployment's JSON."""
    counts = {"readyReplicas": ready, "updatedReplicas": wanted, "replicas": wanted}
    return {"metadata": {"name": app}, "spec": {"replicas": wanted}, "status": counts}


def pdb(app: str, *, healthy: int, allowed: int) -> Json:
    """A disruption budget's JSON, for an app that wants two healthy pods."""
    counts = {"currentHealthy": healthy, "desiredHealthy": 2, "expectedPods": 3}
    return {
        "metadata": {"name": app},
        "spec": {"selector": {"matchLabels": {"app": app}}},
        "status": {**counts, "disruptionsAllowed": allowed},
    }


def endpoint_slice(name: str, *, ready: Sequence[str], terminating: Sequence[str] = ()) -> Json:
    """The JSON of a part of the endpoints of llm-inference."""
    states = [(one, {"ready": True}) for one in ready]
    states += [(one, {"ready": False, "terminating": True}) for one in terminating]
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": "llm-inference"}},
        "endpoints": [{"targetRef": {"name": one}, "conditions": state} for one, state in states],
    }


def engine_metrics(*, running: int, waiting: int = 0) -> str:
    """What an engine serves as metrics."""
    return (
        f'vllm:num_requests_running{{model_name="m"}} {running}\n'
        f'vllm:num_requests_waiting{{model_name="m"}} {waiting}\n'
    )
