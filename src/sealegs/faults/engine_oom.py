"""An engine that serves streams and runs out of memory: the kernel ends it, its pod stays.

The reference engine is told to take memory, at the door inside its container, until its container's limit.
"""

from typing import Any

from sealegs import evidence
from sealegs.active import ActiveRun, active_run
from sealegs.errors import ClusterError
from sealegs.faults import engine_door, engines, restarts, states
from sealegs.kube import reads
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod
from sealegs.waiting import wait_until

FAULT = "engine_oom"
# What a kubelet says of a container that the kernel ended for its memory.
OOM_KILLED = "OOMKilled"
STOP_LIMIT_S = 20.0
LOOK_EVERY_S = 0.5


def inject(*, streams_min: int = 3, pod: str = "") -> dict[str, Any]:
    """Have one engine take memory without end as soon as `streams_min` streams are in flight on it.

    The seed picks it among those that serve streams now, unless `pod` names one.

    Raises:
        ClusterError: there is no such engine, it takes no such orders, or it has no limit of memory.
        TimeoutError: too few streams came.
    """
    with active_run() as run:
        victim, streams = arm(run, streams_min=int(streams_min), pod=pod)
        args = {"namespace": run.namespace, "uid": victim.uid, "restarts": victim.restarts}
        evidence.record_undo(run.run_dir, fault=FAULT, action=engines.AWAIT, args=args)
        note_injected(run, victim, streams=streams)
        engine_door.tell(run.api, victim, {"eat_memory": True})
        return {**engines.target_of(victim), "streams": streams}


def landed(*, limit_s: float = 30.0) -> dict[str, Any]:
    """The kubelet says that the container was ended for its memory and started again.

    By the recorder's last word of this very pod, and by a fresh read.

    Raises:
        TimeoutError: not within `limit_s`: begins with ``fault did not land``.
        ClusterError: nothing was injected: begins likewise.
    """
    return states.landed(
        FAULT,
        look=restarts.seen_since,
        ready=_is_killed,
        limit_s=float(limit_s),
        what=lambda target: f"the container of pod {target['pods'][0]} ended for its memory",
    )


def undo() -> str:
    """The engine serves again, which is all that can be undone of a kill. Safe to repeat."""
    with active_run() as run:
        return states.undo(run, FAULT, undo_one)


def undo_one(api: Api, undo: evidence.Undo) -> str:
    """The engine takes no more memory, and every engine that is wanted is ready and stays so; says so.

    Raises:
        ClusterError: the undo is not one of this fault's.
        TimeoutError: it could not be told within `STOP_LIMIT_S`, or they were not ready in time.
    """
    wait_until(
        lambda: _has_stopped(api, undo),
        ready=bool,
        limit_s=STOP_LIMIT_S,
        every_s=LOOK_EVERY_S,
        what="the engine to take no more memory",
    )
    return restarts.undo_one(api, undo)


def gone(*, limit_s: float = 30.0) -> str:
    """The same pod is ready after its restart, by the recorder's last word and a fresh read. A sentence.

    Raises:
        ClusterError: the fault's undo has not been done.
        TimeoutError: the pod was not seen ready within `limit_s`.
    """
    return restarts.ready_again(FAULT, limit_s=float(limit_s))


def arm(run: ActiveRun, *, streams_min: int, pod: str) -> tuple[Pod, int]:
    """Pick the engine, note the fault as armed, and return when enough streams are in flight on it."""
    return engines.arm(run, FAULT, streams_min=streams_min, pod=pod, to="fill")


def note_injected(run: ActiveRun, victim: Pod, *, streams: int) -> None:
    """Note the moment from which the fault counts as injected: right before the engine is told."""
    engines.note_injected(run, FAULT, victim, streams=streams)


def _has_stopped(api: Api, undo: evidence.Undo) -> bool:
    """Whether the engine takes no more memory: it went, it was begun anew, or it was told so just now."""
    pods = reads.pods(api, namespace=undo.args["namespace"])
    pod = next((one for one in pods if one.uid == undo.args["uid"]), None)
    if pod is None or pod.restarts > undo.args["restarts"]:
        return True
    try:
        engine_door.tell(api, pod, {})
    except ClusterError:
        # The kernel is ending it, and its kubelet has not told yet.
        return False
    return True


def _is_killed(seen: states.Record) -> bool:
    """Whether both witnesses saw the container end for its memory since injection, and begin anew."""
    reasons = {seen["recorded_killed"], seen["killed"]}
    return bool(reasons == {OOM_KILLED} and seen["recorded_restarts"] and seen["restarts"])
