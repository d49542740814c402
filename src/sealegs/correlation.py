"""The guard of the exact rule: requests that share a queue go bad together, and are worth less than as many.

`sealegs.stats` takes requests for independent. Beside it stand the means of BATCHES consecutive batches, in
the order of intended time: they are nearly independent of each other even when neighbours are not (Law,
Simulation Modeling and Analysis, on batch means). From their spread come

- bounds of the share of good: share -/+ t(BATCHES - 1) x standard error;
- the design effect (Kish, Survey Sampling): the variance of the share over that of independent requests;
- the effective n: n / design effect, how many independent requests would show the share as well.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri, stdtrit

from sealegs import stats

BATCHES = 20
# Shorter batches have no room for a clump: below 100 requests the exact rule stands alone.
BATCH_MIN = 5

Flags = npt.NDArray[np.bool_]
Why = Literal["thin", "correlated"]


@dataclass(frozen=True, kw_only=True)
class Spread:
    """What batch means show. Bounds of the share of good are one-sided and not cut to 0..1."""

    low: float
    high: float
    effective_n: float


@dataclass(frozen=True, kw_only=True)
class Decided:
    """A decision, why there is none, and how many independent requests the evidence is worth."""

    verdict: stats.Decision
    why: Why | None
    effective_n: float


def guarded(good: Flags, *, target: float, confidence: float, disturbed: bool) -> Decided:
    """Decide by the exact rule, and withhold as INCONCLUSIVE what batch means do not bear out.

    `good` is in the order of intended time. PASS needs the exact PASS and the batch-means lower bound above
    the target, FAIL the exact FAIL and the upper bound below it. Clumps that leave an effective n with which
    not even all good requests could pass leave nothing decided. Why nothing is decided: "correlated" when the
    exact rule decided, or clumps took an n that was enough below what is enough; else "thin".

    Where batch means say nothing (`spread` is None) the exact rule stands alone. Of none bad that is a gap
    which no window closes by itself: a clump that did not come leaves no trace. It is small at the load that
    is to be judged, up to 65 % of the knee: `tests/unit/test_simulation.py` holds how small.

    `disturbed` says that a planned fault has struck in the phase or before it. Bad requests then stand
    together because of the fault, not by chance: independent requests whose chance to be good changes over
    time vary less than a binomial, not more (Hoeffding 1956), and batch means would take an outage of a third
    of the phase for bad luck. So the exact FAIL stands alone. A PASS still needs the lower bound, on the safe
    side, but no effective n: three of 250 lost at the strike of a fault are no reason to doubt the others.
    """
    n, bad = len(good), int((~good).sum())
    exact = stats.decide(n=n, bad=bad, target=target, confidence=confidence)
    seen = spread(good, confidence=confidence)
    if seen is None:
        return Decided(verdict=exact, why="thin" if exact == "INCONCLUSIVE" else None, effective_n=n)
    # The search for how many are enough is most of the cost, and idle where no clump shows.
    enough = stats.requests_min(target=target, confidence=confidence) if seen.effective_n < n else 0
    clumped = seen.effective_n < enough
    borne_out = {
        "PASS": seen.low > target and (disturbed or not clumped),
        "FAIL": disturbed or (seen.high < target and not clumped),
        "INCONCLUSIVE": False,
    }
    if borne_out[exact]:
        return Decided(verdict=exact, why=None, effective_n=seen.effective_n)
    correlated = exact != "INCONCLUSIVE" or (clumped and n >= enough)
    return Decided(
        verdict="INCONCLUSIVE", why="correlated" if correlated else "thin", effective_n=seen.effective_n
    )


def spread(good: Flags, *, confidence: float) -> Spread | None:
    """Bounds and effective n by batch means; None of fewer than BATCHES x BATCH_MIN requests or of all alike.

    Batches are as equal as n allows; deviations are from the share of all, as in the ratio estimator of
    cluster sampling (Cochran, Sampling Techniques), so that one request more in a batch is no deviation. A
    design effect within what independent requests reach at this confidence, by chi-squared with BATCHES - 1
    degrees of freedom, is no sign of clumps: the effective n is n then, and never more.
    """
    n, bad = len(good), int((~good).sum())
    if n < BATCHES * BATCH_MIN or bad in (0, n):
        return None
    share = bad / n
    edges = np.arange(BATCHES + 1) * n // BATCHES
    deviations = np.add.reduceat(~good, edges[:-1], dtype=float) - share * np.diff(edges)
    variance = float(deviations @ deviations) * BATCHES / (BATCHES - 1)
    reach = float(stdtrit(BATCHES - 1, confidence)) * variance**0.5 / n
    design_effect = variance / (n * share * (1 - share))
    by_chance = float(chdtri(BATCHES - 1, 1 - confidence)) / (BATCHES - 1)
    return Spread(
        low=1 - share - reach,
        high=1 - share + reach,
        effective_n=n / design_effect if design_effect > by_chance else float(n),
    )
