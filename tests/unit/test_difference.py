"""How two runs differ, by formulas that others have computed."""

import math

import pytest
from scipy.stats import beta, binom, binomtest

from sealegs.judgement.difference import quantile_bounds, share_difference

# Newcombe's method 10 by the paper's own examples: good and all in B, good and all in A, bounds at 95 %.
EXAMPLES = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (10, 10, 0, 20, 0.6791, 1.0000),
]


@pytest.mark.parametrize(("good_b", "n_b", "good_a", "n_a", "low", "high"), EXAMPLES)
def test_newcombes_examples_come_out(  # noqa: PLR0917  a case's numbers
    good_b: int, n_b: int, good_a: int, n_a: int, low: float, high: float
) -> None:
    """Statistics in Medicine 17 (1998) 873, table II, to its four digits; a side at 97.5 % is his 95 %."""
    seen = share_difference(bad_a=n_a - good_a, n_a=n_a, bad_b=n_b - good_b, n_b=n_b, confidence=0.975)

    assert (seen.low, seen.high) == pytest.approx((low, high), abs=5e-5)
    assert seen.value == pytest.approx(good_b / n_b - good_a / n_a)


@pytest.mark.parametrize("confidence", [0.9, 0.975, 0.99])
@pytest.mark.parametrize(("bad_a", "n_a", "bad_b", "n_b"), [(0, 519, 34, 519), (7, 290, 0, 53), (1, 1, 0, 1)])
def test_the_interval_is_scipys_wilson_intervals_put_together(
    bad_a: int, n_a: int, bad_b: int, n_b: int, confidence: float
) -> None:
    """Squared and added, from another computation of each share's bounds; and it turns with A and B."""
    a, b = 1 - bad_a / n_a, 1 - bad_b / n_b
    of_a, of_b = (
        binomtest(n - bad, n).proportion_ci(2 * confidence - 1, method="wilson")
        for bad, n in ((bad_a, n_a), (bad_b, n_b))
    )
    seen = share_difference(bad_a=bad_a, n_a=n_a, bad_b=bad_b, n_b=n_b, confidence=confidence)
    turned = share_difference(bad_a=bad_b, n_a=n_b, bad_b=bad_a, n_b=n_a, confidence=confidence)

    assert seen.low == pytest.approx(b - a - math.hypot(b - of_b.low, of_a.high - a))
    assert seen.high == pytest.approx(b - a + math.hypot(of_b.high - b, a - of_a.low))
    assert (turned.low, turned.high) == pytest.approx((-(seen.high or 0), -(seen.low or 0)))


def test_no_requests_have_no_difference() -> None:
    """Nothing is known of a share of none."""
    assert share_difference(bad_a=0, n_a=0, bad_b=0, n_b=9, confidence=0.99).low is None
    assert quantile_bounds([], 0.5, confidence=0.99).value is None


@pytest.mark.parametrize("n", [1, 10, 78, 290, 1553])
@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
def test_each_bound_holds_as_often_as_it_says_and_is_the_tightest(n: int, q: float) -> None:
    """Coverage of an order statistic is a beta probability; one place further in would break the promise."""
    confidence = 0.99
    seen = quantile_bounds([float(place) for place in range(1, n + 1)], q, confidence=confidence)
    holds_low = [float(beta.cdf(q, place, n + 1 - place)) for place in range(1, n + 1)]
    low, high = int(seen.low or 0), int(seen.high or n + 1)

    assert all(holds_low[place - 1] >= confidence for place in range(1, low + 1))
    assert low == n or holds_low[low] < confidence
    assert high > n or 1 - holds_low[high - 1] >= confidence
    assert high == 1 or 1 - holds_low[high - 2] < confidence
    assert float(binom.cdf(high - 1, n, q)) >= confidence or high > n


def test_what_never_came_is_largest() -> None:
    """A tenth that got no first token makes the 95th percentile infinite, and leaves the median alone."""
    values = [*map(float, range(900)), *[math.inf] * 100]

    assert quantile_bounds(values, 0.95, confidence=0.99).low == math.inf
    assert quantile_bounds(values, 0.5, confidence=0.99).value == 499
