"""A run's progress on a real terminal: drawn over and over, narrow, resized, interrupted, or not at all."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.unit.growing_run import INJECTED, GrowingRun
from tests.unit.screen import Screen

from sealegs.progress import shown
from sealegs.waiting import now_s

LIMIT_S = 30.0
NARROW = 60
# Whoever sits at the terminal is in charge of the process, as of one that was started by a shell. Tests that
# run in the background are deaf to Ctrl-C, and so would be what they start.
PROGRAM = """
import fcntl, signal, sys, termios
from pathlib import Path
from sealegs.progress import shown
from sealegs.waiting import wait_until
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.default_int_handler)
run_dir = Path(sys.argv[1])
try:
    with shown(run_dir, out=sys.stderr) as say:
        say("applying the stack")
        wait_until((run_dir / "ended").exists, ready=bool, limit_s=60, every_s=0.01, what="the test")
except KeyboardInterrupt:
    print("interrupted", file=sys.stderr)
print("the verdict")
"""
XTERM = {"TERM": "xterm-256color"}
INHERITED = ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")


@dataclass
class Person:
    """Who sits at a terminal, and sees `screen`; `output` is all that was written to it."""

    process: subprocess.Popen[bytes]
    keyboard: int
    screen: Screen
    output: str = ""

    def look_until(self, seen: Callable[[Screen], object]) -> str:
        """What the screen shows when something is to be seen on it."""
        start_s = now_s()
        while not seen(self.screen):
            assert now_s() - start_s < LIMIT_S, self.screen.text
            self._read()
        return self.screen.text

    def look_to_the_end(self) -> str:
        """What the screen shows when the program has ended."""
        while self._read():
            pass
        assert self.process.wait(LIMIT_S) == 0
        return self.screen.text

    def resize(self, width: int) -> None:
        """Make the terminal narrower or wider while nothing is being drawn."""
        self.process.send_signal(signal.SIGSTOP)
        while select.select([self.keyboard], [], [], 0)[0]:
            self._read()
        self.screen.resize(width)
        set_width(self.keyboard, width)
        self.process.send_signal(signal.SIGCONT)

    def press(self, key: bytes) -> None:
        """Press a key."""
        os.write(self.keyboard, key)

    def _read(self) -> bool:
        """Take in some output, up to the end of a write. Returns False at the end of all."""
        if not select.select([self.keyboard], [], [], LIMIT_S)[0]:
            raise TimeoutError(self.screen.text)
        try:
            piece = os.read(self.keyboard, 65536)
            while select.select([self.keyboard], [], [], 0.02)[0]:
                piece += os.read(self.keyboard, 65536)
        except OSError:  # nobody holds the other end any more
            return False
        self.output += piece.decode()
        self.screen.write(piece.decode())
        return True


def set_width(terminal: int, width: int) -> None:
    """Tell a terminal how wide it is."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))


@contextmanager
def sitting(run: GrowingRun, *, width: int = 100, environment: Mapping[str, str] = XTERM) -> Iterator[Person]:
    """A person at a terminal that a run is shown on."""
    keyboard, line = os.openpty()
    set_width(keyboard, width)
    inherited = {name: value for name, value in os.environ.items() if name not in INHERITED}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(run.run_dir)],
        env=inherited | XTERM | dict(environment),
        stdin=line,
        stdout=line,
        stderr=line,
        start_new_session=True,
    ) as process:
        os.close(line)
        try:
            yield Person(process, keyboard, Screen(width))
        finally:
            process.kill()
            os.close(keyboard)


@pytest.fixture
def run(tmp_path: Path) -> GrowingRun:
    """A run in its baseline, 300 requests sent."""
    run = GrowingRun.begin(tmp_path / "run", ago_s=50)
    run.note("phase", t_s=30.0, name="warmup")
    run.note("phase", t_s=45.0, name="baseline")
    run.sample(ready=3, desired=3)
    run.status()
    return run


REQUESTS = "requests  300 of 1,743 sent · 4 in flight · 8 bad: 6 http_429, 2 reset"
SAID = [
    "sealegs: applying the stack",
    "sealegs: warmup · 300 of 1743 sent, 4 in flight, 8 bad: 6 http_429, 2 reset",
    "sealegs: baseline · 300 of 1743 sent, 4 in flight, 8 bad: 6 http_429, 2 reset",
]


