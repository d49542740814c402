"""The guard of the exact rule: requests that share a queue go bad together, and are worth less than as many.

`stats` takes requests for independent. Beside it stand the means of BATCHES consecutive batches, in
the order of intended time: they are nearly independent of each other even when neighbours are not (Law,
Simulation Modeling and Analysis, on batch means). From their spread come

- bounds of the share of good: share -/+ t(BATCHES - 1) x standard error;
- the design effect (Kish, Survey Sampling): the variance of the share over that of independent requests;
- the effective n: n / design effect, how many independent requests would show the share as well.

Two kinds of clumps do not show at the limit. Those of requests beyond half of it come where a small pool
queues often. One that did not come leaves no trace at all, in flags, latencies or ranks: against it a PASS
must hold with one bad request in UNSEEN more than came. `tests/unit/test_simulation.py` has the rates.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri, stdtrit

from sealegs.judgement import stats

BATCHES = 20
# Shorter batches have no room for a clump: below 100 requests the exact rule stands alone.
BATCH_MIN = 5
# Chosen by simulation: the mildest with which a queue at 70 % passes a p95 limit by luck at most once in 20.
UNSEEN = 9

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


def guarded(
    good: Flags, *, target: float, confidence: float, disturbed: bool, at_half: Flags | None = None
) -> Decided:
    """Decide by the exact rule, and withhold as INCONCLUSIVE what batch means do not bear out.

    `good` is in the order of intended time; `at_half`, in the same order, says which would be good with half
    the limit, and is None where there is no limit to halve.

    PASS needs the exact PASS of the reckoned bad ones, the batch-means lower bound above the target, and that
    the counts which `at_half` leaves effective would PASS too. FAIL needs the exact FAIL and the upper bound
    below the target: latencies do not excuse it. Clumps that leave an effective n with which not even all
    good requests could pass leave nothing decided. Why nothing is decided: "correlated" when batch means
    withheld it, or clumps took an n that was enough below what is enough; else "thin".

    `disturbed` says that a planned fault has struck in the phase or before it. Bad requests then stand
    together because of the fault, not by chance: independent requests whose chance to be good changes over
    time vary less than a binomial, not more (Hoeffding 1956), and batch means would take an outage of a third
    of the phase for bad luck. So the exact FAIL stands alone. A PASS still needs the lower bound, on the safe
    side, but no effective n: three of 250 lost at the strike of a fault are no reason to doubt the others.
    """
    n, bad = len(good), int((~good).sum())
    exact = _exact(n=n, bad=bad, target=target, confidence=confidence)
    seen = spread(good, confidence=confidence) or Spread(low=np.inf, high=-np.inf, effective_n=n)
    against = at_half if exact != "FAIL" and not disturbed else None
    eased = None if against is None else spread(against, confidence=confidence)
    eased_n = n if eased is None else int(eased.effective_n)
    effective_n = min(seen.effective_n, eased_n)
    # The search for how many are enough is most of the cost, and idle where no clump shows.
    enough = stats.requests_min(target=target, confidence=confidence) if effective_n < n else 0
    clumped = effective_n < enough
    eased_bad = round(min(n, reckoned(bad)) * eased_n / n) if n else 0
    borne_out = {
        "PASS": seen.low > target
        and (disturbed or not clumped)
        and stats.decide(n=eased_n, bad=eased_bad, target=target, confidence=confidence) == "PASS",
        "FAIL": disturbed or (seen.high < target and not clumped),
        "INCONCLUSIVE": False,
    }
    if borne_out[exact]:
        return Decided(verdict=exact, why=None, effective_n=effective_n)
    correlated = exact != "INCONCLUSIVE" or (clumped and n >= enough)
    return Decided(
        verdict="INCONCLUSIVE", why="correlated" if correlated else "thin", effective_n=effective_n
    )


def reckoned(bad: int) -> int:
    """How many bad requests a PASS has to bear: those that came, and one in UNSEEN more."""
    return bad + bad // UNSEEN


def _exact(*, n: int, bad: int, target: float, confidence: float) -> stats.Decision:
    """The exact rule, where a PASS has to bear more bad ones than came."""
    came = stats.decide(n=n, bad=bad, target=target, confidence=confidence)
    if came != "PASS":
        return came
    # More of a very long row may be a FAIL, which nobody saw.
    more = stats.decide(n=n, bad=min(n, reckoned(bad)), target=target, confidence=confidence)
    return "PASS" if more == "PASS" else "INCONCLUSIVE"


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
