"""Counting: every eligible request is counted, and whatever is not known to be good is bad."""

import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.made_fates import PHASES, fates, planned, row

from sealegs.judgement.slo import ObjectiveResult, decide, phase_counts
from sealegs.scenario.claim import Objective

SUCCESS = Objective(name="s", sli="success", phase="run", target=0.9)
TTFT = Objective(name="t", sli="ttft", phase="run", limit_s=1.0, target=0.9)


def bad(result: ObjectiveResult) -> tuple[int, int, tuple[str, ...]]:
    """The numbers a verdict rests on."""
    return result.n, result.bad, result.request_ids


@pytest.mark.parametrize("objective", [SUCCESS, TTFT])
@pytest.mark.parametrize(
    "outcome",
    [
        "http_5xx",
        "refused",
        "cut_fin",
        "no_finish",
        "cut_by_us",
        "cap_refused",
        "never_sent",
        "deadline_total",
    ],
)
def test_any_outcome_but_ok_is_bad(objective: Objective, outcome: str) -> None:
    """Goodput of the survivors hides failures; here each failed request is bad in every objective."""
    seen = fates(planned(11, 12), row("r0", 11), row("r1", 12, outcome=outcome))

    assert bad(decide(seen, objective)) == (2, 1, ("r1",))


@pytest.mark.parametrize("objective", [SUCCESS, TTFT])
def test_a_request_without_a_row_is_bad(objective: Objective) -> None:
    """A killed load process is a hole, not silence."""
    seen = fates(planned(11, 12), row("r0", 11))

    assert bad(decide(seen, objective)) == (2, 1, ("r1",))
    assert phase_counts(seen, PHASES)[1].outcomes == {"hole": 1, "ok": 1}
    assert phase_counts(seen, PHASES)[1].sent == 1


@pytest.mark.parametrize(
    ("first_token_s", "is_bad"), [(12.0, False), (12.000001, True), (None, True), (math.nan, True)]
)
def test_time_to_first_token_counts_from_the_intended_time(
    first_token_s: float | None, *, is_bad: bool
) -> None:
    """Sent late and answered at once is late; no first token, or one that is no number, is bad."""
    seen = fates(planned(11), row("r0", 11, sent_s=11.9, first_token_s=first_token_s))

    assert decide(seen, TTFT).bad == is_bad
    assert decide(seen, SUCCESS).bad == 0


@pytest.mark.parametrize(
    ("sli", "limit_s", "changes", "is_bad"),
    [
        ("tpot", 0.05, {"last_token_s": 11.95}, False),
        ("tpot", 0.05, {"last_token_s": 11.96}, True),
        ("tpot", 0.05, {"tokens_received": 1, "last_token_s": 11.5}, False),
        ("tpot", 0.05, {"last_token_s": 11.6, "outcome": "abort"}, True),
        ("gap", 1.0, {"gap_s_max": 1.0}, False),
        ("gap", 1.0, {"gap_s_max": 1.1}, True),
        ("gap", 1.0, {"gap_s_max": 0.1, "outcome": "stall"}, True),
        ("e2e", 2.0, {"end_s": 13.0}, False),
        ("e2e", 2.0, {"end_s": 13.1}, True),
        ("e2e", 2.0, {"end_s": None, "outcome": "http_5xx"}, True),
    ],
)
def test_each_limit_is_of_its_own_time(
    sli: str, limit_s: float, changes: dict[str, Any], *, is_bad: bool
) -> None:
    """Ten tokens from 11.5 s on; a failed request is bad by every limit, however fast it failed."""
    seen = fates(planned(11), row("r0", 11, **changes))

    objective = Objective(name="x", sli=sli, phase="run", limit_s=limit_s, target=0.9)
    assert decide(seen, objective).bad == is_bad


def test_slices_of_time_are_counted_where_an_objective_has_them() -> None:
    """A slice is good with enough good requests; the last, which is not whole, and an empty one are none."""
    times_s = [10 + second / 4 for second in range(20)] + [18.0, 18.5, 19.0, 19.4]
    lost = {f"r{index}" for index in (4, 5, 8, 21)}
    rows = [
        row(f"r{index}", t_s, outcome="http_5xx" if f"r{index}" in lost else "ok")
        for index, t_s in enumerate(times_s)
    ]
    sliced = Objective(name="s", sli="success", phase="baseline", target=0.9, slice_s=1.0, slice_share=0.75)

    found = decide(fates(planned(*times_s), *rows), sliced)

    # Slices 10 to 15 hold four each, 15 to 18 none, 18 holds two of which one is lost, 19 is not whole.
    assert (found.n, found.bad) == (6, 2)
    assert found.request_ids == ("r4", "r5", "r8", "r21")


