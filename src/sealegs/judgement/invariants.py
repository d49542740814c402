"""Claims that one counter-example refutes, whatever else is wrong with the run.

Each is FAIL when it was violated, PASS when it could have been violated and was not, and INCONCLUSIVE when
nothing in the run put it to the test.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sealegs.judgement.facts import Facts, mark_s
from sealegs.judgement.fates import HOLE, REQUEST_IDS_MAX, TRUNCATED, Fates
from sealegs.judgement.situation import Situation
from sealegs.judgement.stats import Decision

GRANTED = (200, 201)
REFUSED = 429


@dataclass(frozen=True, kw_only=True)
class InvariantResult:
    """One invariant decided; `request_ids` are the first of the counter-examples where those are requests."""

    name: str
    verdict: Decision
    violations: int
    detail: str
    request_ids: tuple[str, ...] = ()


def no_truncated_stream(situation: Situation) -> InvariantResult:
    """No answer that began was cut short. Put to the test by a stream in flight on the fault's pods."""
    name = "no-truncated-stream"
    if cut := _seen(situation.facts, TRUNCATED):
        return _violated(name, cut, "cut")
    if lost := _lost(situation.fates):
        return _result(name, "INCONCLUSIVE", lost)
    if situation.facts.scenario.experiment is None:
        return _unviolated(name, int(situation.fates.ended("ok").sum()), "streams ended whole")
    if situation.story is None or situation.story.landed_s is None:
        return _unviolated(name, 0, "streams met the fault: it did not land")
    return _unviolated(name, situation.in_flight.total, "streams in flight where the fault struck")


def no_foreign_token(situation: Situation) -> InvariantResult:
    """Every token belongs to its request and its place. Put to the test by any token received."""
    name = "no-foreign-token"
    if foreign := _seen(situation.facts, ("bad_token",)):
        return _violated(name, foreign, "given a foreign, missing or repeated token")
    if lost := _lost(situation.fates):
        return _result(name, "INCONCLUSIVE", lost)
    return _unviolated(name, int(np.nansum(situation.fates.tokens_received)), "tokens checked")


def pdb_honoured(situation: Situation) -> InvariantResult:
    """Ready replicas never fell below what their disruption budget asks for, from baseline to the end.

    Seen by the samples and by the budgets' own status, which changes when a sample is not due. Put to the
    test by an eviction, granted or refused, of a pod that a budget covers.
    """
    facts = situation.facts
    budgets = {str(record["app"]): record for record in facts.of_kind("pdb")}
    granted, refused = evictions(facts, apps=budgets.keys())
    seen = f"evictions: {granted} granted, {refused} refused"
    sampled = list(_ready_and_wanted(facts))
    counted = sorted((*sampled, *_healthy_and_wanted(facts)), key=lambda one: (one.t_s, one.app))
    if below := [one for one in counted if one.ready < one.wanted]:
        first = below[0]
        text = f"{first.app} had {first.ready} ready of at least {first.wanted} at {first.t_s:.1f} s; {seen}"
        return _result("pdb-honoured", "FAIL", text, violations=len(below))
    if unseen := sorted(budgets.keys() - {one.app for one in sampled}):
        return _result("pdb-honoured", "INCONCLUSIVE", f"no sample of {', '.join(unseen)}; {seen}")
    if not granted + refused:
        text = f"nothing could have violated it: {len(budgets)} budgets, no eviction of a pod that they cover"
        return _result("pdb-honoured", "INCONCLUSIVE", text)
    lowest = {app: min(one.ready for one in counted if one.app == app) for app in sorted(budgets)}
    fewest = ", ".join(f"{app} {ready}" for app, ready in lowest.items())
    return _result("pdb-honoured", "PASS", f"fewest ready: {fewest}; {seen}")


def evictions(facts: Facts, *, apps: Collection[str]) -> tuple[int, int]:
    """How many evictions of these apps' pods the API granted, and how many it refused for a budget's sake."""
    app_of = {record["name"]: record.get("app") for record in facts.of_kind("pod")}
    statuses = [one.get("status") for one in facts.of_kind("eviction") if app_of.get(one.get("pod")) in apps]
    return sum(status in GRANTED for status in statuses), statuses.count(REFUSED)


