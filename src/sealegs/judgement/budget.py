"""How much of the error budget a fault cost: the share that failed, times how long, of what a period allows.

An availability target over a period leaves a budget: the time for which everything may fail, (1 - target) x
period. A window in which a share of the requests failed spends share x window of it (Google, The Site
Reliability Workbook, chapter 5). "At most this much is spent" is therefore "at least that share is good", and
is decided by the same rule as every objective.
"""

from dataclasses import dataclass

from sealegs.judgement import correlation, stats
from sealegs.judgement.facts import Interval
from sealegs.judgement.fates import Fates
from sealegs.scenario.claim import Budget

PHASES = ("fault", "recovery")
CONFIDENCE = 0.99


@dataclass(frozen=True, kw_only=True)
class BudgetResult:
    """`spent` and its bounds are shares of the whole period's budget; None when no request tells."""

    verdict: stats.Decision
    why: correlation.Why | None
    target: float
    period_d: float
    window_s: float
    n: int
    bad: int
    effective_n: int
    spent: float | None
    spent_low: float
    spent_high: float
    spent_max: float
    request_ids: tuple[str, ...]
    detail: str


def budget_of(fates: Fates, asked: Budget, phases: tuple[Interval, ...], *, until_s: float) -> BudgetResult:
    """What fault and recovery together spent; `until_s` ends a phase whose own end was not seen.

    A window too short to spend the whole of what is allowed shows nothing, whatever happened in it.
    """
    inside = [phase for phase in phases if phase.name in PHASES]
    window_s = sum((until_s if phase.end_s is None else phase.end_s) - phase.start_s for phase in inside)
    eligible = fates.within(*PHASES)
    wrong = eligible & ~fates.ok
    good = fates.ok[eligible]
    n, bad = len(good), int(wrong.sum())
    cost_of_all = window_s / asked.budget_s
    target = 1 - asked.spent_max / cost_of_all if cost_of_all else 0.0
    bounds = stats.good_share_bounds(n=n, bad=bad, confidence=CONFIDENCE)
    decided = correlation.Decided(verdict="INCONCLUSIVE", why="thin", effective_n=n)
    if target > 0:
        decided = correlation.guarded(good, target=target, confidence=CONFIDENCE, disturbed=True)
    spent = bad / n * cost_of_all if n else None
    return BudgetResult(
        verdict=decided.verdict,
        why=decided.why,
        target=asked.target,
        period_d=asked.period_d,
        window_s=round(window_s, 6),
        n=n,
        bad=bad,
        effective_n=round(decided.effective_n),
        spent=None if spent is None else round(spent, 9),
        spent_low=round((1 - bounds.high) * cost_of_all, 9),
        spent_high=round((1 - bounds.low) * cost_of_all, 9),
        spent_max=asked.spent_max,
        request_ids=fates.ids(wrong),
        detail=_told(asked, spent=spent, window_s=window_s, bad=bad, n=n),
    )


def _told(asked: Budget, *, spent: float | None, window_s: float, bad: int, n: int) -> str:
    """What was spent, in a sentence."""
    whose = f"of the budget of {asked.target:.6g} over {asked.period_d:g} days"
    if spent is None:
        return f"no request tells what was spent {whose}"
    return (
        f"{bad:,} bad of {n:,} in {window_s:.0f} s spent {spent:.3%} {whose}, at most {asked.spent_max:.3%}"
    )
