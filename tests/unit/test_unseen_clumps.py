"""The guard against clumps that the limit does not show: those that did not come, and those below it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.flag_rows import CLOSENESS, RULE, TARGETS, asked, eased, row, rows

from sealegs.judgement.correlation import Flags, guarded, reckoned
from sealegs.judgement.stats import bad_max, decide, requests_min

# So many, all good, PASS.
ENOUGH = 90
CLOSE = (*range(100, 130), *range(300, 330))


@pytest.mark.parametrize(
    ("n", "most", "exact"), [(250, 4, 4), (500, 12, 13), (925, 28, 31), (1000, 31, 34), (3000, 110, 122)]
)
@pytest.mark.parametrize("disturbed", [False, True])
def test_a_pass_bears_a_ninth_more_than_came(n: int, most: int, exact: int, *, disturbed: bool) -> None:
    """Strewn evenly. One more than that is thin, not correlated: more requests of the same load decide it."""
    assert bad_max(n=n, target=0.95, confidence=0.99) == exact
    for bad, said in ((most, ("PASS", None)), (most + 1, ("INCONCLUSIVE", "thin"))):
        strewn = row(n, *(number * n // bad for number in range(bad)))
        found = asked(strewn, disturbed=disturbed)
        assert (found.verdict, found.why) == said


def test_a_very_long_row_that_would_fail_with_a_ninth_more_did_not_fail() -> None:
    """Of 100,000 the exact rule passes 4,839; with a ninth more it would FAIL what is within the budget."""
    found = asked(row(100_000, *range(0, 96_000, 20)), disturbed=True)

    assert decide(n=100_000, bad=reckoned(4_800), **RULE) == "FAIL"
    assert (found.verdict, found.why) == ("INCONCLUSIVE", "thin")


def test_a_pass_of_nearly_all_bad_is_thin_where_there_is_no_ninth_more() -> None:
    """Of 200 at 0.05, 181 bad PASS by the exact rule; a ninth more than that does not exist."""
    assert decide(n=200, bad=181, target=0.05, confidence=0.99) == "PASS"
    found = guarded(~row(200, *range(0, 190, 10)), target=0.05, confidence=0.99, disturbed=True)

    assert (found.verdict, found.why) == ("INCONCLUSIVE", "thin")


@pytest.mark.parametrize("target", [0.5, 0.9, 0.95, 0.985, 0.999])
def test_what_is_enough_stays_enough(target: float) -> None:
    """As many as a scenario must plan for, all good, PASS; and with as many bad as that allows, reckoned."""
    fewest = requests_min(target=target, confidence=0.99)
    assert guarded(row(fewest), target=target, confidence=0.99, disturbed=False).verdict == "PASS"

    for bad in (5, 10, 29):
        n = requests_min(target=target, confidence=0.99, bad=reckoned(bad))
        strewn = row(n, *(number * n // bad for number in range(bad)))
        assert guarded(strewn, target=target, confidence=0.99, disturbed=False).verdict == "PASS"


@pytest.mark.parametrize(
    ("bad", "close", "disturbed", "verdict", "why"),
    [
        ((), (), False, "PASS", None),
        ((), range(0, 600, 10), False, "PASS", None),
        ((), CLOSE, False, "INCONCLUSIVE", "correlated"),
        ((), CLOSE, True, "PASS", None),
        (range(0, 600, 60), CLOSE, False, "INCONCLUSIVE", "correlated"),
        (range(0, 600, 10), CLOSE, False, "FAIL", None),
    ],
)
def test_clumps_below_the_limit_speak_against_a_pass_only(
    bad: range, close: range, verdict: str, why: str | None, *, disturbed: bool
) -> None:
    """Of 600: sixty beyond half the limit, strewn or in two clumps, leave 600 or 25 effective.

    After a fault they are the fault's, and no latency excuses a FAIL.
    """
    good = row(600, *bad)
    found = asked(good, disturbed=disturbed, at_half=good & row(600, *close))

    assert (found.verdict, found.why) == (verdict, why)
    if why:
        assert found.effective_n < ENOUGH
    else:
        assert found.effective_n == 600


@pytest.mark.parametrize(("bad", "verdict"), [(15, "PASS"), (25, "PASS"), (27, "INCONCLUSIVE")])
def test_what_clumps_below_the_limit_leave_effective_can_still_pass(bad: int, verdict: str) -> None:
    """1,500 with sixty clumps of five beyond half the limit are worth 244, which pass with four bad ones.

    27 bad, and three more for clumps unseen, are five of 244.
    """
    clumps = np.random.default_rng(7).permutation(np.arange(300) < 60)
    good = row(1500, *(number * 1500 // bad for number in range(bad)))
    found = asked(good, disturbed=False, at_half=~np.repeat(clumps, 5))

    assert bad_max(n=244, target=0.95, confidence=0.99) == 4
    assert asked(good, disturbed=False).verdict == "PASS"
    assert found.verdict == verdict
    assert found.effective_n == 244


@given(rows(), st.integers(0, 2**32), CLOSENESS, TARGETS, st.booleans())
@settings(max_examples=80, deadline=None)
def test_latencies_only_withhold_a_pass(
    good: Flags,
    seed: int,
    close: float,
    target: float,
    disturbed: bool,  # noqa: FBT001 - drawn
) -> None:
    """A verdict without them that they change was a PASS, of a phase that no fault had struck."""
    at_half = eased(good, seed, close)
    plain = guarded(good, target=target, confidence=0.99, disturbed=disturbed)
    found = guarded(good, target=target, confidence=0.99, disturbed=disturbed, at_half=at_half)

    assert found.effective_n <= plain.effective_n
    if found.verdict != plain.verdict:
        assert (plain.verdict, found.verdict, found.why) == ("PASS", "INCONCLUSIVE", "correlated")
        assert not disturbed
