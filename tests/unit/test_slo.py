"""Counting: every eligible request is counted, and whatever is not known to be good is bad."""

import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.made_fates import PHASES, fates, planned, row

from sealegs.claim import Objective
from sealegs.facts import Interval
from sealegs.fates import Fates
from sealegs.slo import ObjectiveResult, PhaseCounts, decide, in_slices, phase_counts

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


@pytest.fixture(name="slow_and_lost")
def slow_and_lost_requests() -> Fates:
    """297 of a baseline, 32 a second: three lost in a row, each seventh beyond half of one second."""
    rows = [
        row(
            f"r{number}",
            10 + number / 32,
            first_token_s=10 + number / 32 + (0.75 if number % 7 == 0 else 0.25),
            outcome="http_5xx" if 100 <= number < 103 else "ok",
        )
        for number in range(297)
    ]
    return fates(planned(*(10 + number / 32 for number in range(297))), *rows)


def test_a_result_holds_every_number_it_rests_on(slow_and_lost: Fates) -> None:
    """Bounds are Clopper-Pearson's at 0.95, rounded; three bad take 256 requests at 0.97."""
    asked = Objective(name="t", sli="ttft", phase="baseline", limit_s=1.0, target=0.97, confidence=0.95)

    assert decide(slow_and_lost, asked) == ObjectiveResult(
        name="t",
        sli="ttft",
        phase="baseline",
        limit_s=1.0,
        slice_s=None,
        slice_share=None,
        target=0.97,
        confidence=0.95,
        n=297,
        effective_n=97,
        bad=3,
        good_share=0.989899,
        bound_low=0.974102,
        bound_high=0.997241,
        verdict="INCONCLUSIVE",
        why="correlated",
        more_needed=0,
        request_ids=("r100", "r101", "r102"),
    )


def test_a_result_of_slices_counts_slices_and_names_requests(slow_and_lost: Fates) -> None:
    """Nine whole seconds, in one of them three of 32 lost; no half of a limit is asked of a slice."""
    asked = Objective(
        name="t",
        sli="ttft",
        phase="baseline",
        limit_s=1.0,
        target=0.9,
        confidence=0.95,
        slice_s=1.0,
        slice_share=0.95,
    )

    assert decide(slow_and_lost, asked) == ObjectiveResult(
        name="t",
        sli="ttft",
        phase="baseline",
        limit_s=1.0,
        slice_s=1.0,
        slice_share=0.95,
        target=0.9,
        confidence=0.95,
        n=9,
        effective_n=9,
        bad=1,
        good_share=0.888889,
        bound_low=0.570864,
        bound_high=0.994317,
        verdict="INCONCLUSIVE",
        why="thin",
        more_needed=37,
        request_ids=("r100", "r101", "r102"),
    )


def test_a_slice_of_one_request_is_a_slice() -> None:
    """One a second; the last begins a slice that is not whole."""
    seen = fates(planned(11, 12, 13), row("r0", 11), row("r1", 12, outcome="refused"), row("r2", 13))
    asked = Objective(name="s", sli="success", phase="run", target=0.5, slice_s=0.5, slice_share=0.9)

    assert bad(decide(seen, asked)) == (3, 1, ("r1",))


@pytest.mark.parametrize(
    ("ttft_s", "effective_n"), [(0.5, 600), (0.5 + 2**-20, 25), (1.0, 25), (0.4, 600), (1.5, 25)]
)
def test_what_clumps_beyond_just_half_the_limit_is_worth_less(ttft_s: float, effective_n: int) -> None:
    """Sixty of 600 in two clumps; half the limit is still within it."""
    slow = {*range(100, 130), *range(300, 330)}
    times_s = [10 + number / 64 for number in range(600)]
    rows = [
        row(f"r{number}", t_s, first_token_s=t_s + (ttft_s if number in slow else 0.25))
        for number, t_s in enumerate(times_s)
    ]
    asked = Objective(name="t", sli="ttft", phase="baseline", limit_s=1.0, target=0.5)

    assert decide(fates(planned(*times_s), *rows), asked).effective_n == effective_n


def test_counts_of_a_phase_say_what_became_of_its_requests() -> None:
    """Each outcome by its name, in the order of the names; marks as they are shown, an open end open."""
    phases = (
        Interval(name="baseline", start_s=10.1234567, end_s=20.7654321),
        Interval(name="fault", start_s=20.7654321, end_s=None),
    )
    schedule = planned(11, 12, 13, 14, 15, 16, 21)
    rows = [
        row("r0", 11),
        row("r1", 12, outcome="refused"),
        row("r2", 13, outcome="cap_refused", sent_s=None),
        row("r3", 14, outcome="never_sent", sent_s=None),
        row("r4", 15, outcome="cancelled"),
        row("r6", 21, outcome="http_5xx"),
    ]
    baseline, fault = phase_counts(fates(schedule, *rows), phases)
    outcomes = {"cancelled": 1, "cap_refused": 1, "hole": 1, "never_sent": 1, "ok": 1, "refused": 1}

    assert baseline == PhaseCounts(
        name="baseline", start_s=10.123457, end_s=20.765432, planned=6, sent=3, ok=2, outcomes=outcomes
    )
    assert list(baseline.outcomes) == sorted(outcomes)
    assert fault == PhaseCounts(
        name="fault", start_s=20.765432, end_s=None, planned=1, sent=1, ok=0, outcomes={"http_5xx": 1}
    )


@pytest.mark.parametrize(
    ("times_s", "from_s", "requests", "good"),
    [
        ([], None, [], []),
        ([], 5.0, [], []),
        ([5.0], None, [], []),
        ([5.0], 5.0, [], []),
        ([5.0], 6.0, [], []),
        ([5.0], 4.0, [1], [1]),
        ([0.0, 0.5, 0.999], None, [], []),
        ([0.0, 0.5, 1.5, 1.6, 2.5], None, [2, 2], [1, 1]),
        ([0.0, 0.5, 1.5, 1.6, 2.5], 0.5, [1, 3], [0, 2]),
        ([0.0, 0.5, 1.5, 1.6, 2.5], -1.5, [0, 1, 1, 3], [0, 1, 0, 2]),
    ],
)
def test_slices_are_whole_and_begin_at_the_first_request_or_as_said(
    times_s: list[float], from_s: float | None, requests: list[int], good: list[int]
) -> None:
    """Of one second; each second request is good. What lies before or after them is in none."""
    fine = np.arange(len(times_s)) % 2 == 0
    found = in_slices(np.array(times_s), fine, slice_s=1.0, from_s=from_s)

    assert [one.tolist() for one in found] == [requests, good]
    assert {one.dtype for one in found} == {np.dtype(np.int64)}


def test_a_slice_that_rounding_makes_short_is_whole() -> None:
    """0.3 / 0.1 is less than three."""
    requests, _ = in_slices(np.array([0.0, 0.1, 0.25, 0.3]), np.ones(4, bool), slice_s=0.1)

    assert requests.tolist() == [1, 1, 2]