@dataclass(frozen=True, kw_only=True)
class _Ready:
    """Ready replicas of one app at one moment, and how many its budget asked for then."""

    t_s: float
    app: str
    ready: int
    wanted: int


def _ready_and_wanted(facts: Facts) -> Iterator[_Ready]:
    """Each sample from baseline to the end of each app that had a budget by then."""
    changes = list(facts.of_kind("pdb"))
    wanted: dict[str, int] = {}
    for sample in facts.samples:
        while changes and changes[0]["t_s"] <= sample["t_s"]:
            change = changes.pop(0)
            wanted[str(change["app"])] = int(change["desired_healthy"])
        if _is_measured(facts, sample["t_s"]):
            ready = sample.get("ready", {})
            for app in wanted.keys() & ready.keys():
                yield _Ready(t_s=sample["t_s"], app=app, ready=ready[app], wanted=wanted[app])


def _healthy_and_wanted(facts: Facts) -> Iterator[_Ready]:
    """Each change of a budget's own count of healthy pods, from baseline to the end."""
    for record in facts.of_kind("pdb"):
        if _is_measured(facts, record["t_s"]):
            yield _Ready(
                t_s=record["t_s"],
                app=str(record["app"]),
                ready=int(record["current_healthy"]),
                wanted=int(record["desired_healthy"]),
            )


def _is_measured(facts: Facts, t_s: float) -> bool:
    """Whether a moment lies between the marks of the baseline and of the end."""
    start_s, end_s = mark_s(facts, "baseline"), mark_s(facts, "end")
    return start_s is not None and start_s <= t_s and (end_s is None or t_s <= end_s)


def _seen(facts: Facts, outcomes: Collection[str]) -> dict[str, str]:
    """Request → its outcome, of every row with one of these, in the order in which they were due.

    Rows and not fates: what was seen is a counter-example, though its request has two rows or no plan.
    """
    found = facts.requests.filter(pc.is_in(facts.requests["outcome"], pa.array(outcomes, pa.string())))
    columns = (found.column(name).to_pylist() for name in ("intended_s", "request_id", "outcome"))
    rows = sorted(zip(*columns, strict=True), key=lambda row: (row[0] or 0.0, str(row[1])))
    return {str(request_id): str(outcome) for _, request_id, outcome in rows}


def _lost(fates: Fates) -> str:
    """In words, how many requests left no row: nobody knows how they ended. Empty when none."""
    holes = int(fates.ended(HOLE).sum())
    return f"nobody knows how {holes:,} requests ended: they left no row" if holes else ""


def _violated(name: str, wrong: Mapping[str, str], what: str) -> InvariantResult:
    """FAIL, with how many of which kind, and which."""
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(wrong.values()).items()))
    return InvariantResult(
        name=name,
        verdict="FAIL",
        violations=len(wrong),
        detail=f"{len(wrong)} stream{'s' if len(wrong) > 1 else ''} {what} ({listed})",
        request_ids=tuple(wrong)[:REQUEST_IDS_MAX],
    )


def _unviolated(name: str, chances: int, what: str) -> InvariantResult:
    """PASS when there was a chance to violate it, else INCONCLUSIVE."""
    if chances:
        return _result(name, "PASS", f"{chances:,} {what}, none violated it")
    return _result(name, "INCONCLUSIVE", f"nothing could have violated it: 0 {what}")


def _result(name: str, verdict: Decision, detail: str, *, violations: int = 0) -> InvariantResult:
    """A result whose counter-examples, if any, are not requests."""
    return InvariantResult(name=name, verdict=verdict, violations=violations, detail=detail)


INVARIANTS: dict[str, Callable[[Situation], InvariantResult]] = {
    "no-truncated-stream": no_truncated_stream,
    "no-foreign-token": no_foreign_token,
    "pdb-honoured": pdb_honoured,
}
