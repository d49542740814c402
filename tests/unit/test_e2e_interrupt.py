"""Ctrl-C during `pytest -m e2e`: a run hears it and is judged, and the session is over."""

import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Also where these tests run in the background, whose processes hear no interrupt.
PYTEST = """
import signal
import sys

import pytest

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(pytest.main(sys.argv[1:]))
"""
# A run hears the interrupt itself, undoes its fault and ends in order.
RUNS = """
def test_first():
    try:
        print("going", flush=True)
        while True:
            pass
    except KeyboardInterrupt:
        print("undone", flush=True)

def test_second():
    print("another", flush=True)
"""


def test_no_run_follows_one_that_was_interrupted(tmp_path: Path) -> None:
    """The run that hears the interrupt ends as it does, no other begins, and pytest says what happened."""
    (tmp_path / "test_runs.py").write_text(RUNS)
    options = [
        "-p",
        "tests.e2e.conftest",
        "-p",
        "no:cacheprovider",
        "--capture=no",
        "--rootdir",
        str(tmp_path),
    ]
    words = [sys.executable, "-c", PYTEST, *options, "-c", "/dev/null", str(tmp_path)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        while "going" not in (line := child.stdout.readline()):
            assert line, "pytest ended before its first test began"
        child.send_signal(signal.SIGINT)
        told = child.stdout.read()

    assert "undone" in told
    assert "another" not in told
    assert "interrupted" in told
    assert child.returncode == 2
