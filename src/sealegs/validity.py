"""Whether a run's evidence can be trusted: each check has a value and a limit, and one that fails is INVALID.

A check that found nothing to look at fails.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sealegs.facts import MARKS, Facts, FaultStory, mark_s
from sealegs.reconcile import confirmed_by_engines, disagreements
from sealegs.slo import HOLE, Fates, ObjectiveResult
from sealegs.stats import quantile

LAG_S_P50_MAX = 0.010
# Twice what is asked of a load machine: here client, cluster and engines may share two cores. A late send
# counts against the system, as latency runs from the intended time: this slack can fail a run, not pass one.
LAG_S_P99_MAX = 0.100
# Who sends before the time is answered before the time: this, unlike lag, would flatter the system.
LEAD_S_MAX = 0.001
SAMPLES_SHARE_MIN = 0.9
# An engine's last lines can die with its pod; more than this is a lost log.
UNCONFIRMED_SHARE_MAX = 0.005

Value = float | str | None


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check. `detail` says in one sentence what was found, so that it can stand alone as a reason."""

    name: str
    ok: bool
    value: Value
    limit: Value
    detail: str


def check_all(
    facts: Facts, fates: Fates, story: FaultStory | None, objectives: Sequence[ObjectiveResult]
) -> tuple[Check, ...]:
    """Every check, causes before effects: the first that fails is the likeliest reason for the others."""
    about_fault = (_baseline_healthy(objectives), _fault_landed(story, facts), _fault_gone(story, facts))
    return (
        _run_finished(facts),
        _evidence_whole(facts),
        _no_errors(facts),
        _load_ended(facts),
        _stack_ready(facts),
        *(about_fault if facts.scenario.experiment else ()),
        *_schedule_kept(fates),
        _planned_sent(fates),
        _counts_reconcile(facts, fates),
        _engines_agree(facts, fates),
        _samples_present(facts),
    )


def _none_of(name: str, found: Sequence[str], *, good: str, bad: str) -> Check:
    """A check that passes when nothing was found."""
    detail = f"{bad}: {'; '.join(found)}" if found else good
    return Check(name=name, ok=not found, value=len(found), limit=0, detail=detail)


def _evidence_whole(facts: Facts) -> Check:
    return _none_of(
        "evidence-whole", facts.damage, good="every file could be read", bad="evidence is damaged"
    )


def _run_finished(facts: Facts) -> Check:
    names = tuple(str(record["name"]) for record in facts.of_kind("phase"))
    last = names[-1] if names else "none"
    detail = "all phases took place, in order"
    if "end" not in names:
        detail = f"run did not finish: last phase {last}, last seen at {facts.seen_until_s:.1f} s"
    elif names != MARKS:
        detail = f"phases are out of order: {', '.join(names)}"
    return Check(name="run-finished", ok=names == MARKS, value=last, limit="end", detail=detail)


def _no_errors(facts: Facts) -> Check:
    errors = [f"{one.get('where')}: {one.get('message')}" for one in facts.of_kind("error")]
    return _none_of("no-errors", errors, good="no errors of the suite", bad="errors of the suite itself")


def _load_ended(facts: Facts) -> Check:
    ended = facts.load_summary is not None
    detail = "load process ended by itself" if ended else "load process died: it left no summary"
    return Check(
        name="load-ended", ok=ended, value="ended" if ended else "died", limit="ended", detail=detail
    )


def _stack_ready(facts: Facts) -> Check:
    start_s = mark_s(facts, "baseline")
    before = [sample for sample in facts.samples if start_s is not None and sample["t_s"] <= start_s]
    desired = before[-1].get("desired", {}) if before else {}
    ready = before[-1].get("ready", {}) if before else {}
    ok = bool(desired) and all(0 < wanted <= ready.get(app, 0) for app, wanted in desired.items())
    found = ", ".join(f"{app} {ready.get(app, 0)} of {wanted}" for app, wanted in sorted(desired.items()))
    detail = f"stack was {'' if ok else 'not '}ready at the baseline: {found or 'never seen before it'}"
    return Check(name="stack-ready", ok=ok, value=found or None, limit="all ready", detail=detail)


def _baseline_healthy(objectives: Sequence[ObjectiveResult]) -> Check:
    """A baseline that misses its own objectives says nothing about a fault, bad luck or not."""
    baseline = [one for one in objectives if one.phase == "baseline"]
    sick = [one for one in baseline if _misses(one)]
    told = [f"{one.name} {one.bad} bad of {one.n}: {', '.join(one.request_ids[:3])} …" for one in sick]
    if not baseline:
        told = ["no objective says that it was healthy"]
    return _none_of(
        "baseline-healthy",
        told,
        good=f"baseline was healthy by {len(baseline)} objectives",
        bad="unhealthy baseline",
    )


def _misses(result: ObjectiveResult) -> bool:
    """Whether a share is below its target: of answered requests as it stands, of fast ones by the exact rule.

    No request at all is a miss too, and so is a FAIL withheld for correlation: to distrust is safe.
    """
    as_it_stands = result.good_share is None or result.good_share < result.target
    return result.bound_high < result.target or (result.sli == "success" and as_it_stands)


