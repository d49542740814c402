"""How two runs differ: intervals of a difference of shares, and of a quantile.

Requests are taken for independent. Each bound holds by itself with the asked confidence, as everywhere here:
0.99 is a two-sided 98 % interval.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr, ndtri

from sealegs.judgement.stats import quantile


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value and where the true one lies; None where there are too few requests to say."""

    value: float | None
    low: float | None
    high: float | None


def share_difference(*, bad_a: float, n_a: float, bad_b: float, n_b: float, confidence: float) -> Estimate:
    """Share of good requests in B less that in A, by Newcombe's hybrid score interval.

    It is method 10 of R. G. Newcombe, "Interval estimation for the difference between independent
    proportions: comparison of eleven methods", Statistics in Medicine 17 (1998) 873-890: Wilson's bounds
    squared and added, without continuity correction. Counts may be what correlated requests are worth.
    """
    if not n_a or not n_b:
        return Estimate(value=None, low=None, high=None)
    a, b = 1 - bad_a / n_a, 1 - bad_b / n_b
    low_a, high_a = _wilson(a, n_a, confidence=confidence)
    low_b, high_b = _wilson(b, n_b, confidence=confidence)
    return Estimate(
        value=b - a,
        low=b - a - math.hypot(b - low_b, high_a - a),
        high=b - a + math.hypot(high_b - b, a - low_a),
    )


def _wilson(share: float, n: float, *, confidence: float) -> tuple[float, float]:
    """Wilson's score bounds of one share."""
    z = float(ndtri(confidence))
    middle = 2 * n * share + z**2
    reach = z * math.sqrt(z**2 + 4 * n * share * (1 - share))
    whole = 2 * (n + z**2)
    return max(0.0, (middle - reach) / whole), min(1.0, (middle + reach) / whole)


def quantile_bounds(values: Sequence[float], q: float, *, confidence: float) -> Estimate:
    """A quantile between two order statistics, whatever the distribution; infinite values count as largest.

    The l-th smallest is a lower bound when P(X < l) <= 1 - confidence, the u-th an upper one when
    P(X >= u) <= 1 - confidence, X being binomial of n and q: how many values lie at or below the quantile.
    """
    n = len(values)
    if not n:
        return Estimate(value=None, low=None, high=None)
    ordered = sorted(values)
    at_most = bdtr(np.arange(n, dtype=float), n, q)
    lower = int(np.searchsorted(at_most, 1 - confidence, side="right"))
    upper = int(np.searchsorted(at_most, confidence, side="left")) + 1
    return Estimate(
        value=quantile(ordered, q),
        low=ordered[lower - 1] if lower else None,
        high=ordered[upper - 1] if upper <= n else None,
    )
