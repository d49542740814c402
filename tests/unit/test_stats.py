"""The statistical rule against published numbers, an independent implementation, and its own properties."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binomtest

from sealegs.judgement.stats import bad_max, decide, good_share_bounds, more_needed, quantile, requests_min

WORST_LAST = ("PASS", "INCONCLUSIVE", "FAIL")
targets = st.sampled_from([0.5, 0.9, 0.95, 0.985, 0.99, 0.999])
confidences = st.sampled_from([0.9, 0.95, 0.99])


@st.composite
def counts(draw: st.DrawFn, *, n_max: int = 3000) -> tuple[int, int]:
    """Requests and how many of them were bad."""
    n = draw(st.integers(0, n_max))
    return n, draw(st.integers(0, n))


@pytest.mark.parametrize(
    ("target", "confidence", "none_bad", "one_bad"),
    [
        (0.90, 0.95, 29, 46),
        (0.95, 0.95, 59, 93),
        (0.99, 0.95, 299, 473),
        (0.999, 0.95, 2995, 4742),
        (0.90, 0.99, 44, 64),
        (0.95, 0.99, 90, 130),
        (0.99, 0.99, 459, 662),
        (0.999, 0.99, 4603, 6636),
    ],
)
def test_fewest_requests_are_the_published_ones(
    target: float, confidence: float, none_bad: int, one_bad: int
) -> None:
    """MLPerf's early-stopping table (its one-bad column at 0.99), and the rule of three and its kin."""
    assert requests_min(target=target, confidence=confidence) == none_bad
    assert requests_min(target=target, confidence=confidence, bad=1) == one_bad


@pytest.mark.parametrize(
    ("n", "target", "passes", "fails"),
    [
        (100, 0.90, 3, 19),
        (100, 0.95, 0, 12),
        (100, 0.99, None, 5),
        (100, 0.999, None, 2),
        (300, 0.90, 18, 44),
        (300, 0.95, 6, 25),
        (300, 0.99, None, 9),
        (300, 0.999, None, 3),
        (1000, 0.90, 78, 124),
        (1000, 0.95, 34, 68),
        (1000, 0.99, 2, 19),
        (1000, 0.999, None, 5),
        (3000, 0.90, 261, 340),
        (3000, 0.95, 122, 179),
        (3000, 0.99, 17, 44),
        (3000, 0.999, None, 9),
        (10000, 0.90, 930, 1071),
        (10000, 0.95, 449, 552),
        (10000, 0.99, 77, 125),
        (10000, 0.999, 2, 19),
    ],
)
def test_both_edges_are_where_they_were_computed_before(
    n: int, target: float, passes: int | None, fails: int
) -> None:
    """PASS up to one count, FAIL from another, INCONCLUSIVE between, at confidence 0.99."""
    rule = {"target": target, "confidence": 0.99}

    assert bad_max(n=n, **rule) == passes
    if passes is not None:
        assert decide(n=n, bad=passes, **rule) == "PASS"
        assert decide(n=n, bad=passes + 1, **rule) == "INCONCLUSIVE"
    assert decide(n=n, bad=fails - 1, **rule) != "FAIL"
    assert decide(n=n, bad=fails, **rule) == "FAIL"


@given(counts(), targets, confidences)
@settings(max_examples=100, deadline=None)
def test_an_independent_implementation_agrees(
    counted: tuple[int, int], target: float, confidence: float
) -> None:
    """The exact binomial test of scipy, asked in both directions, decides the same."""
    n, bad = counted
    expected = "INCONCLUSIVE"
    if n:
        if binomtest(bad, n, 1 - target, alternative="less").pvalue < 1 - confidence:
            expected = "PASS"
        elif binomtest(bad, n, 1 - target, alternative="greater").pvalue < 1 - confidence:
            expected = "FAIL"

    assert decide(n=n, bad=bad, target=target, confidence=confidence) == expected


def test_thousands_of_counts_decide_as_their_clopper_pearson_bounds() -> None:
    """PASS and FAIL are those of scipy's exact intervals, drawn near the edges as well as anywhere.

    `proportion_ci` takes one count at a time; the same bounds as quantiles of the beta distribution take all,
    and agree with it where both are asked. Bounds that are the target itself, as of 2 bad of 2 at 0.9 and
    0.99, are left out: there rounding decides.
    """
    dice = np.random.default_rng(5)
    rule = list(product([0.5, 0.9, 0.95, 0.985, 0.99, 0.999], [0.9, 0.95, 0.99]))
    target, confidence = np.tile(np.array(rule), (400, 1)).T
    n = np.rint(10 ** dice.uniform(0, 4, len(target))).astype(int)
    near = np.rint(n * (1 - target) + dice.normal(0, 3, len(n)) * np.sqrt(n * target * (1 - target)))
    bad = np.clip(np.where(dice.random(len(n)) < 0.8, near, dice.integers(0, n + 1)), 0, n).astype(int)
    low = np.where(bad < n, beta.ppf(1 - confidence, n - bad, bad + 1), 0.0)
    high = np.where(bad > 0, beta.ppf(confidence, n - bad + 1, bad), 1.0)

    clear = np.minimum(abs(low - target), abs(high - target)) > 1e-12
    expected = np.select([low > target, high < target], ["PASS", "FAIL"], "INCONCLUSIVE")[clear].tolist()
    cases = list(zip(*(one[clear].tolist() for one in (n, bad, target, confidence)), strict=True))
    assert [decide(n=a, bad=b, target=c, confidence=d) for a, b, c, d in cases] == expected
    assert min(expected.count(word) for word in WORST_LAST) > 800
    for index in range(0, len(cases), 120):
        a, b, _, d = cases[index]
        above, below = (
            binomtest(a - b, a, alternative=side).proportion_ci(d, "exact") for side in ("greater", "less")
        )
        assert (above.low, below.high) == pytest.approx((low[clear][index], high[clear][index]), abs=1e-9)


