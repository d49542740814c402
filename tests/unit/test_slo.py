"""Counting: every intended request is eligible, and whatever is not known to be good is bad."""

import math
import random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealegs import tables
from sealegs.facts import Interval
from sealegs.scenario import Objective
from sealegs.slo import Fates, ObjectiveResult, decide, fates_of, phase_counts

PHASES = (
    Interval(name="warmup", start_s=0.0, end_s=10.0),
    Interval(name="baseline", start_s=10.0, end_s=20.0),
    Interval(name="fault", start_s=20.0, end_s=30.0),
    Interval(name="recovery", start_s=30.0, end_s=None),
)
SUCCESS = Objective(name="s", sli="success", phase="run", target=0.9)
TTFT = Objective(name="t", sli="ttft", phase="run", limit_s=1.0, target=0.9)


def planned(*times_s: float) -> pa.Table:
    """A schedule of requests r0, r1, … at these times."""
    rows = [{"request_id": f"r{number}", "intended_s": t_s} for number, t_s in enumerate(times_s)]
    return pa.Table.from_pylist(rows, schema=tables.SCHEDULE)


def row(request_id: str, intended_s: float, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any column
    """The row of a request that was answered half a second after its time, but for the changes."""
    good = {
        "request_id": request_id,
        "intended_s": intended_s,
        "sent_s": intended_s,
        "first_token_s": intended_s + 0.5,
        "end_s": intended_s + 1.0,
        "outcome": "ok",
        "tokens_received": 10,
        "pod": "a",
    }
    return good | changes


def fates(schedule: pa.Table, *rows: dict[str, Any]) -> Fates:
    """What became of a schedule by these rows."""
    return fates_of(schedule, pa.Table.from_pylist(list(rows), schema=tables.REQUESTS), PHASES)


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
    ("intended_s", "phase"),
    [(0, "warmup"), (9.999, "warmup"), (10, "baseline"), (20, "fault"), (30, "recovery"), (999, "recovery")],
)
def test_a_request_belongs_to_the_phase_of_its_intended_time(intended_s: float, phase: str) -> None:
    """Whenever it was sent or answered; a phase holds its start, not its end, an open one the rest."""
    seen = fates(planned(intended_s), row("r0", intended_s, sent_s=intended_s + 15, end_s=intended_s + 20))

    assert seen.phase.tolist() == [phase]


def test_the_run_is_everything_after_warmup() -> None:
    """Warm-up counts in no objective."""
    seen = fates(planned(5, 15, 25, 35))

    assert bad(decide(seen, SUCCESS)) == (3, 3, ("r1", "r2", "r3"))


def test_rows_that_cannot_be_are_counted() -> None:
    """Two rows of one request, a row of none, a row that moved: noted for the judge, not merged away."""
    seen = fates(planned(11, 12), row("r0", 11), row("r0", 11), row("r1", 12.5), row("r9", 13))

    assert (seen.twice, seen.unknown, seen.moved_s_max) == (1, 1, 0.5)


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


def turns(*rows: dict[str, Any], think_s: float = 2.0) -> Fates:
    """What became of a session of three turns that were planned for 11, 15 and 19 s."""
    plan = [
        {
            "request_id": f"r{turn}",
            "intended_s": 11.0 + 4 * turn,
            "session": "s",
            "turn": turn,
            "think_s": think_s,
        }
        for turn in range(3)
    ]
    table = pa.Table.from_pylist(plan, schema=tables.SCHEDULE)
    return fates(table, *rows)


@pytest.mark.parametrize(
    ("ended_s", "due_s", "moved_s"),
    [
        (12.0, 15.0, 0.0),  # in time: as planned
        (13.0, 15.0, 0.0),
        (13.5, 15.5, 0.0),  # late: a think time after the end
        (13.5, 15.54, 0.0),  # a client needs its moment
        (13.5, 15.7, 0.15),
        (13.5, 15.0, 0.5),  # as planned, before its user had thought
        (12.0, 14.0, 1.0),  # before it was planned
        (12.0, 16.0, 0.95),  # nobody kept it waiting
        (19.0, 21.0, 0.0),
    ],
)
def test_a_turn_is_due_when_the_answer_before_it_lets_it(
    ended_s: float, due_s: float, moved_s: float
) -> None:
    """No sooner and no later: its latency and its phase count from then, and what differs is noted."""
    seen = turns(row("r0", 11, end_s=ended_s), row("r1", due_s), row("r2", 19, outcome="never_sent"))

    assert seen.moved_s_max == pytest.approx(moved_s, abs=1e-9)
    assert dict(zip(seen.request_id, seen.intended_s, strict=True))["r1"] == due_s
    assert seen.ttft_s[seen.request_id == "r1"] == pytest.approx(0.5)
    assert dict(zip(seen.request_id, seen.phase, strict=True))["r1"] == (
        "fault" if due_s > 20 else "baseline"
    )


def test_a_turn_after_one_that_was_not_sent_waits_from_when_that_was_due() -> None:
    """The cap held it back at its time, and its user thought again."""
    refused = row("r0", 11, outcome="cap_refused", sent_s=None, first_token_s=None, end_s=None)

    assert turns(refused, row("r1", 15), row("r2", 19), think_s=3).moved_s_max == 0
    assert turns(refused, row("r1", 17), row("r2", 23), think_s=5).moved_s_max == pytest.approx(1 - 0.05)
    assert turns(refused, row("r1", 17), row("r2", 24), think_s=6).moved_s_max == 0


def test_a_turn_after_a_hole_is_held_to_the_plan() -> None:
    """Nobody knows when the answer before it ended; nor of the first turns of a run, begun before it."""
    assert turns(row("r1", 15), row("r2", 19)).moved_s_max == 0
    assert turns(row("r1", 15.5), row("r2", 19)).moved_s_max == 0.5


def test_what_was_not_come_to_counts_where_it_was_planned() -> None:
    """And requests stay in the order of their times when one has moved behind another."""
    moved = turns(row("r0", 11, end_s=27.0), row("r1", 29.0, end_s=40.0), row("r2", 19, outcome="never_sent"))

    assert moved.request_id.tolist() == ["r0", "r2", "r1"]
    assert moved.intended_s.tolist() == [11, 19, 29]
    assert moved.phase.tolist() == ["baseline", "baseline", "fault"]
    assert moved.moved_s_max == 0
    assert decide(moved, SUCCESS).bad == 1


def test_who_hangs_up_as_planned_was_answered() -> None:
    """The first token was what was wanted of it."""
    seen = fates(
        planned(11, 12),
        row("r0", 11, outcome="cancelled"),
        row("r1", 12, outcome="cancelled", first_token_s=14),
    )

    assert decide(seen, SUCCESS).bad == 0
    assert bad(decide(seen, TTFT)) == (2, 1, ("r1",))
