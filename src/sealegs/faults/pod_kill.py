"""Killing one engine that is serving streams: no preStop and no drain, and its pod is gone at once.

Deleted with a grace of 0 it leaves the API while its container still runs: the kubelet sends SIGTERM and
a second later SIGKILL. Seen here: 0.8 s on an idle machine, 4-5 s on a busy one, in which short answers end.
"""

from typing import Any

from sealegs.active import ActiveRun, active_run
from sealegs.faults import engines, states
from sealegs.kube.objects import Pod

FAULT = "pod_kill"
undo_one = engines.awaited


def inject(*, streams_min: int = 3, pod: str = "") -> dict[str, Any]:
    """Delete one engine without grace as soon as `streams_min` streams are in flight on it.

    The seed picks it among those that serve streams now, unless `pod` names one.

    Raises:
        ClusterError: there is no ready engine, or none of that name.
        TimeoutError: too few streams came.
    """
    return engines.delete(FAULT, streams_min=int(streams_min), pod=pod, to="kill", grace_s=0)


def landed(*, limit_s: float = 10.0) -> dict[str, Any]:
    """The recorder saw this very pod deleted, and a fresh read finds it no more.

    Raises:
        TimeoutError: not within `limit_s`: begins with ``fault did not land``.
        ClusterError: nothing was injected: begins likewise.
    """
    return engines.landed(
        FAULT,
        ready=lambda seen: seen["recorded_deleted"] and not seen["there"],
        limit_s=float(limit_s),
        what="gone",
    )


def undo() -> str:
    """The engine's replacement is ready, which is all that can be undone of a kill. Safe to repeat."""
    with active_run() as run:
        return states.undo(run, FAULT, undo_one)


def gone(*, limit_s: float = 30.0) -> str:
    """The recorder saw a replacement become ready, and a fresh read has every replica. A sentence about it.

    Raises:
        ClusterError: the kill's undo has not been done.
        TimeoutError: the replacement was not seen within `limit_s`.
    """
    return engines.replaced(FAULT, limit_s=float(limit_s))


def arm(run: ActiveRun, *, streams_min: int, pod: str) -> tuple[Pod, int]:
    """Pick the engine, note the fault as armed, and return when enough streams are in flight on it."""
    return engines.arm(run, FAULT, streams_min=streams_min, pod=pod, to="kill")


def note_injected(run: ActiveRun, victim: Pod, *, streams: int) -> None:
    """Note the moment from which the fault counts as injected: right before the kill."""
    engines.note_injected(run, FAULT, victim, streams=streams)
