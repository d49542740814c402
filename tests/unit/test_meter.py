"""What a load process says about itself: counts, quantiles that occurred, nothing that it did not measure."""

import time
from typing import Any

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealegs.traffic import clock
from sealegs.traffic.load import merge
from sealegs.traffic.meter import Meter
from sealegs.traffic.quantile import quantile_of
from sealegs.traffic.stalls import LONG_S, NAP_S, Stalls


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """The hands of the monotonic clock and of the processor's, to be set."""
    set_to = {"monotonic": 100.0, "process_time": 10.0}
    monkeypatch.setattr(time, "monotonic", lambda: set_to["monotonic"])
    monkeypatch.setattr(time, "process_time", lambda: set_to["process_time"])
    return set_to


def summary(meter: Meter, **changes: object) -> dict[str, object]:
    """A meter's summary; but for the changes nothing else was measured."""
    given = {"stalls": Stalls(begin_ns=0), "receive_errors_s": [], "canaries_s": (None, None)} | changes
    return meter.summary(**given)  # type: ignore[arg-type]


def busy(hands: dict[str, float], meter: Meter, *shares: float) -> None:
    """A second a share, each looked at."""
    for share in shares:
        hands["monotonic"] += 1
        hands["process_time"] += share
        meter.status(t_s=0.0)


def test_counts_are_of_requests_and_not_of_attempts() -> None:
    """Planned is what was sent and what was not; what was sent again is told apart."""
    meter = Meter(planned=5, zero_ns=0)
    for lag_s in (0.003, 0.001, 0.002):
        meter.sent(lag_s=lag_s)
    meter.again()
    meter.ended("ok")
    meter.ended("cap_refused", was_sent=False)
    meter.ended("never_sent", was_sent=False)

    told = summary(meter)

    assert (told["planned"], told["sent"], told["cap_refused"], told["never_sent"]) == (5, 3, 1, 1)
    assert (told["finished"], told["sent_again"]) == (1, 1)
    assert (told["lag_s_p50"], told["lag_s_max"]) == (0.002, 0.003)
    assert meter.status(t_s=1.0)["in_flight"] == 2


def test_a_processor_counts_as_hot_only_while_load_runs(hands: dict[str, float]) -> None:
    """Booting takes all of a core and measures nothing."""
    meter = Meter(planned=1, zero_ns=0)
    busy(hands, meter, 1.0, 1.0)
    assert summary(meter)["cpu_hot_share"] is None

    meter.sent(lag_s=0.0)
    busy(hands, meter, 0.3, 0.95, 0.9, 0.2)

    assert summary(meter)["cpu_hot_share"] == 0.25
    assert summary(meter)["cpu_share_max"] == 1.0


def test_what_was_not_measured_is_not_told() -> None:
    """No number stands for one that there is not."""
    told = summary(Meter(planned=0, zero_ns=0), canaries_s=(0.001, None))

    assert told["canaries_taken"] is False
    unknown = ("lag_s_p99", "stall_s_p99", "stalled_share", "receive_error_s_p99", "canary_s_p99_after")
    assert [told[key] for key in unknown] == [None] * 5


def test_of_several_processes_counts_add_up_and_the_worst_number_stands() -> None:
    """A process that took no canary is not hidden by one that did."""
    meter = Meter(planned=1, zero_ns=0)
    stalls = Stalls(begin_ns=0)
    stalls.note(NAP_S + 0.2)
    one = summary(meter, stalls=stalls, canaries_s=(0.001, 0.004), receive_errors_s=[0.002, 0.001])
    other = summary(meter, canaries_s=(0.003, None), receive_errors_s=[0.003])

    told = merge([one, other]) or {}

    assert (told["planned"], told["stalls_long"], told["receive_errors"]) == (2, 1, 3)
    assert (told["canary_s_p99_before"], told["canaries_taken"]) == (0.003, False)
    assert (told["receive_error_s_p50"], told["receive_error_s_max"]) == (0.003, 0.003)
    assert told["boot_id"] == clock.boot_id()


def test_a_stall_is_what_a_nap_was_too_long() -> None:
    """Only the long ones count as time in which nothing was received; an early timer is no stall."""
    stalls = Stalls(begin_ns=0)
    for late_s in [-0.001, *[0.0] * 97, 0.05, LONG_S + 0.1]:
        stalls.note(NAP_S + late_s)

    told = stalls.summary()

    assert (told["stall_s_p99"], told["stall_s_max"], told["stalls_long"]) == (0.2, 0.2, 1)
    assert told["stalled_share"] == pytest.approx(0.2 / (100 * NAP_S - 0.001 + 0.25), abs=1e-6)


def noted(stalls: Stalls) -> dict[str, Any]:
    """What was noted, once something was."""
    with gevent.Timeout(5):
        while stalls.summary()["stall_s_max"] is None:
            gevent.sleep(0.001)
    return stalls.summary()


def test_who_keeps_the_loop_from_turning_is_noticed() -> None:
    """A real greenlet that computes for a while is a stall of that length."""
    stalls = Stalls(begin_ns=0)
    watching = gevent.spawn(stalls.watch)
    noted(stalls)  # from here on it naps
    until_s = time.monotonic() + 0.25
    while time.monotonic() < until_s:
        pass
    with gevent.Timeout(5):
        while not stalls.summary()["stalls_long"]:
            gevent.sleep(0.001)
    watching.kill()

    assert stalls.summary()["stall_s_max"] >= 0.2


def test_before_the_load_begins_nobody_stalls() -> None:
    """One watch begins at once, the other in an hour: what the first has noted the second has not."""
    now, later = Stalls(begin_ns=0), Stalls(begin_ns=time.monotonic_ns() + 3600 * 10**9)
    watching = [gevent.spawn(later.watch), gevent.spawn(now.watch)]
    noted(now)
    gevent.killall(watching)

    assert later.summary()["stall_s_max"] is None


@given(st.lists(st.floats(0, 10), min_size=1), st.sampled_from([0.5, 0.99, 1.0]))
def test_a_quantile_is_a_value_that_occurred(values: list[float], share: float) -> None:
    """No less than a share of them lies at or below it."""
    found = quantile_of(sorted(values), share)

    assert found in {round(value, 6) for value in values}
    assert sum(round(value, 6) <= found for value in values) >= share * len(values)
    assert quantile_of([], share) is None


def test_the_wall_clock_at_zero_is_now_less_what_has_passed() -> None:
    """Whenever it is asked for, unless somebody sets the clock."""
    zero_ns = time.monotonic_ns() - 5_000_000_000

    assert clock.wall_zero_s(zero_ns) == pytest.approx(time.time() - 5, abs=0.2)
    assert clock.wall_zero_s(zero_ns) == pytest.approx(clock.wall_zero_s(zero_ns), abs=0.05)
