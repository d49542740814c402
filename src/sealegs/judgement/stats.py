"""The one statistical rule of every verdict: an exact one-sided binomial test, looked at once.

For a target share of good requests, a confidence c, n requests and k bad ones among them:
PASS when P(X <= k | n, 1 - target) < 1 - c: a system exactly at its limit would rarely look this good;
FAIL when P(X >= k | n, 1 - target) < 1 - c: it would rarely look this bad; INCONCLUSIVE otherwise.
It is the rule of MLPerf LoadGen's early stopping, and the same as comparing a Clopper-Pearson bound with the
target.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import Literal

from scipy.special import betainc, betaincinv

Decision = Literal["PASS", "FAIL", "INCONCLUSIVE"]


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Where the true share of good requests lies; each side holds by itself with the asked confidence."""

    low: float
    high: float


def decide(*, n: int, bad: int, target: float, confidence: float) -> Decision:
    """Whether `bad` of `n` shows the share of good requests above, below or on no side of the target.

    No requests decide nothing.
    """
    _refuse_impossible(n=n, bad=bad)
    if _at_most(bad, n=n, p=1 - target) < 1 - confidence:
        return "PASS"
    if _at_least(bad, n=n, p=1 - target) < 1 - confidence:
        return "FAIL"
    return "INCONCLUSIVE"


def _at_most(k: int, *, n: int, p: float) -> float:
    """P(X <= k) of a binomial, as a regularised incomplete beta function."""
    return float(betainc(n - k, k + 1, 1 - p)) if k < n else 1.0


def _at_least(k: int, *, n: int, p: float) -> float:
    """P(X >= k) of a binomial."""
    return float(betainc(k, n - k + 1, p)) if k > 0 else 1.0


def good_share_bounds(*, n: int, bad: int, confidence: float) -> Bounds:
    """Clopper-Pearson bounds of the share of good requests, each one-sided at `confidence`."""
    _refuse_impossible(n=n, bad=bad)
    good = n - bad
    low = float(betaincinv(good, bad + 1, 1 - confidence)) if good else 0.0
    high = float(betaincinv(good + 1, bad, confidence)) if bad else 1.0
    return Bounds(low=low, high=high)


def requests_min(*, target: float, confidence: float, bad: int = 0) -> int:
    """Fewest requests with which `bad` bad ones still pass. None bad: ln(1 - c) / ln(target), rounded up."""
    low, high = bad, bad + 1
    while decide(n=high, bad=bad, target=target, confidence=confidence) != "PASS":
        low, high = high, 2 * high
    return (
        low
        + 1
        + bisect_left(
            range(low + 1, high),
            True,  # noqa: FBT003  the first length at which it holds
            key=lambda n: decide(n=n, bad=bad, target=target, confidence=confidence) == "PASS",
        )
    )


def more_needed(*, n: int, bad: int, target: float, confidence: float) -> int:
    """How many further requests, all good, would have made this a PASS; 0 when it is one."""
    return max(0, requests_min(target=target, confidence=confidence, bad=bad) - n)


def bad_max(*, n: int, target: float, confidence: float) -> int | None:
    """Most bad requests with which `n` still pass; None when even none bad would not."""
    if decide(n=n, bad=0, target=target, confidence=confidence) != "PASS":
        return None
    return bisect_left(
        range(1, n),
        True,  # noqa: FBT003  as above
        key=lambda bad: decide(n=n, bad=bad, target=target, confidence=confidence) != "PASS",
    )


def quantile(values: list[float], q: float) -> float | None:
    """The smallest value that at least a share `q` of the values do not exceed; None of no values."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(q * len(values)) - 1)]


def _refuse_impossible(*, n: int, bad: int) -> None:
    """Counts that cannot be are a mistake of the caller, not thin evidence."""
    if not 0 <= bad <= n:
        raise ValueError(f"{bad} bad of {n} requests")
