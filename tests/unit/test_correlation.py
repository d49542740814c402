"""The guard against clumps: what it withholds, what it leaves alone, and the words it gives for that."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, t
from tests.unit.flag_rows import CLOSENESS, RULE, TARGETS, asked, eased, row, rows

from sealegs.judgement.correlation import Flags, guarded, spread
from sealegs.judgement.stats import decide, requests_min

SHORTEST = 100


@pytest.mark.parametrize(
    ("bad", "steady", "disturbed"),
    [
        (range(100, 101), "PASS", "PASS"),
        (range(100, 102), "PASS", "PASS"),
        (range(103, 106), "INCONCLUSIVE", "PASS"),
        (range(103, 107), "INCONCLUSIVE", "INCONCLUSIVE"),
        (range(0, 256, 64), "PASS", "PASS"),
        (range(100, 123), "INCONCLUSIVE", "FAIL"),
        (range(100, 200), "INCONCLUSIVE", "FAIL"),
        (range(0, 256, 8), "FAIL", "FAIL"),
    ],
)
def test_a_clump_is_worth_less_than_its_number(bad: range, steady: str, disturbed: str) -> None:
    """Of 256 requests. Strewn bad ones decide as the exact rule does; an outage does after a fault."""
    good = row(256, *bad)

    assert asked(good, disturbed=False).verdict == steady
    assert asked(good, disturbed=True).verdict == disturbed


@pytest.mark.parametrize(
    ("n", "bad", "why"),
    [
        (50, range(0), "thin"),
        (80, range(40, 42), "thin"),
        (256, range(0, 250, 50), "thin"),
        (256, range(103, 108), "correlated"),
        (256, range(103, 107), "correlated"),
        (300, range(100, 150), "correlated"),
    ],
)
def test_it_says_why_nothing_is_decided(n: int, bad: range, why: str) -> None:
    """More requests of the same load cure "thin"; they cure "correlated" only when they are many more."""
    found = asked(row(n, *bad), disturbed=False)

    assert (found.verdict, found.why) == ("INCONCLUSIVE", why)


def test_too_few_to_pass_are_thin_clumped_or_not() -> None:
    """At 0.99 not even 300 good ones pass: first of all they are too few."""
    found = guarded(row(300, *range(100, 106)), target=0.99, confidence=0.99, disturbed=False)

    assert (found.verdict, found.why) == ("INCONCLUSIVE", "thin")


def test_a_pass_is_withheld_by_its_bound_though_it_is_worth_enough() -> None:
    """Six outages in 3,000 requests, 102 bad: the exact rule, which passes up to 110, sees no six."""
    bad = [start + number for start in range(100, 2500, 400) for number in range(17)]
    found = asked(row(3000, *bad), disturbed=True)

    assert (found.verdict, found.why) == ("INCONCLUSIVE", "correlated")
    assert found.effective_n == pytest.approx(231, abs=1)


def test_a_fail_is_withheld_by_its_bound_though_it_is_worth_enough() -> None:
    """Ten outages in 3,000 requests, 200 bad: the exact rule, which fails from 179, sees no ten."""
    good = row(3000, *(start + number for start in range(0, 3000, 300) for number in range(20)))
    found = asked(good, disturbed=False)

    assert (found.verdict, found.why) == ("INCONCLUSIVE", "correlated")
    assert found.effective_n == pytest.approx(266, abs=1)
    assert asked(good, disturbed=True).verdict == "FAIL"


def test_good_and_bad_mirror_each_other() -> None:
    """Also in batches of five and six, where a batch of all bad has no deviation from a row of all bad."""
    seen, mirrored = (spread(one, confidence=0.99) for one in (row(110, 3), ~row(110, 3)))

    assert seen is not None
    assert mirrored is not None
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((seen.low, seen.high))
    assert mirrored.effective_n == pytest.approx(seen.effective_n)


@pytest.mark.parametrize("clump", [1, 2, 5, 10])
def test_requests_that_go_bad_in_clumps_are_worth_one_a_clump(clump: int) -> None:
    """2,000 made of clumps of equal fate are worth about 2,000 / clump, on average over many."""
    dice = np.random.default_rng(7)
    fates = dice.random((400, 2000 // clump)) >= 0.1
    seen = [spread(np.repeat(good, clump), confidence=0.5) for good in fates]
    design_effects = [2000 / one.effective_n for one in seen if one]

    # At confidence 0.5 half of the design effects of independent requests are above their median of 0.97.
    assert np.mean(design_effects) == pytest.approx(clump, rel=0.2)


@pytest.mark.parametrize("n", [100, 119, 250, 1000])
def test_independent_requests_are_worth_their_number(n: int) -> None:
    """Chance clumps a little, and is taken for correlation one time in a hundred or so."""
    dice = np.random.default_rng(7)
    seen = [spread(dice.random(n) >= 0.1, confidence=0.99) for _ in range(1000)]

    assert sum(one is not None and one.effective_n < n for one in seen) <= 20


def test_bounds_hold_as_often_as_they_say() -> None:
    """Each side misses the true share about one time in twenty at 0.95, also when n makes unequal batches."""
    dice = np.random.default_rng(7)
    seen = [spread(dice.random(1013) >= 0.2, confidence=0.95) for _ in range(2000)]

    assert sum(one is not None and one.low > 0.8 for one in seen) == pytest.approx(100, abs=35)
    assert sum(one is not None and one.high < 0.8 for one in seen) == pytest.approx(100, abs=35)


@pytest.mark.parametrize("good", [row(0), row(SHORTEST - 1, 3), row(500), ~row(500)])
def test_too_few_or_all_alike_show_no_spread(good: Flags) -> None:
    """There the exact rule stands alone, and every request counts for one."""
    alone = decide(n=len(good), bad=int((~good).sum()), **RULE)

    assert spread(good, confidence=0.99) is None
    for disturbed in (False, True):
        found = asked(good, disturbed=disturbed)
        assert (found.verdict, found.effective_n) == (alone, len(good))
    assert spread(row(SHORTEST, 3), confidence=0.99) is not None


@given(rows(), st.integers(0, 2**32), CLOSENESS, TARGETS, st.booleans())
@settings(max_examples=80, deadline=None)
def test_the_guard_only_withholds(
    good: Flags,
    seed: int,
    close: float,
    target: float,
    disturbed: bool,  # noqa: FBT001 - drawn
) -> None:
    """What it decides the exact rule decided so; it adds no request, and gives a reason for doubt."""
    exact = decide(n=len(good), bad=int((~good).sum()), target=target, confidence=0.99)
    at_half = eased(good, seed, close)
    found = guarded(good, target=target, confidence=0.99, disturbed=disturbed, at_half=at_half)

    assert found.verdict in (exact, "INCONCLUSIVE")
    assert (found.why is None) == (found.verdict != "INCONCLUSIVE")
    assert found.effective_n <= len(good)
    if disturbed and exact == "FAIL":
        assert found.verdict == "FAIL"
    if len(good) == 0:
        assert found.verdict == "INCONCLUSIVE"


@given(rows(), st.integers(0, 2**32), CLOSENESS, TARGETS, st.booleans())
@settings(max_examples=80, deadline=None)
def test_more_bad_never_turns_a_fail_into_a_pass(
    good: Flags,
    seed: int,
    close: float,
    target: float,
    disturbed: bool,  # noqa: FBT001 - drawn
) -> None:
    """Nor does it make a PASS of what the exact rule did not pass."""
    worse = good & (np.random.default_rng(seed).random(len(good)) >= 0.03)
    before, after = (
        guarded(
            one, target=target, confidence=0.99, disturbed=disturbed, at_half=eased(one, seed, close)
        ).verdict
        for one in (good, worse)
    )

    assert (before, after) != ("FAIL", "PASS")
    if decide(n=len(good), bad=int((~good).sum()), target=target, confidence=0.99) != "PASS":
        assert after != "PASS"


@given(rows(), st.integers(0, 2**32), TARGETS)
@settings(max_examples=80, deadline=None)
def test_order_moves_a_decision_only_to_or_from_doubt(good: Flags, seed: int, target: float) -> None:
    """The exact rule sees no order; the guard does, and can at most withhold: never PASS for FAIL."""
    shuffled = np.random.default_rng(seed).permutation(good)
    first, second = (
        guarded(one, target=target, confidence=0.99, disturbed=False).verdict for one in (good, shuffled)
    )

    assert {first, second} != {"PASS", "FAIL"}
    if len(good) < SHORTEST:
        assert first == second


def test_bounds_are_those_of_the_means_of_the_batches() -> None:
    """Student's t with 19 degrees of freedom, of 20 batches of ten, as a textbook has it."""
    bad_ones = [number % 4 for number in range(20)]
    good = np.concatenate([row(10, *range(bad)) for bad in bad_ones])
    means = 1 - np.array(bad_ones) / 10
    reach = t.ppf(0.99, 19) * means.std(ddof=1) / 20**0.5

    seen = spread(good, confidence=0.99)

    assert seen is not None
    assert (seen.low, seen.high) == pytest.approx((means.mean() - reach, means.mean() + reach), rel=1e-12)


