"""Load processes as the runner lives with them: shared, capped, stopped, killed, orphaned."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.load.drive import END_LIMIT_S, ROOT, Drive, driving
from tests.load.looking import (
    ENDED_MIN,
    STEADY,
    STEADY_COUNT,
    TOKEN_GAP_S,
    in_the_middle,
    locusts_figures,
)
from tests.load.server import serving

from sealegs.errors import ClusterError
from sealegs.evidence import read_json
from sealegs.waiting import wait_until

pytestmark = pytest.mark.load

SHORT_S = [0.1 * number for number in range(20)]


def test_two_processes_share_one_schedule(tmp_path: Path) -> None:
    """Each sends every other request; together they send each once, and their summaries add up."""
    with (
        serving() as server,
        driving(tmp_path / "run", server.url, offsets_s=SHORT_S, processes=2) as drive,
    ):
        drive.load.wait(END_LIMIT_S)
        rows, summary = drive.rows(), drive.document("load-summary.json")

        assert {name: row["worker"] for name, row in rows.items()} == {
            f"r{number:06d}": number % 2 for number in range(20)
        }
        assert {row["outcome"] for row in rows.values()} == {"ok"}
        assert (summary["planned"], summary["sent"], summary["finished"]) == (20,) * 3
        assert summary["gc_frozen"] is True
        assert locusts_figures(drive) == (20, 0, 0)


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


@pytest.mark.parametrize("processes", [1, 2])
def test_stopping_cuts_what_is_in_flight(tmp_path: Path, processes: int) -> None:
    """What had ended stays, what was in flight is cut by us with its tokens, what was not sent is a hole.

    Locust's table has all of it, and fails for what was cut.
    """
    with (
        serving(token_gap_s=TOKEN_GAP_S) as server,
        driving(tmp_path / "run", server.url, **STEADY, processes=processes) as drive,
    ):
        in_the_middle(drive)
        drive.load.stop()
        rows, summary = drive.rows(), drive.document("load-summary.json")

        assert {row["outcome"] for row in rows.values()} == {"ok", "cut_by_us"}
        assert any(row["tokens_received"] for row in rows.values() if row["outcome"] == "cut_by_us")
        assert len(rows) == summary["sent"] == summary["finished"] == len(server.posts) < summary["planned"]
        cut = sum(row["outcome"] == "cut_by_us" for row in rows.values())
        assert locusts_figures(drive) == (len(rows), cut, 1)


@pytest.mark.parametrize("processes", [1, 2])
def test_stopping_waits_for_a_slow_disk(tmp_path: Path, processes: int) -> None:
    """Stopped while a status is on its way to the disk, load ends well, and its final status stays."""
    slow = ROOT / "tests" / "load" / "slow_disk_locustfile.py"
    with (
        serving(token_gap_s=TOKEN_GAP_S) as server,
        driving(tmp_path / "run", server.url, **STEADY, locustfile=slow, processes=processes) as drive,
    ):
        in_the_middle(drive)
        wait_until(
            lambda: list(drive.run_dir.glob(".load-status*.part")),
            ready=bool,
            limit_s=END_LIMIT_S,
            every_s=0.01,
            what="a status to be written",
        )
        drive.load.stop()
        status, summary = drive.load.status(), drive.document("load-summary.json")

        assert status is not None
        assert status["in_flight"] == 0
        assert status["finished"] == summary["finished"] == len(drive.rows())


@pytest.mark.parametrize("processes", [1, 2])
def test_a_killed_process_leaves_what_it_had_and_is_seen(tmp_path: Path, processes: int) -> None:
    """After SIGKILL the rows so far read well, no summary pretends to more, and waiting says who died.

    The others go on until they are stopped, and send nothing of the dead one's share.
    """
    killed = processes - 1
    with (
        serving(token_gap_s=TOKEN_GAP_S) as server,
        driving(tmp_path / "run", server.url, **STEADY, processes=processes) as drive,
    ):
        in_the_middle(drive)
        drive.load.children[killed].kill()
        said = rf"load process {killed} was killed by SIGKILL before .*locust\.log"
        with pytest.raises(ClusterError, match=said):
            drive.load.wait(END_LIMIT_S)
        drive.load.stop()
        rows = drive.rows()
        _assert_readable(drive, rows_sent=len(server.posts))

        assert not drive.load.alive
        assert ENDED_MIN <= len(rows) < STEADY_COUNT
        assert {row["outcome"] for row in rows.values() if row["worker"] == killed} == {"ok"}
        assert len({post.request_id for post in server.posts}) == len(server.posts)


def _assert_readable(drive: Drive, *, rows_sent: int) -> None:
    """Rows that were written are whole, and no more than were sent."""
    assert (drive.run_dir / "requests.jsonl").read_bytes().endswith(b"\n")
    assert len(drive.rows()) <= rows_sent
    assert read_json(drive.run_dir / "load-summary.json") is None


@pytest.mark.parametrize("processes", [1, 2])
def test_load_does_not_outlive_its_runner(tmp_path: Path, processes: int) -> None:
    """A runner killed in the middle takes its load with it; what was in flight is entered as cut by us."""
    run_dir = tmp_path / "run"
    with serving(token_gap_s=TOKEN_GAP_S) as server:
        runner = subprocess.Popen(
            [sys.executable, "-c", RUNNER, str(run_dir), server.url, str(processes)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        with runner:
            assert runner.stdout is not None
            children = [int(pid) for pid in runner.stdout.readline().split()]
            wait_until(
                lambda: len(server.posts), ready=lambda sent: sent >= ENDED_MIN, limit_s=END_LIMIT_S,
                every_s=0.05, what="requests on the wire",
            )  # fmt: skip
            runner.kill()
        wait_until(
            lambda: [child for child in children if _exists(child)],
            ready=lambda there: not there,
            limit_s=10,
            every_s=0.05,
            what="load to end",
        )
        rows = Drive(run_dir, 0, 0.0, None).rows()  # type: ignore[arg-type]

        assert len(children) == {1: 1, 2: 3}[processes]
        assert "cut_by_us" in {row["outcome"] for row in rows.values()}
        assert len(rows) == len(server.posts) < STEADY_COUNT


RUNNER = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from tests.load.drive import driving
from tests.load.looking import STEADY
run_dir, url, processes = sys.argv[1:]
with driving(Path(run_dir), url, **STEADY, processes=int(processes)) as drive:
    print(*[child.pid for child in (*drive.load.children, drive.load.master) if child], flush=True)
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


@pytest.mark.parametrize("processes", [1, 2])
def test_a_process_that_cannot_start_says_why(tmp_path: Path, processes: int) -> None:
    """The error that ended it is in the message."""
    said = r"load process [01] ended with exit code [01] .*gaierror.*locust\.log"
    run_dir = tmp_path / "run"
    with (
        driving(run_dir, "http://no-such-host.invalid", offsets_s=[0, 0], processes=processes) as drive,
        pytest.raises(ClusterError, match=said),
    ):
        drive.load.wait(END_LIMIT_S)


def test_a_gateway_that_load_cannot_reach_is_refused_at_once(tmp_path: Path) -> None:
    """Before anything is started."""
    with (
        pytest.raises(ClusterError, match=r"'https://127\.0\.0\.1:1': load speaks plain HTTP"),
        driving(tmp_path / "run", "https://127.0.0.1:1", offsets_s=[0]),
    ):
        pass
