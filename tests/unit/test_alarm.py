"""The alarm rings when it is time: never before, and others go on meanwhile."""

from time import monotonic_ns

import gevent
from hypothesis import given, settings
from hypothesis import strategies as st

from sealegs.traffic.alarm import Alarm


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-5_000_000, 5_000_000), max_size=5))
def test_it_never_rings_before_its_time(waits_ns: list[int]) -> None:
    """Whatever is asked, in the past or ahead, one after the other."""
    with Alarm() as alarm:
        for wait_ns in waits_ns:
            due_ns = monotonic_ns() + wait_ns
            alarm.wait_until(due_ns)
            assert monotonic_ns() >= due_ns


def test_a_time_that_is_past_still_lets_others_in() -> None:
    """Who is late must not keep the receiver waiting."""
    turns = []

    def other() -> None:
        turns.append(1)

    with Alarm() as alarm:
        gevent.spawn(other)
        alarm.wait_until(0)

    assert turns == [1]


def test_it_is_more_exact_than_the_loop() -> None:
    """At best it is late by less than half of the loop's millisecond."""
    late_ns = []
    with Alarm() as alarm:
        for _ in range(50):
            due_ns = monotonic_ns() + 2_300_000
            alarm.wait_until(due_ns)
            late_ns.append(monotonic_ns() - due_ns)

    assert min(late_ns) < 500_000
