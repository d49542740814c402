"""The clock and the one wait loop: every wait has a limit and says what it last saw."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

State = TypeVar("State")


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """How long each thing may take, in seconds, named by what is awaited."""

    api_answer_s: float = 10.0
    # A watch hears nothing for as long as nothing happens: the API server ends it, and it is begun anew.
    watch_s: float = 60.0
    # An API server that is away is a fault to be recorded, not the end of the recording.
    api_silence_s: float = 60.0
    first_look_s: float = 30.0
    streams_in_flight_s: float = 30.0
    load_ready_s: float = 90.0
    # After its last answer: the canary, the last lines, Locust's own end.
    load_ended_s: float = 20.0
    rollbacks_s: float = 60.0
    threads_end_s: float = 5.0


TIMEOUTS = Timeouts()


def now_s() -> float:
    """Seconds on the machine's monotonic clock, the only clock that durations are taken from."""
    return time.monotonic()


def now_ns() -> int:
    """Nanoseconds on the same clock: what a run's zero is written down as."""
    return time.monotonic_ns()


def wait_until(
    probe: Callable[[], State],
    *,
    ready: Callable[[State], object],
    limit_s: float,
    every_s: float,
    what: str,
    error: Callable[[State], object] | None = None,
    successes: int = 1,
) -> State:
    """The state that ``probe`` returned when ``ready`` had held ``successes`` times in a row.

    Raises:
        TimeoutError: ``limit_s`` seconds passed, or ``error`` held; says what was awaited and last seen.
    """
    start = now_s()
    in_a_row = 0
    while True:
        state = probe()
        if error is not None and error(state):
            after_s = now_s() - start
            raise TimeoutError(f"gave up waiting for {what} after {after_s:.1f} s; last seen: {state}")
        in_a_row = in_a_row + 1 if ready(state) else 0
        if in_a_row >= successes:
            return state
        if now_s() - start >= limit_s:
            raise TimeoutError(f"waited {limit_s:.0f} s for {what}; last seen: {state}")
        time.sleep(every_s)


def every(period_s: float, *, until: threading.Event) -> Iterator[float]:
    """The time now, at once and then on each beat of ``period_s``, until ``until`` is set.

    A beat that its user was too slow for is left out, so that the others stay where they are.
    """
    start_s = now_s()
    while not until.is_set():
        yield now_s()
        until.wait(period_s - (now_s() - start_s) % period_s)
