"""From fates to decisions: how many requests were good for each objective, and what follows.

The eligible requests of a phase are those that it answers for. What was never sent, failed, or left no row is
eligible and bad.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sealegs.judgement import correlation, stats
from sealegs.judgement.facts import Interval
from sealegs.judgement.fates import Fates, Flags, Floats
from sealegs.scenario.claim import Objective

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ObjectiveResult:
    """One objective decided. The bounds are of the share of good requests, each side at the confidence.

    Where the objective has slices, `n` and `bad` count these, and the shares are theirs. `effective_n` is how
    many independent ones the n are worth, and `why` says for what an INCONCLUSIVE is one: see
    `correlation`.
    """

    name: str
    sli: str
    phase: str
    limit_s: float | None
    slice_s: float | None
    slice_share: float | None
    target: float
    confidence: float
    n: int
    effective_n: int
    bad: int
    good_share: float | None
    bound_low: float
    bound_high: float
    verdict: stats.Decision
    why: correlation.Why | None
    more_needed: int
    request_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PhaseCounts:
    """What became of the requests of one phase."""

    name: str
    start_s: float
    end_s: float | None
    planned: int
    sent: int
    ok: int
    outcomes: dict[str, int]


def success(fates: Fates, _limit_s: float) -> Flags:
    """Good: answered whole and right."""
    return fates.ok


def ttft(fates: Fates, limit_s: float) -> Flags:
    """Good: answered whole and right, the first token within the limit of the intended time."""
    # A comparison with NaN is false: no first token is a bad one.
    return fates.ok & (fates.ttft_s <= limit_s)


def tpot(fates: Fates, limit_s: float) -> Flags:
    """Good: answered whole and right, at a mean pace within the limit; a single token has no pace to miss."""
    return fates.ok & ~(fates.tpot_s > limit_s)


def gap(fates: Fates, limit_s: float) -> Flags:
    """Good: answered whole and right, and the answer never stood still for longer than the limit."""
    return fates.ok & ~(fates.gap_s_max > limit_s)


def e2e(fates: Fates, limit_s: float) -> Flags:
    """Good: answered whole and right, the end within the limit of the intended time."""
    return fates.ok & (fates.e2e_s <= limit_s)


INDICATORS = {"success": success, "ttft": ttft, "tpot": tpot, "gap": gap, "e2e": e2e}


def decide(fates: Fates, objective: Objective, *, struck: bool = False) -> ObjectiveResult:
    """Count an objective's eligible and bad requests, or slices, and apply the rule of `correlation`.

    `struck` says that the run's fault was injected: every phase but the baseline is disturbed then.
    """
    eligible = fates.within(objective.phase)
    limit_s = np.inf if objective.limit_s is None else objective.limit_s
    wrong = eligible & ~INDICATORS[objective.sli](fates, limit_s)
    # The fates, and with them the flags, are in the order of intended time.
    good = ~wrong[eligible]
    at_half = None
    if objective.slice_s is not None and objective.slice_share is not None:
        requests, fine = in_slices(fates.intended_s[eligible], good, slice_s=objective.slice_s)
        good = (fine >= objective.slice_share * requests)[requests > 0]
    elif objective.limit_s is not None:
        at_half = INDICATORS[objective.sli](fates, limit_s / 2)[eligible]
    n, bad = len(good), int((~good).sum())
    bounds = stats.good_share_bounds(n=n, bad=bad, confidence=objective.confidence)
    decided = correlation.guarded(
        good,
        target=objective.target,
        confidence=objective.confidence,
        disturbed=struck and objective.phase != "baseline",
        at_half=at_half,
    )
    return ObjectiveResult(
        name=objective.name,
        sli=objective.sli,
        phase=objective.phase,
        limit_s=objective.limit_s,
        slice_s=objective.slice_s,
        slice_share=objective.slice_share,
        target=objective.target,
        confidence=objective.confidence,
        n=n,
        effective_n=round(decided.effective_n),
        bad=bad,
        good_share=round(1 - bad / n, 6) if n else None,
        bound_low=round(bounds.low, 6),
        bound_high=round(bounds.high, 6),
        verdict=decided.verdict,
        why=decided.why,
        more_needed=stats.more_needed(
            n=n,
            bad=correlation.reckoned(bad),
            target=objective.target,
            confidence=objective.confidence,
        ),
        request_ids=fates.ids(wrong),
    )


def in_slices(
    intended_s: Floats, good: Flags, *, slice_s: float, from_s: float | None = None
) -> tuple[Counts, Counts]:
    """How many requests fell due in each slice, and how many of them were good.

    Whole slices only, from `from_s`, or else from the first request, to the last request.
    """
    start_s = float(intended_s.min(initial=np.inf)) if from_s is None else from_s
    until_s = float(intended_s.max(initial=-np.inf))
    # A slice is whole although a sum of floats falls short of its end by their rounding.
    count = int((until_s - start_s) / slice_s + 1e-9) if until_s > start_s else 0
    edges = start_s + slice_s * np.arange(count + 1)
    if not count:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    return np.histogram(intended_s, edges)[0], np.histogram(intended_s[good], edges)[0]


def phase_counts(fates: Fates, phases: Sequence[Interval]) -> tuple[PhaseCounts, ...]:
    """Counts of each phase."""
    return tuple(
        PhaseCounts(
            name=phase.name,
            start_s=round(phase.start_s, 6),
            end_s=None if phase.end_s is None else round(phase.end_s, 6),
            planned=int(inside.sum()),
            sent=int((inside & fates.sent).sum()),
            ok=int((inside & fates.ok).sum()),
            outcomes=dict(sorted(Counter(fates.outcome[inside]).items())),
        )
        for phase in phases
        for inside in [fates.within(phase.name)]
    )
