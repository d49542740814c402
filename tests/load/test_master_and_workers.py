"""Locust's master and workers in a run: what Locust would do by itself, it does not do here."""

import signal
from pathlib import Path

import pytest
from tests.load.drive import CHAT, END_LIMIT_S, driving
from tests.load.looking import STEADY, STEADY_COUNT, TOKEN_GAP_S, in_the_middle, locusts_figures, log_of
from tests.load.server import serving

from sealegs.errors import ClusterError
from sealegs.waiting import now_s, wait_until

pytestmark = pytest.mark.load

SHORT_S = [0.1 * number for number in range(20)]


def test_locusts_master_is_missed(tmp_path: Path) -> None:
    """Killed, it is named; its workers end when told to, and every row of theirs is there."""
    with (
        serving(token_gap_s=TOKEN_GAP_S) as server,
        driving(tmp_path / "run", server.url, **STEADY, processes=2) as drive,
    ):
        in_the_middle(drive)
        assert drive.load.master is not None
        drive.load.master.kill()
        with pytest.raises(
            ClusterError, match=r"Locust's master was killed by SIGKILL before load had ended"
        ):
            drive.load.wait(END_LIMIT_S)
        drive.load.stop()

        assert not drive.load.alive
        assert len(drive.rows()) == drive.document("load-summary.json")["sent"] == len(server.posts)


GENEROUS = f"""
from pathlib import Path

import gevent
from locust import events
from locust.runners import MasterRunner

exec(open({str(CHAT)!r}).read())


@events.init.add_listener
def hand_out_more(environment, **_):
    def later():
        while not Path("load-summary.0.json").exists():
            gevent.sleep(0.1)
        environment.runner.start(4, 4)

    if isinstance(environment.runner, MasterRunner):
        gevent.spawn(later)
"""
# Worker 0 has a session of three turns, worker 1 one of ten.
UNEQUAL = {number: {"session": "short" if number < 3 else "long", "turn": number} for number in range(13)}


def test_a_share_is_sent_once_though_locust_starts_more_users(tmp_path: Path) -> None:
    """As when it lost a worker: the one at work and the one that is done get more users, who send nothing."""
    locustfile = tmp_path / "generous.py"
    locustfile.write_text(GENEROUS)
    offsets_s = [0.1 * number for number in UNEQUAL]
    with (
        serving(token_gap_s=TOKEN_GAP_S) as server,
        driving(
            tmp_path / "run",
            server.url,
            offsets_s=offsets_s,
            changes=UNEQUAL,
            processes=2,
            locustfile=locustfile,
        ) as drive,
    ):
        drive.load.wait(2 * END_LIMIT_S)

        assert "Sending spawn jobs of 4 users" in log_of(drive)
        assert len(drive.rows()) == len(server.posts) == len(UNEQUAL)
        assert locusts_figures(drive) == (len(UNEQUAL), 0, 0)


def test_a_stalled_process_is_not_given_up(tmp_path: Path) -> None:
    """All processes stand still for longer than Locust has patience, and go on where they stood."""
    with (
        serving() as server,
        driving(tmp_path / "run", server.url, **STEADY, processes=2) as drive,
    ):
        in_the_middle(drive)
        for child in drive.load.children:
            child.send_signal(signal.SIGSTOP)
        stalled_s = now_s()
        wait_until(now_s, ready=lambda now: now > stalled_s + 4.5, limit_s=10, every_s=0.1, what="4.5 s")
        for child in drive.load.children:
            child.send_signal(signal.SIGCONT)
        drive.load.wait(END_LIMIT_S)

        assert "missing" not in log_of(drive)
        assert len(drive.rows()) == len(server.posts) == STEADY_COUNT


def test_nobodys_own_locust_settings_are_the_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the environment's, nor those in the home or the folder of whoever starts it."""
    home = tmp_path / "home"
    home.mkdir()
    for place in (home / ".locust.conf", home / "locust.conf"):
        place.write_text("run-time = 1s\ncsv = stray\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LOCUST_RUN_TIME", "1s")
    monkeypatch.chdir(home)
    with (
        serving() as server,
        driving(tmp_path / "run", server.url, offsets_s=SHORT_S) as drive,
    ):
        drive.load.wait(END_LIMIT_S)

        assert len(drive.rows()) == len(server.posts) == 20
        assert list(tmp_path.rglob("stray*")) == []
