"""Killing the process of an engine that is serving streams: its pod stays, its container begins anew.

The node's containerd is asked, which takes a machine that is ours.
"""

from typing import Any

from sealegs import evidence
from sealegs.active import ActiveRun, active_run
from sealegs.errors import ClusterError
from sealegs.faults import engines, node_process, restarts, states
from sealegs.kube import reads
from sealegs.kube.objects import Pod

FAULT = "container_kill"
undo_one = restarts.undo_one


def inject(*, streams_min: int = 3, pod: str = "") -> dict[str, Any]:
    """Send SIGKILL to one engine's process as soon as `streams_min` streams are in flight on it.

    The seed picks it among those that serve streams now, unless `pod` names one.

    Raises:
        ClusterError: the cluster was not made here, there is no such engine, or containerd refused.
        TimeoutError: too few streams came.
    """
    with active_run() as run:
        victim, streams = arm(run, streams_min=int(streams_min), pod=pod)
        container = reads.container_id(run.api, victim)
        args = {"namespace": run.namespace}
        evidence.record_undo(run.run_dir, fault=FAULT, action=engines.AWAIT, args=args)
        note_injected(run, victim, streams=streams)
        node_process.send("SIGKILL", node=victim.node, container=container)
        return {**engines.target_of(victim), "streams": streams}


def landed(*, limit_s: float = 15.0) -> dict[str, Any]:
    """The kubelet started the container again, by the recorder's word of this very pod and by a fresh read.

    Raises:
        TimeoutError: not within `limit_s`: begins with ``fault did not land``.
        ClusterError: nothing was injected: begins likewise.
    """
    return states.landed(
        FAULT,
        look=restarts.seen_since,
        ready=lambda seen: seen["recorded_restarts"] and seen["restarts"],
        limit_s=float(limit_s),
        what=lambda target: f"the container of pod {target['pods'][0]} started again",
    )


def undo() -> str:
    """The engine serves again, which is all that can be undone of a kill. Safe to repeat."""
    with active_run() as run:
        return states.undo(run, FAULT, undo_one)


def gone(*, limit_s: float = 30.0) -> str:
    """The same pod is ready after its restart, by the recorder's last word and a fresh read. A sentence.

    Raises:
        ClusterError: the kill's undo has not been done.
        TimeoutError: the pod was not seen ready within `limit_s`.
    """
    return restarts.ready_again(FAULT, limit_s=float(limit_s))


def arm(run: ActiveRun, *, streams_min: int, pod: str) -> tuple[Pod, int]:
    """Pick the engine, note the fault as armed, and return when enough streams are in flight on it.

    Raises:
        ClusterError, TimeoutError: as `inject`.
    """
    if not run.owned:
        raise ClusterError(
            "container_kill asks a node's containerd: it is done only to the cluster made here; "
            "elsewhere pod_kill ends an engine without a word"
        )
    return engines.arm(run, FAULT, streams_min=streams_min, pod=pod, to="kill")


def note_injected(run: ActiveRun, victim: Pod, *, streams: int) -> None:
    """Note the moment from which the fault counts as injected: right before the kill."""
    engines.note_injected(run, FAULT, victim, streams=streams)