def _fault_landed(story: FaultStory | None, facts: Facts) -> Check:
    """Injected within its phase, and seen afterwards by a witness that injection did not write itself."""
    landed_s = story.landed_s if story and story.witness else None
    injected_s = story.injected_s if story else None
    due_s, over_s = mark_s(facts, "fault"), mark_s(facts, "recovery")
    in_time = (
        landed_s is not None
        and injected_s is not None
        and due_s is not None
        and due_s <= injected_s <= landed_s < (math.inf if over_s is None else over_s)
    )
    detail = f"fault did not land: {_states(facts)}"
    if in_time:
        detail = "fault landed, seen by an independent witness"
    elif landed_s is not None:
        detail = f"fault did not land in its phase: {_states(facts)}"
    return Check(
        name="fault-landed", ok=in_time, value=landed_s, limit="after injection, in its phase", detail=detail
    )


def _fault_gone(story: FaultStory | None, facts: Facts) -> Check:
    """Seen gone by a witness, after it was seen landed."""
    gone_s = story.gone_s if story and story.gone_witness else None
    landed_s = story.landed_s if story else None
    ok = gone_s is not None and (landed_s is None or landed_s <= gone_s)
    detail = "fault was seen gone" if ok else f"fault was not seen gone: {_states(facts)}"
    return Check(name="fault-gone", ok=ok, value=gone_s, limit="seen gone", detail=detail)


def _states(facts: Facts) -> str:
    """The states that the fault was seen in, and when."""
    seen = [f"{record.get('state')} at {record['t_s']:.1f} s" for record in facts.of_kind("fault")]
    return ", ".join(seen) or "it was not even armed"


def _schedule_kept(fates: Fates) -> Iterator[Check]:
    """Requests left when they were meant to, and none before."""
    lag_s = fates.sent_s - fates.intended_s
    lead_s = max(0.0, float(-np.nanmin(lag_s, initial=0.0)))
    early = "a request left" if lead_s > LEAD_S_MAX else "no request left"
    yield Check(
        name="sent-early",
        ok=lead_s <= LEAD_S_MAX,
        value=round(lead_s, 6),
        limit=LEAD_S_MAX,
        detail=f"{early} more than {LEAD_S_MAX * 1e3:g} ms before its time",
    )
    measured_s = lag_s[fates.within("run") & ~np.isnan(lag_s)].tolist()
    for name, q, limit_s in (("lag-p50", 0.5, LAG_S_P50_MAX), ("lag-p99", 0.99, LAG_S_P99_MAX)):
        found_s = quantile(measured_s, q)
        detail = "schedule was not kept: nothing was sent"
        if found_s is not None:
            late = "" if found_s <= limit_s else "schedule was not kept: "
            detail = f"{late}{q:.0%} of requests left within {found_s * 1e3:.1f} ms of their time"
        yield Check(
            name=name,
            ok=found_s is not None and found_s <= limit_s,
            value=None if found_s is None else round(found_s, 6),
            limit=limit_s,
            detail=detail,
        )


def _planned_sent(fates: Fates) -> Check:
    """Every planned request has a row and a phase, and the cap held none back before the fault."""
    found = {
        "left no row": fates.outcome == HOLE,
        "were held back by the cap before the fault": (fates.outcome == "cap_refused")
        & np.isin(fates.phase, ("warmup", "baseline")),
        "belong to no phase": fates.phase == "",
    }
    planned = len(fates.request_id)
    wrong = [f"{int(flags.sum()):,} {what}" for what, flags in found.items() if flags.any()]
    return _none_of(
        "planned-sent",
        wrong if planned else ["nothing was planned"],
        good=f"all {planned:,} planned requests are accounted for",
        bad=f"of {planned:,} planned requests some are not accounted for",
    )


def _counts_reconcile(facts: Facts, fates: Fates) -> Check:
    return _none_of(
        "counts-reconcile",
        disagreements(facts, fates),
        good="the client's counts and its rows agree",
        bad="counts do not reconcile",
    )


def _engines_agree(facts: Facts, fates: Fates) -> Check:
    """What the client calls ok an engine finished, with as many tokens, by the engine's own log."""
    found = confirmed_by_engines(facts, fates)
    share = len(found.unconfirmed) / found.answered if found.answered else 1.0
    ok = not found.different and share <= UNCONFIRMED_SHARE_MAX
    detail = (
        f"engines' logs confirm {found.answered - len(found.unconfirmed):,} of {found.answered:,} answers"
    )
    if not ok:
        cited = ", ".join((*found.different, *found.unconfirmed)[:3])
        detail = f"client and engines disagree: {detail}, {len(found.different)} differ in tokens: {cited}"
    return Check(
        name="engines-agree", ok=ok, value=round(share, 6), limit=UNCONFIRMED_SHARE_MAX, detail=detail
    )


def _samples_present(facts: Facts) -> Check:
    """Of the seconds from baseline to the end, the share in which the cluster was looked at."""
    start_s = mark_s(facts, "baseline")
    end_s = mark_s(facts, "end") or facts.seen_until_s
    share = 0.0
    if start_s is not None and end_s > start_s:
        seconds = {int(sample["t_s"]) for sample in facts.samples if start_s <= sample["t_s"] <= end_s}
        share = min(1.0, len(seconds) / (end_s - start_s))
    return Check(
        name="samples-present",
        ok=share >= SAMPLES_SHARE_MIN,
        value=round(share, 6),
        limit=SAMPLES_SHARE_MIN,
        detail=f"{share:.0%} of the seconds from baseline to the end have a sample",
    )
