"""The canary on a real server process: it measures the client, and says nothing when it could not."""

import time

import gevent
import pytest

from sealegs.traffic import canary as canaries
from sealegs.traffic.canary import canary

pytestmark = pytest.mark.load

# A machine that does much else is late at times; a client that is late by habit is later than this.
QUIET_S_MAX = 0.02
BUSY_S = 0.04


def test_a_canary_measures_and_ends() -> None:
    """No stamp is before its token was written, and few are much later."""
    with canary() as echo:
        error_s = echo.error_s_p99()

    assert error_s is not None
    assert 0 < error_s < QUIET_S_MAX
    assert echo.server.returncode is not None


def test_a_client_that_is_kept_from_reading_is_measured_as_late() -> None:
    """The same client beside a greenlet that computes for most of the time."""

    def compute() -> None:
        while True:
            until_s = time.monotonic() + BUSY_S
            while time.monotonic() < until_s:
                pass
            gevent.sleep(0.001)

    with canary() as echo:
        computing = gevent.spawn(compute)
        error_s = echo.error_s_p99()
        computing.kill()

    assert error_s is not None
    assert error_s > BUSY_S / 2


def test_a_server_that_died_measures_nothing() -> None:
    """Nor does it take the load with it."""
    with canary() as echo:
        echo.server.kill()
        echo.server.wait()
        assert echo.error_s_p99() is None


def test_an_answer_that_does_not_come_measures_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of the tokens would be the quick part."""
    monkeypatch.setattr(canaries, "TOKENS", 6)
    with canary() as echo:
        assert echo.error_s_p99() is None


def test_the_server_ends_with_its_block() -> None:
    """Nothing is left running when the load process goes on."""
    with canary() as echo:
        assert echo.server.poll() is None
    assert echo.server.returncode is not None