def test_rows_are_drawn_over_and_gone_at_the_end(run: GrowingRun) -> None:
    """What changes is changed in place, news come above it, and at the end only what was said is left."""
    with sitting(run) as person:
        first = person.look_until(lambda screen: REQUESTS in screen.text)
        run.status(sent=301)
        run.sample(ready=2, desired=3)
        run.note("fault", t_s=48.0, **INJECTED)
        second = person.look_until(lambda screen: "fault     node_drain injected" in screen.text)
        shown_meanwhile = person.screen.cursor_shown
        (run.run_dir / "ended").touch()
        last = person.look_to_the_end()

    assert sorted(first.splitlines()[:3]) == sorted(SAID)
    assert re.fullmatch(r"phase     baseline  ━+─+  \d+ s left · run \d min \d\d s", first.splitlines()[3])
    assert first.splitlines()[4] == REQUESTS
    news, *rows = second.splitlines()[3:]
    assert news == "sealegs: fault node_drain injected · 4 streams in flight"
    assert [row.split()[0] for row in rows] == ["phase", "requests", "TTFT", "replicas", "fault"]
    assert "301 of 1,743 sent" in rows[1]
    assert rows[3] == "replicas  llm-inference 2/3 ready"
    assert shown_meanwhile
    assert last.splitlines() == [*second.splitlines()[:4], "the verdict"]


def test_a_terminal_that_becomes_narrow_stays_readable(run: GrowingRun) -> None:
    """The terminal wraps what stands there; the next drawing takes all of it away, and no more."""
    with sitting(run) as person:
        person.look_until(lambda screen: REQUESTS in screen.text)
        person.resize(NARROW)
        assert "8 bad: 6 http_42\n9, 2 reset\nTTFT" in person.screen.text
        narrow = person.look_until(lambda screen: "6 http_4…" in screen.text)
        person.resize(100)
        wide = person.look_until(lambda screen: REQUESTS in screen.text)

    *said, phase, requests, ttft, replicas, fault = narrow.splitlines()
    assert sorted("".join(said).replace(" ", "")) == sorted("".join(SAID).replace(" ", ""))
    assert phase.startswith("phase     baseline  ━")
    assert (requests[:8], ttft[:4], replicas[:8], fault) == (
        "requests",
        "TTFT",
        "replicas",
        "fault     not yet",
    )
    assert max(map(len, (phase, requests, ttft, replicas))) <= NARROW
    assert sorted(wide.splitlines()[:3]) == sorted(SAID)
    assert len(wide.splitlines()) == len(SAID) + 5


def test_ctrl_c_leaves_the_terminal_as_it_was(run: GrowingRun) -> None:
    """The rows are gone, the cursor is there, and keys do what they did."""
    with sitting(run) as person:
        before = termios.tcgetattr(person.keyboard)
        person.look_until(lambda screen: REQUESTS in screen.text)
        person.press(b"\x03")
        last = person.look_to_the_end()
        after = termios.tcgetattr(person.keyboard)

    assert last.splitlines()[-2:] == ["interrupted", "the verdict"]
    assert "requests  " not in last
    assert person.screen.cursor_shown
    assert after == before


def test_who_wants_no_colour_gets_none(run: GrowingRun) -> None:
    """Rows are drawn, and nothing in them has a colour."""
    with sitting(run, environment={"NO_COLOR": "1"}) as person:
        person.look_until(lambda screen: REQUESTS in screen.text)
        (run.run_dir / "ended").touch()
        last = person.look_to_the_end()

    assert sorted(last.splitlines()) == sorted([*SAID, "the verdict"])
    assert re.findall(r"\x1b\[(?!1m|2m|0m)[\d;]*m", person.output) == []


def test_a_terminal_that_can_only_write_gets_lines(tmp_path: Path) -> None:
    """As a log does, now and then one that says how far the run is; no escape code reaches it."""
    run = GrowingRun.begin(tmp_path / "run", ago_s=50)
    with sitting(run, environment={"TERM": "dumb"}) as person:
        person.look_until(lambda screen: "sealegs: opening · " in screen.text)
        (run.run_dir / "ended").touch()
        last = person.look_to_the_end()

    *told, verdict = last.splitlines()
    # Two threads tell these two, either first.
    assert [line.endswith("so far · no load yet") for line in sorted(told)] == [False, True]
    assert (min(told), verdict) == ("sealegs: applying the stack", "the verdict")
    assert "\x1b" not in person.output


def test_a_terminal_that_goes_takes_no_run_with_it(run: GrowingRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is drawn on it, and what is taken away at the end, nobody sees: that is no error."""
    monkeypatch.setenv("TERM", "xterm")
    near, far = pty.openpty()
    out = os.fdopen(far, "w")
    with shown(run.run_dir, out=out) as say:
        os.close(near)
        say("nobody reads this")
    with pytest.raises(OSError, match="Input/output error"):
        os.write(far, b"gone")
    with suppress(OSError):
        out.close()
