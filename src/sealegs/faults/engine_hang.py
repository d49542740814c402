"""An engine that stops where it is, as one whose GPU hangs: it answers nothing, and no connection ends.

Its process is stopped by SIGSTOP, and what it holds stays as it is. Its readiness probe notices, its liveness
probe only after minutes.
"""

from typing import Any

from sealegs import evidence
from sealegs.active import ActiveRun, active_run
from sealegs.errors import ClusterError
from sealegs.faults import engines, node_process, states
from sealegs.kube import reads
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod

FAULT = "engine_hang"
CONTINUE = "continue"
STOPPED = "T"


def inject(*, streams_min: int = 3, pod: str = "") -> dict[str, Any]:
    """Stop one engine's process as soon as `streams_min` streams are in flight on it.

    The seed picks it among those that serve streams now, unless `pod` names one.

    Raises:
        ClusterError: the cluster was not made here, there is no such engine, or containerd refused.
        TimeoutError: too few streams came.
    """
    with active_run() as run:
        victim, streams = arm(run, streams_min=int(streams_min), pod=pod)
        container = reads.container_id(run.api, victim)
        args = {"namespace": run.namespace, "uid": victim.uid}
        evidence.record_undo(run.run_dir, fault=FAULT, action=CONTINUE, args=args)
        note_injected(run, victim, streams=streams)
        node_process.send("SIGSTOP", node=victim.node, container=container)
        return {**engines.target_of(victim), "streams": streams}


def landed(*, limit_s: float = 15.0) -> dict[str, Any]:
    """The node has the process as stopped, and the kubelet the pod as not ready: told by recorder and API.

    Raises:
        TimeoutError: not within `limit_s`: begins with ``fault did not land``.
        ClusterError: nothing was injected: begins likewise.
    """
    return states.landed(
        FAULT,
        look=_seen,
        ready=lambda seen: seen["state"] == STOPPED and seen["recorded_ready"] is False and not seen["ready"],
        limit_s=float(limit_s),
        what=lambda target: f"pod {target['pods'][0]} stopped and not ready",
    )


def undo() -> str:
    """The engine's process goes on. Safe to repeat."""
    with active_run() as run:
        return states.undo(run, FAULT, undo_one)


def undo_one(api: Api, undo: evidence.Undo) -> str:
    """Have the process go on, if its pod is still there; says so. Safe to repeat.

    A container that was begun anew by then hears a signal that means nothing to it.

    Raises:
        ClusterError: containerd refused, or the undo is not one of this fault's.
    """
    args = states.only(undo, CONTINUE)
    pod = _find(api, **args)
    if pod is None:
        return "the pod that was stopped is no more"
    node_process.send("SIGCONT", node=pod.node, container=reads.container_id(api, pod))
    return f"{pod.name} goes on"


def gone(*, limit_s: float = 30.0) -> str:
    """The process goes on, and the pod is ready by the recorder's last word and a fresh read. A sentence.

    Where nothing was changed nothing has to go, and nothing is noted. A pod that is no more has gone.

    Raises:
        ClusterError: the process was not told to go on.
        TimeoutError: that was not seen within `limit_s`.
    """
    return states.gone(
        FAULT,
        look=_seen,
        ready=lambda seen: (
            not seen["there"]
            or (seen["state"] != STOPPED and seen["recorded_ready"] is not False and seen["ready"])
        ),
        limit_s=float(limit_s),
        what=lambda target: f"pod {target['pods'][0]} going on and ready, or gone",
    )


def arm(run: ActiveRun, *, streams_min: int, pod: str) -> tuple[Pod, int]:
    """Pick the engine, note the fault as armed, and return when enough streams are in flight on it.

    Raises:
        ClusterError, TimeoutError: as `inject`.
    """
    if not run.owned:
        raise ClusterError("engine_hang asks a node's containerd: it is done only to the cluster made here")
    return engines.arm(run, FAULT, streams_min=streams_min, pod=pod, to="stop")


def note_injected(run: ActiveRun, victim: Pod, *, streams: int) -> None:
    """Note the moment from which the fault counts as injected: right before the process is stopped."""
    engines.note_injected(run, FAULT, victim, streams=streams)


def _seen(run: ActiveRun, injected: states.Record) -> dict[str, Any]:
    """What the target's process does, and whether its pod is ready: the recorder's word and a fresh read."""
    uid = injected["target"]["uid"]
    words = [one for one in states.timeline(run, since_s=injected["t_s"]) if one.get("uid") == uid]
    ready = [bool(one["ready"]) for one in words if one["kind"] == "pod"]
    pod = _find(run.api, namespace=run.namespace, uid=uid)
    return {
        "source": "the node's process list, recorder and a fresh read",
        "there": pod is not None,
        "state": _state(run.api, pod) if pod else None,
        "recorded_ready": ready[-1] if ready else None,
        "ready": pod is not None and pod.ready,
    }


def _state(api: Api, pod: Pod) -> str:
    """The kernel's letter for what a pod's own process does."""
    return node_process.state(node=pod.node, container=reads.container_id(api, pod))


def _find(api: Api, *, namespace: str, uid: str) -> Pod | None:
    """A pod by its uid; None when it is no more, or has ended."""
    pods = reads.pods(api, namespace=namespace)
    return next((one for one in pods if one.uid == uid and not one.finished), None)
