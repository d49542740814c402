"""The states of a fault: noted in the timeline, reached when a witness has seen it, undone from disk."""

from collections.abc import Callable, Mapping
from typing import Any

from sealegs import evidence
from sealegs.active import ActiveRun
from sealegs.errors import ClusterError
from sealegs.evidence import Undo
from sealegs.kube.api import Api
from sealegs.waiting import wait_until

LOOK_EVERY_S = 0.2
NOTHING_GONE = "nothing is gone: nothing was changed"
UNSEEN = {"landed": "fault did not land", "gone": "fault is not gone"}

Record = Mapping[str, Any]
Records = tuple[dict[str, Any], ...]


def note(
    run: ActiveRun, fault: str, state: str, *, target: Record, detail: str = "", witness: Record | None = None
) -> None:
    """Note that a fault has reached a state."""
    known = {"fault": fault, "state": state, "target": dict(target), "detail": detail}
    run.timeline.note("fault", **known, witness=dict(witness or {}))


def timeline(run: ActiveRun, *, since_s: float = 0.0) -> Records:
    """What the timeline says from a moment on, as it stands on disk."""
    records = evidence.read_lines(run.run_dir / "timeline.jsonl").records
    return tuple(one for one in records if one["t_s"] >= since_s)


def last(run: ActiveRun, fault: str, state: str) -> dict[str, Any] | None:
    """A fault's last record in a state."""
    found = [one for one in timeline(run) if one.get("fault") == fault and one.get("state") == state]
    return found[-1] if found else None


def injected(run: ActiveRun, fault: str) -> dict[str, Any]:
    """The record of a fault's injection. ClusterError when there is none: it cannot have landed."""
    record = last(run, fault, "injected")
    if record is None:
        raise ClusterError(f"{UNSEEN['landed']}: nothing was injected")
    return record


def reach(
    run: ActiveRun,
    fault: str,
    state: str,
    *,
    target: Record,
    look: Callable[[], dict[str, Any]],
    ready: Callable[[dict[str, Any]], object],
    limit_s: float,
    what: str,
) -> dict[str, Any]:
    """Note a state as soon as witnesses have seen `what` of it; returns what they saw.

    Raises:
        TimeoutError: they did not within `limit_s`: begins with ``fault did not land``, or is not gone.
    """
    try:
        seen = wait_until(look, ready=ready, limit_s=limit_s, every_s=LOOK_EVERY_S, what=what)
    except TimeoutError as unseen:
        raise TimeoutError(f"{UNSEEN[state]}: {unseen}") from unseen
    note(run, fault, state, target=target, witness=seen)
    return seen


def undo(run: ActiveRun, fault: str, undo_one: Callable[[Api, Undo], str]) -> str:
    """Every undo of a fault that is still open in the run is done; says what that was. Safe to repeat."""
    undos = _open_undos(run, fault)
    told = []
    for one in undos:
        told.append(undo_one(run.api, one))
        evidence.mark_undone(run.run_dir, one.id)
    if not undos:
        return f"nothing to undo: no {fault} of this run is open"
    done = ", ".join(told)
    # Who was killed before the injection was noted had noted at what it aims.
    aimed = last(run, fault, "injected") or last(run, fault, "armed")
    note(run, fault, "undone", target=aimed["target"] if aimed else dict(undos[0].args), detail=done)
    return done


def undone(run: ActiveRun, fault: str) -> dict[str, Any] | None:
    """The record of a fault's undo; None when nothing was changed. ClusterError while an undo is open."""
    if _open_undos(run, fault):
        raise ClusterError(f"{UNSEEN['gone']}: its undo has not been done; `sealegs heal` does it")
    return last(run, fault, "undone")


def _open_undos(run: ActiveRun, fault: str) -> list[Undo]:
    """Undos of a fault that wait to be done, the newest first."""
    return [one for one in evidence.open_undos(run.run_dir) if one.fault == fault]
