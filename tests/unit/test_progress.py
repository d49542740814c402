"""Progress as people see it: plain lines in a log, one line that is kept true on a terminal."""

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from sealegs.cluster import progress
from sealegs.cluster.progress import CLEAR, Progress, lasted
from sealegs.waiting import wait_until

ESTIMATES_S = {"compile": 100.0, "nodes": 30.0}


@dataclass
class Clock:
    """A clock that the test moves."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        """Say what time it is."""
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that steps are timed by."""
    clock = Clock()
    monkeypatch.setattr(progress, "now_s", clock)
    return clock


@dataclass(frozen=True)
class Terminal:
    """A pseudo-terminal: `out` is what a program writes to, the other end is where a person sits."""

    out: io.TextIOWrapper
    person: int

    def read_until(self, text: str) -> str:
        """What a person has seen up to a text."""
        seen = ""
        while text not in seen:
            seen += os.read(self.person, 4096).decode()
        return seen


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal whose line is drawn often."""
    monkeypatch.setattr(progress, "REDRAW_S", 0.002)
    person, line = os.openpty()
    with os.fdopen(line, "w") as out:
        yield Terminal(out, person)
    os.close(person)


def screen(seen: str) -> list[str]:
    """Lines as a terminal shows them after all that was written: a cleared line is not there."""
    return [line.rpartition(CLEAR)[2] for line in seen.replace("\r\n", "\n").split("\n")]


def test_a_log_gets_plain_lines(clock: Clock) -> None:
    """Elsewhere than on a terminal each step is two lines: begun, with what is left, and done."""
    out = io.StringIO()
    shown = Progress(ESTIMATES_S, out=out)

    with shown.shown():
        with shown.step("compile"):
            clock.now_s += 90
        with shown.step("nodes"):
            clock.now_s += 5

    assert out.getvalue().splitlines() == [
        "sealegs: compile … · about 2 min 10 s left",
        "sealegs: compile: 1 min 30 s",
        "sealegs: nodes … · about 30 s left",
        "sealegs: nodes: 5.0 s",
    ]


def test_a_terminal_has_one_line_that_is_cleared_at_the_end(terminal: Terminal) -> None:
    """While a step is done one line is drawn over and over; at the end what was done stays, and only that."""
    shown = Progress(ESTIMATES_S, out=terminal.out)

    with shown.shown(), shown.step("compile"):
        seen = terminal.read_until("[0/2] compile · ")
        seen += terminal.read_until("[0/2] compile · ")
    print("next", file=terminal.out, flush=True)
    seen += terminal.read_until("next\r\n")

    assert [line.rpartition(":")[0] or line for line in screen(seen)] == ["sealegs: compile", "next", ""]


def test_estimates_fall_as_time_passes_and_steps_end(clock: Clock) -> None:
    """What is left counts each step down to nothing, and no further; a step that has ended adds nothing."""
    shown = Progress(ESTIMATES_S, out=io.StringIO(), _start_s=clock())
    left_s = [shown.left_s]
    with shown.step("compile"):
        for passed_s in (40, 100):
            clock.now_s += passed_s
            left_s.append(shown.left_s)
    with shown.step("nodes"):
        clock.now_s += 10
        left_s.append(shown.left_s)
    left_s.append(shown.left_s)

    assert left_s == [130, 90, 30, 20, 0]
    assert shown.took_s == 150


def test_a_step_that_fails_is_not_told_as_done(clock: Clock) -> None:
    """Its error passes through, nothing says that it is done, and what it may take is still to do."""
    out = io.StringIO()
    shown = Progress(ESTIMATES_S, out=out)

    def fail() -> None:
        with shown.shown(), shown.step("compile"):
            clock.now_s += 20
            raise OSError("no compiler")

    with pytest.raises(OSError, match="no compiler"):
        fail()

    assert out.getvalue().splitlines() == ["sealegs: compile … · about 2 min 10 s left"]
    assert shown.left_s == 130


def test_a_step_that_fails_leaves_no_line_on_a_terminal(terminal: Terminal) -> None:
    """What was being done is not what stands there when the error is told."""
    shown = Progress(ESTIMATES_S, out=terminal.out)
    seen = ""

    def fail() -> None:
        nonlocal seen
        with shown.shown(), shown.step("compile"):
            seen += terminal.read_until("[0/2] compile · ")
            raise OSError("no compiler")

    with pytest.raises(OSError, match="no compiler"):
        fail()
    print("error", file=terminal.out, flush=True)

    assert screen(seen + terminal.read_until("error\r\n")) == ["error", ""]


def test_a_step_that_was_not_expected_says_nothing() -> None:
    """What stands in the cache already takes no time and no line."""
    out = io.StringIO()
    with Progress(ESTIMATES_S, out=out).step("docker"):
        pass

    assert out.getvalue() == ""


def test_steps_at_the_same_time_share_the_line(terminal: Terminal) -> None:
    """All that is being done is named, and how much of the whole has been."""
    shown = Progress(ESTIMATES_S, out=terminal.out)

    with shown.shown():
        with shown.step("compile"), shown.step("nodes"):
            terminal.read_until("[0/2] compile, nodes · ")
        wait_until(
            lambda: shown.left_s, ready=lambda left: left == 0, limit_s=1, every_s=0.002, what="the end"
        )
        assert "[2/2]" in terminal.read_until("[2/2]")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (4.23, "4.2 s"), (12.6, "13 s"), (60, "1 min 00 s"), (1085.2, "18 min 05 s")],
)
def test_durations_are_said_as_people_do(seconds: float, words: str) -> None:
    """A tenth matters below ten seconds, and nothing below a second above a minute."""
    assert lasted(seconds) == words
