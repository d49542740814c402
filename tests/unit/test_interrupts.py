"""Signals that end the command: the first is heard, and nothing cuts what is then undone."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sealegs import cli

# A command that undoes what it did when it is interrupted. Of a signal that comes just before a read that
# lasts Python hears only when the read is over: so it looks, again and again.
UNDOES = """
import select
import sys

from sealegs import cli

def wait():
    while not select.select([sys.stdin], [], [], 0.02)[0]:
        pass

@cli.main.command()
def hold():
    try:
        print("held", flush=True)
        wait()
    finally:
        print("undoing", flush=True)
        wait()
        print("undone", flush=True)

cli.main.main(["hold"])
"""


@pytest.fixture
def _restored() -> Iterator[None]:
    """What this process does about signals is afterwards as it was."""
    before = {number: signal.getsignal(number) for number in cli.ENDING}
    yield
    for number, what in before.items():
        signal.signal(number, what)


@pytest.mark.parametrize("first", cli.ENDING)
def test_what_is_being_undone_is_not_interrupted_again(first: signal.Signals) -> None:
    """A terminal that goes sends two signals, who is impatient presses twice: no undo is cut."""
    words = [sys.executable, "-c", UNDOES]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline() == "held\n"
        child.send_signal(first)
        assert child.stdout.readline() == "undoing\n"
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            child.send_signal(number)
        told = child.stderr.readline()
        child.stdin.write("go on\n")
        child.stdin.close()
        assert child.stdout.read() == "undone\n"
        assert child.stderr.read().strip() == "sealegs: interrupted"

    assert child.returncode == 130
    assert f"being undone; `kill -9 {child.pid}` would leave that to `sealegs heal`" in told


@pytest.mark.usefixtures("_restored")
def test_what_is_not_to_be_heard_stays_unheard() -> None:
    """Under `nohup` a terminal that goes ends nothing."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with pytest.raises(SystemExit):
        cli.main.main(["--version"], prog_name="sealegs")

    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
