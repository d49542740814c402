"""Fates: what became of every intended request, when it was due, and which phase answers for it."""

from typing import Any

import pyarrow as pa
import pytest
from tests.unit.made_fates import PHASES, fates, planned, row

from sealegs import tables
from sealegs.judgement.fates import Fates, join


@pytest.mark.parametrize(
    ("intended_s", "phase"),
    [
        (-0.01, "warmup"),
        (0, "warmup"),
        (9.999, "warmup"),
        (10, "baseline"),
        (20, "fault"),
        (30, "recovery"),
        (999, "recovery"),
    ],
)
def test_a_request_belongs_to_the_phase_of_its_intended_time(intended_s: float, phase: str) -> None:
    """Whenever it was sent or answered; a phase holds its start, not its end, an open one the rest."""
    seen = fates(planned(intended_s), row("r0", intended_s, sent_s=intended_s + 15, end_s=intended_s + 20))

    assert seen.phase.tolist() == [phase]


@pytest.mark.parametrize("outcome", ["ok", "cut_fin"])
@pytest.mark.parametrize(
    ("sent_s", "end_s", "phase"),
    [
        (19.0, 21.9, "baseline"),
        (19.0, 22.0, "baseline"),
        (19.0, 22.1, "fault"),
        (19.0, None, "fault"),
        (22.0, 23.0, "baseline"),
        (None, None, "baseline"),
    ],
)
def test_what_was_open_when_the_fault_struck_is_the_faults(
    outcome: str, sent_s: float | None, end_s: float | None, phase: str
) -> None:
    """Whatever became of it, so that nothing is moved for how it ended; it stays due where it was due."""
    rows = [row("r0", 19.0, sent_s=sent_s, end_s=end_s, outcome=outcome)]
    table = pa.Table.from_pylist(rows, schema=tables.REQUESTS)

    seen = join(planned(19.0), table, PHASES, injected_s=22.0)

    assert (seen.due_in.tolist(), seen.phase.tolist()) == (["baseline"], [phase])


def test_rows_that_cannot_be_are_counted() -> None:
    """Two rows of one request, a row of none, a row that moved: noted for the judge, not merged away."""
    seen = fates(planned(11, 12), row("r0", 11), row("r0", 11), row("r1", 12.5), row("r9", 13))

    assert (seen.twice, seen.unknown, seen.moved_s_max) == (1, 1, 0.5)


def test_engines_lines_are_laid_beside_the_requests_that_they_are_about() -> None:
    """In whatever order requests are planned, answered and logged; a line of no request has no place."""
    plan, rows = planned(12, 11, 13), [row("r2", 13), row("r9", 14), row("r0", 12)]
    table = pa.Table.from_pylist(rows, schema=tables.REQUESTS)
    names = ["r2", "r9", "r1", "r0", "r8", "r2"]

    seen = join(plan, table, PHASES, lines=pa.chunked_array([names[:2], names[2:]], pa.string()))

    assert [seen.request_id[at] if at >= 0 else None for at in seen.lines] == [
        name if name in {"r0", "r1", "r2"} else None for name in names
    ]
    assert seen.unknown == 1


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
    assert int((~moved.ok).sum()) == 1
