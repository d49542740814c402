"""The verdict of a run: from facts to one word, with every number it rests on. Same facts, same verdict."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sealegs.judgement import bounds, slo
from sealegs.judgement.bounds import BoundResult
from sealegs.judgement.budget import BudgetResult, budget_of
from sealegs.judgement.cost import cost_of
from sealegs.judgement.facts import Facts, FaultStory, fault_story, intervals
from sealegs.judgement.fates import HOLE, TRUNCATED, Fates, fates_of
from sealegs.judgement.in_flight import InFlight, in_flight_at
from sealegs.judgement.invariants import INVARIANTS, InvariantResult, evictions
from sealegs.judgement.ladder import Rung, ladder_of
from sealegs.judgement.losses import Losses, cause_of, losses_of
from sealegs.judgement.percentiles import Percentile, percentiles_of
from sealegs.judgement.recovery import RecoveryResult, recovery_of
from sealegs.judgement.situation import Situation
from sealegs.judgement.slo import ObjectiveResult, PhaseCounts
from sealegs.judgement.validity import Check, check_all
from sealegs.scenario.claim import Expect

SCHEMA = 3
Word = Literal["PASS", "FAIL", "INCONCLUSIVE", "INVALID"]
WORST_FIRST: tuple[Word, ...] = ("FAIL", "INVALID", "INCONCLUSIVE", "PASS")
EXIT_CODES: dict[Word, int] = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 2, "INVALID": 3}


@dataclass(frozen=True, kw_only=True)
class Validity:
    """Whether the evidence can be trusted, check by check."""

    valid: bool
    checks: tuple[Check, ...]


@dataclass(frozen=True, kw_only=True)
class FaultSummary:
    """The fault as it happened, and what it met."""

    fault: str
    target: dict[str, Any]
    injected_s: float | None
    landed_s: float | None
    undone_s: float | None
    gone_s: float | None
    in_flight_at_injection: InFlight
    ladder: tuple[Rung, ...]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A judged run; its fields are the keys of ``verdict.json``, described by ``verdict.schema.json``."""

    schema: int
    run_id: str
    scenario: str
    claim: str
    verdict: Word
    reasons: tuple[str, ...]
    validity: Validity
    objectives: tuple[ObjectiveResult, ...]
    invariants: tuple[InvariantResult, ...]
    bounds: tuple[BoundResult, ...]
    recovery: RecoveryResult | None
    budget: BudgetResult | None
    losses: Losses
    percentiles: tuple[Percentile, ...]
    phases: tuple[PhaseCounts, ...]
    counts: dict[str, int]
    fault: FaultSummary | None

    @property
    def exit_code(self) -> int:
        """What a command that ran or judged this exits with."""
        return EXIT_CODES[self.verdict]

    @property
    def document(self) -> dict[str, Any]:
        """The verdict as plain JSON values."""
        return dataclasses.asdict(self)


def decide(facts: Facts) -> Verdict:
    """Judge one run."""
    phases = intervals(facts)
    fates = fates_of(facts)
    story = fault_story(facts)
    in_flight = in_flight_at(facts, fates, story) if story else InFlight()
    struck = story is not None and story.injected_s is not None
    objectives = tuple(slo.decide(fates, one, struck=struck) for one in facts.scenario.objectives)
    situation = Situation(facts=facts, fates=fates, story=story, in_flight=in_flight)
    invariants = tuple(INVARIANTS[name](situation) for name in facts.scenario.invariants)
    measured = tuple(bounds.decide(situation, one) for one in facts.scenario.bounds)
    asked = facts.scenario.recovery
    recovery = recovery_of(fates, asked, injected_s=story.injected_s if story else None) if asked else None
    causes = cause_of(facts, fates, story)
    spending = facts.scenario.budget
    budget = budget_of(fates, spending, phases, until_s=facts.seen_until_s) if spending else None
    recovered_s = recovery.recovery_s if recovery else None
    ladder = ladder_of(facts, fates, story, causes=causes, recovered_s=recovered_s) if story else ()
    checks = check_all(facts, fates, story, objectives)
    word, reasons = conclude(checks, objectives, invariants, recovery, budget, measured=measured)
    return Verdict(
        schema=SCHEMA,
        run_id=facts.run["run_id"],
        scenario=facts.scenario.name,
        claim=facts.scenario.claim,
        verdict=word,
        reasons=reasons,
        validity=Validity(valid=all(check.ok for check in checks), checks=checks),
        objectives=objectives,
        invariants=invariants,
        bounds=measured,
        recovery=recovery,
        budget=budget,
        losses=losses_of(fates, causes),
        percentiles=percentiles_of(fates, phases),
        phases=slo.phase_counts(fates, phases),
        counts=_counts(facts, fates),
        fault=_summary(story, in_flight, ladder) if story else None,
    )


