"""The states of a fault: noted in the timeline, reached when a witness has seen it, undone from disk."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from sealegs import evidence
from sealegs.active import ActiveRun, active_run
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


def landed(
    fault: str,
    *,
    look: Callable[[ActiveRun, Record], dict[str, Any]],
    ready: Callable[[dict[str, Any]], object],
    limit_s: float,
    what: Callable[[Record], str],
) -> dict[str, Any]:
    """A fault has landed: what `look` saw since its injection is `ready`; `what` says of a target what is.

    Raises:
        TimeoutError: not within `limit_s`: begins with ``fault did not land``.
        ClusterError: nothing was injected: begins likewise.
    """
    with active_run() as run:
        struck = injected(run, fault)
        return reach(
            run,
            fault,
            "landed",
            target=struck["target"],
            look=lambda: look(run, struck),
            ready=ready,
            limit_s=limit_s,
            what=what(struck["target"]),
        )


def gone(
    fault: str,
    *,
    look: Callable[[ActiveRun, Record], dict[str, Any]],
    ready: Callable[[dict[str, Any]], object],
    limit_s: float,
    what: Callable[[Record], str],
) -> str:
    """A fault that was undone is gone: what `look` saw since its injection is `ready`. A sentence of `what`.

    Where nothing was changed, nothing has to go, and nothing is noted.

    Raises:
        ClusterError: its undo has not been done.
        TimeoutError: it was not seen gone within `limit_s`: begins with ``fault is not gone``.
    """
    with active_run() as run:
        over = undone(run, fault)
        if over is None:
            return NOTHING_GONE
        # Who was killed before the injection was noted has at what it aimed, and when.
        struck = last(run, fault, "injected") or over
        told = what(over["target"])
        reach(
            run,
            fault,
            "gone",
            target=over["target"],
            look=lambda: look(run, struck),
            ready=ready,
            limit_s=limit_s,
            what=told,
        )
        return f"seen: {told}"


def only(undo: Undo, action: str) -> Mapping[str, Any]:
    """The arguments of an undo whose action must be this one. ClusterError when it is another."""
    if undo.action != action:
        raise ClusterError(f"undo {undo.id}: nobody here knows how to {undo.action!r}")
    return undo.args


def undo(run: ActiveRun, fault: str, undo_one: Callable[[Api, Undo], str]) -> str:
    """Every undo of a fault that is still open in the run is done; says what that was. Safe to repeat.

    Raises:
        ClusterError, TimeoutError: one or more could not be done. The others were, and those stay open.
    """
    undos = _open_undos(run, fault)
    if not undos:
        return f"nothing to undo: no {fault} of this run is open"
    done = ", ".join(each_done(run.run_dir, undos, partial(undo_one, run.api)))
    # Who was killed before the injection was noted had noted at what it aims.
    aimed = last(run, fault, "injected") or last(run, fault, "armed")
    note(run, fault, "undone", target=aimed["target"] if aimed else dict(undos[0].args), detail=done)
    return done


def each_done(run_dir: Path, undos: Iterable[Undo], do: Callable[[Undo], str]) -> Iterator[str]:
    """Try every undo of a run, in this order, and say what was done.

    Raises:
        ClusterError, TimeoutError: some could not be done, told after the others were; they stay open.
    """
    failed: list[ClusterError | TimeoutError] = []
    for one in undos:
        try:
            told = do(one)
        except (ClusterError, TimeoutError) as error:
            failed.append(error)
        else:
            evidence.mark_undone(run_dir, one.id)
            yield told
    if failed:
        raise failed[0] if len(failed) == 1 else ClusterError("; ".join(map(str, failed)))


def undone(run: ActiveRun, fault: str) -> dict[str, Any] | None:
    """The record of a fault's undo; None when nothing was changed. ClusterError while an undo is open."""
    if _open_undos(run, fault):
        raise ClusterError(f"{UNSEEN['gone']}: its undo has not been done; `sealegs heal` does it")
    return last(run, fault, "undone")


def _open_undos(run: ActiveRun, fault: str) -> list[Undo]:
    """Undos of a fault that wait to be done, the newest first."""
    return [one for one in evidence.open_undos(run.run_dir) if one.fault == fault]
