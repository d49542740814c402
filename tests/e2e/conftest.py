"""The cluster that end-to-end tests share, and runs on it."""

import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from sealegs.cluster import Cluster, connect
from sealegs.heal import heal

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster made here, with what killed runs left of faults undone.

    Without one every test is an error that names the command which makes one.
    """
    found = connect()
    list(heal(ROOT))
    return found


@pytest.fixture(autouse=True)
def _ctrl_c_ends_the_session(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whoever interrupts a run means all of them: it undoes its fault, is judged, and none follows."""
    before = signal.getsignal(signal.SIGINT)

    def hear(number: int, frame: FrameType | None) -> None:
        request.session.shouldstop = "interrupted"
        if callable(before):
            before(number, frame)

    # What a shell that starts the tests beside itself has them not hear stays unheard.
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, hear)
    yield
    signal.signal(signal.SIGINT, before)