def conclude(
    checks: tuple[Check, ...],
    objectives: tuple[ObjectiveResult, ...],
    invariants: tuple[InvariantResult, ...],
    recovery: RecoveryResult | None,
    budget: BudgetResult | None = None,
    *,
    measured: tuple[BoundResult, ...] = (),
) -> tuple[Word, tuple[str, ...]]:
    """One word for a run and why: any FAIL, else INVALID, else any INCONCLUSIVE, else PASS.

    Evidence that cannot be trusted silences objectives, bounds, recovery and budget, never an invariant: a
    counter-example stays one. Claiming nothing proves nothing.
    """
    distrusted = [check.detail for check in checks if not check.ok]
    claims = [(one.verdict, _told(one)) for one in invariants]
    if not distrusted:
        claims += [(one.verdict, _told_objective(one)) for one in objectives]
        claims += [(one.verdict, _told(one)) for one in measured]
        claims += [(recovery.verdict, f"recovery: {recovery.detail}")] if recovery else []
        claims += [(budget.verdict, f"budget: {budget.detail}")] if budget else []
    refuted = [text for verdict, text in claims if verdict == "FAIL"]
    undecided = [text for verdict, text in claims if verdict == "INCONCLUSIVE"]
    reasons = (*refuted, *distrusted, *undecided)
    if refuted:
        return "FAIL", reasons
    if distrusted:
        return "INVALID", reasons
    if undecided or not claims:
        return "INCONCLUSIVE", reasons or ("nothing was claimed",)
    return "PASS", ()


def is_as_expected(word: str, reasons: Iterable[str], expect: Expect) -> bool:
    """Whether a run ended as its scenario says it must, for the reason it says."""
    return word == expect.verdict and any(expect.reason in reason for reason in ("", *reasons))


def _told(result: InvariantResult | BoundResult) -> str:
    """An invariant's or a bound's result in one line, citing requests."""
    cited = f": {', '.join(result.request_ids)}" if result.request_ids else ""
    return f"{result.name}: {result.detail}{cited}"


def _told_objective(result: ObjectiveResult) -> str:
    """An objective's result in one line."""
    what = "requests" if result.slice_s is None else f"slices of {result.slice_s:g} s"
    text = f"{result.name}: {result.bad:,} bad of {result.n:,}, target {result.target:g}"
    if result.verdict == "FAIL":
        return f"{text}: {', '.join(result.request_ids)}"
    if result.why == "correlated":
        return f"{text}; clumped: worth about {result.effective_n:,} independent {what}"
    return (
        f"{text}; {result.more_needed:,} more good {what} would have decided it"
        if result.more_needed
        else text
    )


def _counts(facts: Facts, fates: Fates) -> dict[str, int]:
    """The run in whole numbers."""
    cost = cost_of(facts.requests, facts.attempts)
    granted, refused = evictions(facts, apps={str(record["app"]) for record in facts.of_kind("pdb")})
    return {
        "planned": len(fates.request_id),
        "sent": int(fates.sent.sum()),
        "cap_refused": int(fates.ended("cap_refused").sum()),
        "never_sent": int(fates.ended("never_sent").sum()),
        "finished": int((fates.sent & ~np.isnan(fates.end_s)).sum()),
        "ok": int(fates.ok.sum()),
        "holes": int(fates.ended(HOLE).sum()),
        "truncated": int(fates.ended(*TRUNCATED).sum()),
        "attempts": cost.attempts,
        "retried": cost.retried,
        "tokens_received": cost.tokens_received,
        "tokens_wasted": cost.tokens_wasted,
        "evictions_granted": granted,
        "evictions_refused": refused,
        "engine_lines": len(facts.truth),
    }


def _summary(story: FaultStory, in_flight: InFlight, ladder: tuple[Rung, ...]) -> FaultSummary:
    """The fault's part of the verdict."""
    return FaultSummary(
        fault=story.fault,
        target=dict(story.target),
        injected_s=story.injected_s,
        landed_s=story.landed_s,
        undone_s=story.undone_s,
        gone_s=story.gone_s,
        in_flight_at_injection=in_flight,
        ladder=ladder,
    )