@given(counts(), targets, confidences)
@settings(max_examples=60, deadline=None)
def test_one_more_bad_request_never_helps(counted: tuple[int, int], target: float, confidence: float) -> None:
    """Turning a good request into a bad one moves a verdict only towards FAIL."""
    n, bad = counted
    before = decide(n=n, bad=bad, target=target, confidence=confidence)
    after = decide(n=n, bad=min(n, bad + 1), target=target, confidence=confidence)

    assert WORST_LAST.index(after) >= WORST_LAST.index(before)


@given(counts(), targets, confidences)
@settings(max_examples=60, deadline=None)
def test_one_more_good_request_never_hurts(
    counted: tuple[int, int], target: float, confidence: float
) -> None:
    """A further good request moves a verdict only towards PASS."""
    n, bad = counted
    before = decide(n=n, bad=bad, target=target, confidence=confidence)
    after = decide(n=n + 1, bad=bad, target=target, confidence=confidence)

    assert WORST_LAST.index(after) <= WORST_LAST.index(before)


@given(counts(), targets, confidences)
@settings(max_examples=60, deadline=None)
def test_the_bounds_decide_as_the_test_does(
    counted: tuple[int, int], target: float, confidence: float
) -> None:
    """PASS is the lower bound above the target, FAIL the upper bound below it, and the share lies between."""
    n, bad = counted
    bounds = good_share_bounds(n=n, bad=bad, confidence=confidence)
    verdict = decide(n=n, bad=bad, target=target, confidence=confidence)

    assert (verdict == "PASS") == (bounds.low > target)
    assert (verdict == "FAIL") == (bounds.high < target)
    if n:
        assert bounds.low <= 1 - bad / n <= bounds.high


@given(counts(n_max=500), st.sampled_from([0.9, 0.95, 0.99]))
@settings(max_examples=40, deadline=None)
def test_the_requests_said_to_be_needed_are_enough_and_not_too_many(
    counted: tuple[int, int], target: float
) -> None:
    """With that many more good requests it is a PASS; with one fewer it is not."""
    n, bad = counted
    more = more_needed(n=n, bad=bad, target=target, confidence=0.99)

    assert decide(n=n + more, bad=bad, target=target, confidence=0.99) == "PASS"
    if more:
        assert decide(n=n + more - 1, bad=bad, target=target, confidence=0.99) != "PASS"


def test_no_requests_decide_nothing() -> None:
    """k6 and krkn pass without data; here it is never a pass, and the bounds say that nothing is known."""
    assert decide(n=0, bad=0, target=0.5, confidence=0.5) == "INCONCLUSIVE"
    assert good_share_bounds(n=0, bad=0, confidence=0.99).low == 0
    assert good_share_bounds(n=0, bad=0, confidence=0.99).high == 1


@pytest.mark.parametrize(("n", "bad"), [(5, 6), (5, -1), (-1, 0)])
def test_impossible_counts_are_refused(n: int, bad: int) -> None:
    """More bad requests than requests is a mistake of the caller, not thin evidence."""
    with pytest.raises(ValueError, match="bad of"):
        decide(n=n, bad=bad, target=0.9, confidence=0.99)


@pytest.mark.parametrize(
    ("values", "q", "expected"),
    [([], 0.5, None), ([3.0], 0.99, 3.0), ([4.0, 1.0, 3.0, 2.0], 0.5, 2.0), ([1.0, 2.0], 0.51, 2.0)],
)
def test_a_quantile_is_one_of_the_values(values: list[float], q: float, expected: float | None) -> None:
    """No interpolation: at least the asked share of the values is at or below it."""
    assert quantile(values, q) == expected


@pytest.mark.parametrize("bad", [0, 1])
def test_what_is_exactly_as_rare_as_the_confidence_allows_decides_nothing(bad: int) -> None:
    """One request at one half, good or bad, has the chance 0.5: not below 1 - 0.5."""
    assert decide(n=1, bad=bad, target=0.5, confidence=0.5) == "INCONCLUSIVE"


@pytest.mark.parametrize("n", [1, 7, 300])
def test_all_good_and_all_bad_are_the_ends_of_the_rule(n: int) -> None:
    """All good never FAIL and all bad never PASS, at whatever target and confidence."""
    for target, confidence in product([1e-9, 0.5, 1 - 1e-9], [0.5, 1 - 1e-9]):
        assert decide(n=n, bad=0, target=target, confidence=confidence) != "FAIL"
        assert decide(n=n, bad=n, target=target, confidence=confidence) != "PASS"