def test_the_run_is_everything_after_warmup() -> None:
    """Warm-up counts in no objective."""
    seen = fates(planned(5, 15, 25, 35))

    assert bad(decide(seen, SUCCESS)) == (3, 3, ("r1", "r2", "r3"))


def test_nothing_at_all_can_be_counted() -> None:
    """Zero requests and zero rows are zero of zero, which decides nothing."""
    result = decide(fates(planned()), SUCCESS)

    assert (result.n, result.bad, result.good_share, result.verdict) == (0, 0, None, "INCONCLUSIVE")


def test_requests_that_fail_together_are_worth_less_before_the_fault_and_decide_after_it() -> None:
    """Rows come in any order; what stands together is told by the intended times."""
    bad_ones = {*range(100, 140), *range(400, 440)}
    schedule = planned(*(10 + number / 30 for number in range(600)))
    rows = [
        row(f"r{number}", 10 + number / 30, outcome="http_5xx" if number in bad_ones else "ok")
        for number in range(600)
    ]
    seen = fates(schedule, *random.Random(3).sample(rows, len(rows)))  # noqa: S311 - a model's dice
    baseline, fault = (
        decide(seen, Objective(name="s", sli="success", phase=phase, target=0.95), struck=True)
        for phase in ("baseline", "fault")
    )

    assert (baseline.n, baseline.bad, baseline.verdict, baseline.why) == (
        300,
        40,
        "INCONCLUSIVE",
        "correlated",
    )
    assert (fault.n, fault.bad, fault.verdict, fault.why) == (300, 40, "FAIL", None)
    assert 15 <= baseline.effective_n == fault.effective_n <= 40
    assert decide(seen, SUCCESS).why == "correlated"
    assert decide(seen, SUCCESS, struck=True).verdict != decide(seen, SUCCESS).verdict


@given(st.lists(st.sampled_from(["ok", "http_5xx", "hole", "slow"]), max_size=40), st.randoms())
@settings(max_examples=10, deadline=None)
def test_the_order_of_rows_changes_nothing(outcomes: list[str], order: random.Random) -> None:
    """Rows are written as requests end; the result is a function of what they are."""
    schedule = planned(*(11 + number / 10 for number in range(len(outcomes))))
    rows = [
        row(
            f"r{number}",
            11 + number / 10,
            **({"first_token_s": 99.0} if outcome == "slow" else {"outcome": outcome}),
        )
        for number, outcome in enumerate(outcomes)
        if outcome != "hole"
    ]
    shuffled = order.sample(rows, len(rows))

    assert decide(fates(schedule, *shuffled), TTFT) == decide(fates(schedule, *rows), TTFT)
    assert decide(fates(schedule, *rows), TTFT).bad == len(outcomes) - outcomes.count("ok")


def test_who_hangs_up_as_planned_was_answered() -> None:
    """The first token was what was wanted of it."""
    seen = fates(
        planned(11, 12),
        row("r0", 11, outcome="cancelled"),
        row("r1", 12, outcome="cancelled", first_token_s=14),
    )

    assert decide(seen, SUCCESS).bad == 0
    assert bad(decide(seen, TTFT)) == (2, 1, ("r1",))


def test_a_pace_of_just_the_limit_is_good() -> None:
    """Five tokens in a second are four gaps of a quarter."""
    paced = fates(planned(11), row("r0", 11, tokens_received=5, last_token_s=12.5))

    objective = Objective(name="x", sli="tpot", phase="run", limit_s=0.25, target=0.9)
    assert decide(paced, objective).bad == 0


def test_a_latency_without_a_limit_asks_that_it_came() -> None:
    """Whenever: only what never began is bad."""
    seen = fates(planned(11, 12), row("r0", 11, first_token_s=500.0), row("r1", 12, first_token_s=None))

    assert bad(decide(seen, Objective(name="x", sli="ttft", phase="run", target=0.9))) == (2, 1, ("r1",))
