"""Sessions on the wire: the next turn waits for the answer and the think time, and for the plan."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.load.drive import END_LIMIT_S, Drive, driving
from tests.load.server import serving

pytestmark = pytest.mark.load

# The moment that the client needs between reading an answer's end and sending the next turn.
SLACK_S = 0.05


def turns(*, think_s: float, count: int = 3) -> dict[int, Mapping[str, Any]]:
    """Rows of a schedule that are turns of one session."""
    return {
        number: {"session": "s000000", "turn": number, "think_s": think_s if number else 0.0}
        for number in range(count)
    }


def ordered(drive: Drive) -> list[dict[str, Any]]:
    """Rows by their turns."""
    return [row for _, row in sorted(drive.rows().items())]


def test_fast_answers_keep_the_plan(tmp_path: Path) -> None:
    """Each turn is intended and sent when it was planned."""
    with (
        serving(token_gap_s=0.005) as server,
        driving(
            tmp_path / "run", server.url, offsets_s=[0, 0.5, 1.0], tokens=8, changes=turns(think_s=0.2)
        ) as drive,
    ):
        drive.load.wait(END_LIMIT_S)

        planned_s = [drive.begin_s + offset_s for offset_s in (0, 0.5, 1.0)]
        assert [row["intended_s"] for row in ordered(drive)] == pytest.approx(planned_s, abs=1e-6)


def test_slow_answers_move_what_follows(tmp_path: Path) -> None:
    """No turn is on the wire before the last answer has ended and been thought about; its time says so."""
    with (
        serving(token_gap_s=0.05) as server,
        driving(
            tmp_path / "run", server.url, offsets_s=[0, 0.1, 0.2], tokens=20, changes=turns(think_s=0.3)
        ) as drive,
    ):
        drive.load.wait(END_LIMIT_S)
        rows = ordered(drive)

        assert {row["outcome"] for row in rows} == {"ok"}
        for before, row in pairwise(rows):
            assert row["intended_s"] == pytest.approx(before["end_s"] + 0.3, abs=2e-6)
            assert 0 <= row["sent_s"] - row["intended_s"] < SLACK_S


def test_a_failed_turn_does_not_end_its_session(tmp_path: Path) -> None:
    """People ask on after an error."""
    with (
        serving({"r000001": "cut_fin"}) as server,
        driving(
            tmp_path / "run", server.url, offsets_s=[0, 0.1, 0.2], tokens=8, changes=turns(think_s=0.1)
        ) as drive,
    ):
        drive.load.wait(END_LIMIT_S)

        assert [row["outcome"] for row in ordered(drive)] == ["ok", "cut_fin", "ok"]


def test_what_load_does_not_live_to_send_is_entered(tmp_path: Path) -> None:
    """A turn due after the end is not sent, nor what follows it; each has its row all the same."""
    with (
        serving(token_gap_s=0.1) as server,
        driving(
            tmp_path / "run",
            server.url,
            offsets_s=[0, 0.1, 0.2, 0.3],
            tokens=20,
            changes=turns(think_s=0.5),
            end_after_s=2.0,
        ) as drive,
    ):
        drive.load.wait(END_LIMIT_S)
        rows, summary = ordered(drive), drive.document("load-summary.json")

        assert [row["outcome"] for row in rows] == ["ok", "never_sent", "never_sent", "ok"]
        planned_s = [drive.begin_s + 0.1, drive.begin_s + 0.2]
        assert [row["intended_s"] for row in rows[1:3]] == pytest.approx(planned_s, abs=1e-6)
        assert (summary["planned"], summary["sent"], summary["finished"]) == (4, 2, 2)
        assert len(server.posts) == 2


def test_a_session_stays_with_one_process(tmp_path: Path) -> None:
    """Split over two, turns of a session are never apart, and the union is the schedule."""
    changes = {number: {"session": f"s{number % 3:06d}", "turn": number // 3} for number in range(9)}
    with (
        serving() as server,
        driving(
            tmp_path / "run",
            server.url,
            offsets_s=[0.1 * number for number in range(9)],
            changes=changes,
            processes=2,
        ) as drive,
    ):
        drive.load.wait(END_LIMIT_S)
        rows = drive.rows()
        workers = {
            session: {rows[f"r{number:06d}"]["worker"] for number in range(session, 9, 3)}
            for session in range(3)
        }

        assert len(rows) == 9
        assert workers == {0: {0}, 1: {1}, 2: {0}}
