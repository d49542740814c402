"""Load processes as the runner lives with them: shared, capped, stopped, killed, orphaned."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.load.drive import END_LIMIT_S, ROOT, Drive, driving
from tests.load.server import serving

from sealegs.errors import ClusterError
from sealegs.evidence import read_json
from sealegs.waiting import wait_until

pytestmark = pytest.mark.load

STEADY_S = [0.1 * number for number in range(60)]
# The middle of a run: some have ended, some are in flight, some are not sent.
ENDED_MIN = 10


def in_the_middle(drive: Drive) -> None:
    """Return when some requests have ended."""
    wait_until(
        lambda: (drive.load.status() or {"finished": 0})["finished"],
        ready=lambda finished: finished >= ENDED_MIN,
        limit_s=END_LIMIT_S,
        every_s=0.05,
        what="requests to end",
    )


def test_two_processes_share_one_schedule(tmp_path: Path) -> None:
    """Each sends every other request; together they send each once, and their summaries add up."""
    with (
        serving() as server,
        driving(tmp_path / "run", server.url, offsets_s=STEADY_S[:20], processes=2) as drive,
    ):
        drive.load.wait(END_LIMIT_S)
        rows, summary = drive.rows(), drive.document("load-summary.json")

        assert {name: row["worker"] for name, row in rows.items()} == {
            f"r{number:06d}": number % 2 for number in range(20)
        }
        assert {row["outcome"] for row in rows.values()} == {"ok"}
        assert (summary["planned"], summary["sent"], summary["finished"]) == (20,) * 3
        assert summary["gc_frozen"] is True


def test_the_cap_holds_back_and_says_so(tmp_path: Path) -> None:
    """Beyond the cap nothing is sent, and what was held back has its row; the others are served."""
    offsets_s = [0.02 * number for number in range(10)]
    with (
        serving(token_gap_s=0.1) as server,
        driving(tmp_path / "run", server.url, offsets_s=offsets_s, in_flight_max=3) as drive,
    ):
        drive.load.wait(END_LIMIT_S)
        rows, summary = drive.rows(), drive.document("load-summary.json")

        assert [row["outcome"] for _, row in sorted(rows.items())] == ["ok"] * 3 + ["cap_refused"] * 7
        assert {(row["sent_s"], row["attempts"]) for row in rows.values() if row["outcome"] != "ok"} == {
            (None, 0)
        }
        assert (summary["planned"], summary["sent"], summary["cap_refused"]) == (10, 3, 7)
        assert len(server.posts) == 3


def test_stopping_cuts_what_is_in_flight(tmp_path: Path) -> None:
    """What had ended stays, what was in flight is cut by us with its tokens, what was not sent is a hole."""
    with (
        serving(token_gap_s=0.05) as server,
        driving(tmp_path / "run", server.url, offsets_s=STEADY_S) as drive,
    ):
        in_the_middle(drive)
        drive.load.stop()
        rows, summary = drive.rows(), drive.document("load-summary.json")

        assert {row["outcome"] for row in rows.values()} == {"ok", "cut_by_us"}
        assert any(row["tokens_received"] for row in rows.values() if row["outcome"] == "cut_by_us")
        assert len(rows) == summary["sent"] == summary["finished"] == len(server.posts) < summary["planned"]


def test_a_killed_process_leaves_what_it_had_and_is_seen(tmp_path: Path) -> None:
    """After SIGKILL the rows so far read well, no summary pretends to more, and waiting says who died."""
    with (
        serving(token_gap_s=0.05) as server,
        driving(tmp_path / "run", server.url, offsets_s=STEADY_S) as drive,
    ):
        in_the_middle(drive)
        drive.load.children[0].kill()
        with pytest.raises(ClusterError, match=r"load process 0 was killed by SIGKILL .*locust\.log"):
            drive.load.wait(END_LIMIT_S)
        rows = drive.rows()
        _assert_readable(drive, rows_sent=len(server.posts))

        assert ENDED_MIN <= len(rows) < len(STEADY_S)
        assert {row["outcome"] for row in rows.values()} == {"ok"}


def _assert_readable(drive: Drive, *, rows_sent: int) -> None:
    """Rows that were written are whole, and no more than were sent."""
    assert (drive.run_dir / "requests.jsonl").read_bytes().endswith(b"\n")
    assert len(drive.rows()) <= rows_sent
    assert read_json(drive.run_dir / "load-summary.json") is None


def test_load_does_not_outlive_its_runner(tmp_path: Path) -> None:
    """A runner killed in the middle takes its load with it; what was in flight is entered as cut by us."""
    run_dir = tmp_path / "run"
    with serving(token_gap_s=0.05) as server:
        runner = subprocess.Popen(
            [sys.executable, "-c", RUNNER, str(run_dir), server.url],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        with runner:
            assert runner.stdout is not None
            child = int(runner.stdout.readline())
            wait_until(
                lambda: len(server.posts), ready=lambda sent: sent >= ENDED_MIN, limit_s=END_LIMIT_S,
                every_s=0.05, what="requests on the wire",
            )  # fmt: skip
            runner.kill()
        wait_until(
            lambda: _exists(child),
            ready=lambda there: not there,
            limit_s=10,
            every_s=0.05,
            what="load to end",
        )
        rows = Drive(run_dir, 0, None).rows()  # type: ignore[arg-type]

        assert "cut_by_us" in {row["outcome"] for row in rows.values()}
        assert len(rows) == len(server.posts) < len(STEADY_S)


RUNNER = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from tests.load.drive import driving
with driving(Path(sys.argv[1]), sys.argv[2], offsets_s={STEADY_S}) as drive:
    print(drive.load.children[0].pid, flush=True)
    drive.load.wait(60)
"""


def _exists(pid: int) -> bool:
    """Whether a process lives; the dead of a dead parent are collected by init."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"


def test_a_process_that_cannot_start_says_why(tmp_path: Path) -> None:
    """The error that ended it is in the message."""
    with (
        driving(tmp_path / "run", "http://no-such-host.invalid", offsets_s=[0]) as drive,
        pytest.raises(ClusterError, match=r"load process 0 ended with exit code 1 .*gaierror.*locust\.log"),
    ):
        drive.load.wait(END_LIMIT_S)


def test_a_gateway_that_load_cannot_reach_is_refused_at_once(tmp_path: Path) -> None:
    """Before anything is started."""
    with (
        pytest.raises(ClusterError, match=r"'https://127\.0\.0\.1:1': load speaks plain HTTP"),
        driving(tmp_path / "run", "https://127.0.0.1:1", offsets_s=[0]),
    ):
        pass
