"""What a fault costs of an error budget: arithmetic, decided by the rule of every objective."""

from dataclasses import fields, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.golden.make_run import made_facts

from sealegs.judgement.budget import BudgetResult, budget_of
from sealegs.judgement.facts import Interval
from sealegs.judgement.fates import Fates, fates_of
from sealegs.scenario.claim import Budget

# 99.9 % of 28 days leave 2,419.2 s.
ASKED = Budget(target=0.999, period_d=28, spent_max=0.01)
WINDOW_S = 200.0
PHASES = (
    Interval(name="baseline", start_s=0, end_s=50),
    Interval(name="fault", start_s=50, end_s=100),
    Interval(name="recovery", start_s=100, end_s=250),
)


@cache
def made() -> Fates:
    """The requests of the made-up run that passes."""
    return fates_of(made_facts("pass"))


def run(good: list[bool], *, phase: str = "recovery") -> Fates:
    """As many requests of a phase, one a second, answered or not."""
    count = len(good)
    names: dict[str, Any] = {
        field.name: np.resize(getattr(made(), field.name), count)
        for field in fields(Fates)
        if isinstance(getattr(made(), field.name), np.ndarray)
    }
    outcome = np.where(good, "ok", "http_5xx").astype(object)
    return replace(made(), **{**names, "outcome": outcome, "phase": np.full(count, phase, dtype=object)})


def judged(good: list[bool], *, phase: str = "recovery") -> BudgetResult:
    """The budget of such a run."""
    return budget_of(run(good, phase=phase), ASKED, PHASES, until_s=250)


def test_spent_is_the_share_that_failed_times_the_window_of_the_periods_budget() -> None:
    """A hundredth of the requests of 200 s failed: 2 s of 2,419.2 s."""
    found = judged([True] * 990 + [False] * 10)

    assert found.window_s == WINDOW_S
    assert found.spent == pytest.approx(2 / 2419.2)
    assert found.spent_low < 2 / 2419.2 < found.spent_high
    assert found.verdict == "PASS"


@pytest.mark.parametrize(("bad", "verdict"), [(0, "PASS"), (121, "INCONCLUSIVE"), (400, "FAIL")])
def test_more_than_may_be_spent_fails(bad: int, verdict: str) -> None:
    """1 % of the budget is 24.2 s of 200, or 12.1 % of the requests."""
    rng = np.random.default_rng(1)
    good = rng.permutation([True] * (1000 - bad) + [False] * bad)

    assert judged(list(good)).verdict == verdict


def test_other_phases_spend_nothing() -> None:
    """What failed before the fault was not the fault's doing; and without a request nothing is decided."""
    found = judged([False] * 500, phase="baseline")

    assert (found.n, found.spent, found.verdict) == (0, None, "INCONCLUSIVE")


def test_a_window_that_cannot_spend_it_shows_nothing() -> None:
    """All failed for 10 s of the 24 allowed: that is not shown to be cheap, nobody looked for longer."""
    found = budget_of(
        run([False] * 500), ASKED, (Interval(name="recovery", start_s=0, end_s=None),), until_s=10
    )

    assert found.verdict == "INCONCLUSIVE"


@settings(deadline=None)
@given(bad=st.integers(0, 299))
def test_one_more_bad_request_never_helps(bad: int) -> None:
    """More bad ones spend more, and never turn a FAIL into a PASS."""
    worth = {"FAIL": 0, "INCONCLUSIVE": 1, "PASS": 2}
    fewer = judged([True] * (300 - bad) + [False] * bad)
    more = judged([True] * (299 - bad) + [False] * (bad + 1))

    assert worth[more.verdict] <= worth[fewer.verdict]
    assert (more.spent or 0) > (fewer.spent or 0)


def test_a_result_holds_every_number_it_rests_on() -> None:
    """Rounded as they are shown; bounds by good shares of 0.599770 and 0.729059, Clopper-Pearson at 0.99."""
    asked = Budget(target=0.9973, period_d=28, spent_max=0.02)
    phases = (
        Interval(name="baseline", start_s=0, end_s=50.1234567),
        Interval(name="fault", start_s=50.1234567, end_s=100.7),
        Interval(name="recovery", start_s=100.7, end_s=None),
    )

    found = budget_of(run([True] * 40 + [False] * 100 + [True] * 160), asked, phases, until_s=401.2345678)

    assert found == BudgetResult(
        verdict="INCONCLUSIVE",
        why="thin",
        target=0.9973,
        period_d=28,
        window_s=351.111111,
        n=300,
        bad=100,
        effective_n=21,
        spent=0.017917928,
        spent_low=0.014564098,
        spent_high=0.021513894,
        spent_max=0.02,
        request_ids=tuple(f"r0000{number}" for number in range(40, 60)),
        detail="100 bad of 300 in 351 s spent 1.792% of the budget of 0.9973 over 28 days, at most 2.000%",
    )


def test_an_outage_after_the_fault_decides_though_it_is_one_clump() -> None:
    """The exact FAIL stands alone after a fault; a PASS that batch means do not bear out is correlated."""
    failed = judged([True] * 300 + [False] * 400 + [True] * 300)
    withheld = judged([True] * 450 + [False] * 80 + [True] * 470)

    assert (failed.verdict, failed.why) == ("FAIL", None)
    assert (withheld.verdict, withheld.why) == ("INCONCLUSIVE", "correlated")


@pytest.mark.parametrize(
    ("window_s", "good"), [(0.0, [False] * 10), (21_600.0, [True] * 100), (21_599.0, [True] * 100)]
)
def test_a_window_of_no_more_than_what_is_allowed_is_thin(window_s: float, good: list[bool]) -> None:
    """Half of a budget of twelve hours: in the six that this is, not even all failed would spend more."""
    asked = Budget(target=0.5, period_d=1, spent_max=0.5)
    found = budget_of(
        run(good), asked, (Interval(name="fault", start_s=0, end_s=window_s),), until_s=window_s
    )

    assert (found.verdict, found.why, found.effective_n) == ("INCONCLUSIVE", "thin", len(good))


def test_without_a_request_nothing_is_said_to_be_spent() -> None:
    """Neither nothing nor all of it."""
    told = judged([False] * 5, phase="baseline").detail

    assert told == "no request tells what was spent of the budget of 0.999 over 28 days"
