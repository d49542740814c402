"""Whether the process that began a run still lives."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from sealegs import identity, record_shape

WAITS = (sys.executable, "-S", "-c", "import sys; sys.stdin.read()")


def document(pid: int) -> dict[str, Any]:
    """The part of run.json that a process of this moment writes about itself."""
    return {
        "boot_id": identity.boot_id(),
        "pid": pid,
        "pid_started": identity.process_started(pid),
    }


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """Another process, waiting."""
    with subprocess.Popen(WAITS, stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_a_living_process_runs(other: subprocess.Popen[bytes]) -> None:
    """This one does, and so does another."""
    assert identity.is_running(document(os.getpid()))
    assert identity.is_running(document(other.pid))


def test_a_dead_process_does_not(other: subprocess.Popen[bytes]) -> None:
    """Neither as long as nobody has collected it, as in a container without an init, nor afterwards."""
    run = document(other.pid)

    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert not identity.is_running(run)
    other.wait()
    assert not identity.is_running(run)


def test_a_number_that_was_used_again_is_another_process() -> None:
    """A process of the same number that began at another moment is not the runner."""
    assert not identity.is_running(document(os.getpid()) | {"pid_started": "1"})


def test_after_another_start_of_the_machine_nothing_runs() -> None:
    """Numbers and starts begin anew with the machine: that they are the same says nothing."""
    other_boot = "00000000-0000-0000-0000-000000000000"

    assert not identity.is_running(document(os.getpid()) | {"boot_id": other_boot})


def test_a_process_of_another_container_cannot_be_seen() -> None:
    """Its number is another's here; evidence of before, without its namespace, is taken for of here."""
    here = document(os.getpid())

    assert identity.is_here(here)
    assert identity.is_here(here | {"pid_namespace": identity.pid_namespace()})
    assert identity.is_running(here | {"pid_namespace": identity.pid_namespace()})
    assert not identity.is_here(here | {"pid_namespace": "pid:[1]"})
    assert not identity.is_running(here | {"pid_namespace": "pid:[1]"})
    assert record_shape.fits({"pid_namespace": "pid:[1]"}, known=record_shape.IDENTITY_KNOWN)
    assert not record_shape.fits({"pid_namespace": 1}, known=record_shape.IDENTITY_KNOWN)


def test_a_dead_process_without_a_start_does_not_run(other: subprocess.Popen[bytes]) -> None:
    """Two things that are not known are not the same: a run.json without the start holds nobody up."""
    other.kill()
    other.wait()

    assert not identity.is_running({"boot_id": identity.boot_id(), "pid": other.pid})
