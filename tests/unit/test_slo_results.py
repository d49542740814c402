"""Every number of an objective's result and of a phase's counts, and the slices of time they may be of."""

import numpy as np
import pytest
from tests.unit.made_fates import fates, planned, row

from sealegs.judgement.facts import Interval
from sealegs.judgement.fates import Fates
from sealegs.judgement.slo import ObjectiveResult, PhaseCounts, decide, in_slices, phase_counts
from sealegs.scenario.claim import Objective


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
    found = decide(seen, asked)

    assert (found.n, found.bad, found.request_ids) == (3, 1, ("r1",))


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
