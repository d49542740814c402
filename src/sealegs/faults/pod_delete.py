"""Deleting one engine that is serving streams, with its grace, as a person or a rollout does.

It leaves the endpoints at once, sleeps through its preStop, drains at SIGTERM and ends when its last stream
has: nothing has to be cut.
"""

from typing import Any

from sealegs.active import ActiveRun, active_run
from sealegs.faults import engines, states
from sealegs.kube.objects import Pod

FAULT = "pod_delete"
undo_one = engines.awaited


def inject(*, streams_min: int = 3, pod: str = "") -> dict[str, Any]:
    """Delete one engine with its own grace as soon as `streams_min` streams are in flight on it.

    The seed picks it among those that serve streams now, unless `pod` names one.

    Raises:
        ClusterError: there is no ready engine, or none of that name.
        TimeoutError: too few streams came.
    """
    return engines.delete(FAULT, streams_min=int(streams_min), pod=pod, to="delete", grace_s=None)


def landed(*, limit_s: float = 10.0) -> dict[str, Any]:
    """The recorder saw this very pod on its way out, and so does a fresh read, unless it is gone already.

    Raises:
        TimeoutError: not within `limit_s`: begins with ``fault did not land``.
        ClusterError: nothing was injected: begins likewise.
    """
    return engines.landed(
        FAULT,
        ready=lambda seen: seen["recorded_leaving"] and seen["leaving"],
        limit_s=float(limit_s),
        what="leaving",
    )


def undo() -> str:
    """The engine's replacement is ready, which is all that can be undone of a deletion. Safe to repeat."""
    with active_run() as run:
        return states.undo(run, FAULT, undo_one)


def gone(*, limit_s: float = 160.0) -> str:
    """The pod has ended, its replacement was seen ready, and a fresh read has every replica. A sentence.

    By default the pod may take all of its grace, which is 150 s.

    Raises:
        ClusterError: the deletion's undo has not been done.
        TimeoutError: that was not seen within `limit_s`.
    """
    return engines.replaced(FAULT, limit_s=float(limit_s))


def arm(run: ActiveRun, *, streams_min: int, pod: str) -> tuple[Pod, int]:
    """Pick the engine, note the fault as armed, and return when enough streams are in flight on it."""
    return engines.arm(run, FAULT, streams_min=streams_min, pod=pod, to="delete")


def note_injected(run: ActiveRun, victim: Pod, *, streams: int) -> None:
    """Note the moment from which the fault counts as injected: right before the deletion."""
    engines.note_injected(run, FAULT, victim, streams=streams)
