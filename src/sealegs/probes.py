"""Read-only questions about the stack: an experiment's gate and hold, and what its engines are doing."""

from collections.abc import Iterable
from dataclasses import dataclass
from threading import Event
from typing import Any

from sealegs.active import active_run
from sealegs.errors import ClusterError
from sealegs.kube import reads
from sealegs.kube.api import Api
from sealegs.kube.objects import Deployment, Pod
from sealegs.stack_shape import ENGINES as ENGINES  # noqa: PLC0414  others have it from here
from sealegs.waiting import TIMEOUTS, every, now_s

LOOK_EVERY_S = 0.5


@dataclass(frozen=True, kw_only=True)
class EngineLoad:
    """What one engine says that it is doing: requests in its batch, and those in its queue."""

    running: int
    waiting: int


def stack_is_ready() -> bool:
    """Whether every deployment of the stack has all the replicas that it wants, ready and up to date."""
    with active_run() as run:
        return _complete(_parts(run.api, namespace=run.namespace, limit_s=TIMEOUTS.api_answer_s))


def hold(*, s_min: float, s_max: float) -> dict[str, Any]:
    """Leave the fault on until the stack is complete again: at least `s_min` seconds, at most `s_max`.

    Returns how long that was and what was last seen. That the stack did not become complete is for the
    verdict to judge, and no reason to break the experiment off.
    """
    start_s = now_s()
    with active_run() as run:
        for looked_s in every(LOOK_EVERY_S, until=Event()):
            left_s = start_s + float(s_max) - looked_s
            found = _deployments(run.api, namespace=run.namespace, limit_s=max(left_s, LOOK_EVERY_S))
            held_s = now_s() - start_s
            complete = _complete(found)
            if left_s <= 0 or (complete and held_s >= float(s_min)):
                break
    ready = {one.app: f"{one.ready} of {one.wanted} ready" for one in found}
    return {"held_s": round(held_s, 3), "complete": complete, "deployments": ready}


def engine_load(api: Api, pod: Pod, *, limit_s: float = TIMEOUTS.api_answer_s) -> EngineLoad | None:
    """What an engine is doing now; None when it does not say within `limit_s`."""
    engines = api.shape.engines
    names, at = (engines.running, engines.waiting), (engines.metrics_port, engines.metrics_path)
    try:
        found = reads.pod_metrics(api, pod, names=names, at=at, limit_s=limit_s)
    except ClusterError:
        return None
    if engines.running not in found:
        return None
    return EngineLoad(running=int(found[engines.running]), waiting=int(found.get(engines.waiting, 0)))


def streams_in_flight(api: Api, engines: Iterable[Pod]) -> dict[str, int | None]:
    """Pod → requests in its batch now, each of them a stream being written; None where a pod does not say."""
    loads = {pod.name: engine_load(api, pod) for pod in engines}
    return {name: load.running if load else None for name, load in loads.items()}


def _deployments(api: Api, *, namespace: str, limit_s: float) -> list[Deployment]:
    """Deployments of the stack; none when the API server does not say."""
    try:
        return _parts(api, namespace=namespace, limit_s=min(limit_s, TIMEOUTS.api_answer_s))
    except ClusterError:
        return []


def _parts(api: Api, *, namespace: str, limit_s: float) -> list[Deployment]:
    """Deployments of the stack's parts: what else stands in the namespace may be as it likes."""
    found = reads.deployments(api, namespace=namespace, limit_s=limit_s)
    return [one for one in found if one.app in api.shape.parts]


def _complete(found: Iterable[Deployment]) -> bool:
    """Whether there are deployments, and each is complete."""
    seen = [one.complete for one in found]
    return bool(seen) and all(seen)