@pytest.mark.parametrize(
    ("bad_ones", "design_effect"), [((1, 2, 3, 2, 2), None), ((3, 2, 2, 2, 2), 1.918938761)]
)
def test_clumps_are_what_chance_makes_one_time_in_a_hundred(
    bad_ones: tuple[int, ...], design_effect: float | None
) -> None:
    """Chi-squared of 19 degrees over 19 is 1.9048 at 0.99: 1.8837 is chance, 1.9189 is not."""
    good = np.concatenate([row(10, *range(bad)) for bad in bad_ones] + [row(150)])

    seen = spread(good, confidence=0.99)

    assert chi2.ppf(0.99, 19) / 19 == pytest.approx(1.9048, abs=1e-4)
    assert seen is not None
    assert seen.effective_n == pytest.approx(200 / (design_effect or 1))


def test_a_bound_that_is_the_target_itself_bears_out_nothing() -> None:
    """The guard is as strict as the rule: above the target to PASS, below it to FAIL."""
    clumped = row(600, *range(100, 110), *range(300, 310))
    strewn = np.random.default_rng(1).random(1000) >= 0.2
    seen = spread(clumped, confidence=0.99)
    wide = spread(strewn, confidence=0.99)
    assert seen is not None
    assert wide is not None

    for target, said in ((seen.low, "INCONCLUSIVE"), (seen.low - 1e-9, "PASS")):
        assert guarded(clumped, target=target, confidence=0.99, disturbed=True).verdict == said
    for target, said in ((wide.high, "INCONCLUSIVE"), (wide.high + 1e-9, "FAIL")):
        assert guarded(strewn, target=target, confidence=0.99, disturbed=False).verdict == said


def test_just_enough_is_enough() -> None:
    """At 0.95, 90 good requests pass: also 90 that four clumps beyond half the limit leave of 1,200."""
    close = row(1200, *(start + number for start in range(0, 800, 200) for number in range(15)))
    found = asked(row(1200), disturbed=False, at_half=close)

    assert (found.verdict, found.effective_n) == ("PASS", 90)


@pytest.mark.parametrize(("n", "why"), [(304, "thin"), (305, "correlated")])
def test_clumps_are_the_reason_from_where_as_many_good_ones_would_pass(n: int, why: str) -> None:
    """At 0.985 those are 305; one bad of so few decides nothing, clumps or not."""
    close = row(n, *range(100, 130))
    found = guarded(row(n, 200), target=0.985, confidence=0.99, disturbed=False, at_half=close)

    assert requests_min(target=0.985, confidence=0.99) == 305
    assert (found.verdict, found.why) == ("INCONCLUSIVE", why)


def test_too_few_to_pass_can_be_enough_to_fail() -> None:
    """Thirty bad ones of thirty are alike, and no clump."""
    found = asked(~row(30), disturbed=False)

    assert (found.verdict, found.why, found.effective_n) == ("FAIL", None, 30)
