"""An alarm for one greenlet, exact to some tens of microseconds: Linux's timerfd in gevent's loop.

The loop's own timers count in whole milliseconds, which is half of what a request may leave late.
"""

import ctypes
import os
import time
from types import TracebackType
from typing import Self

import gevent

LIBEV_READ = 1
ABSOLUTE = 1  # TFD_TIMER_ABSTIME
SECOND_NS = 1_000_000_000
EXPIRATIONS_BYTES = 8


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _TimeSpec), ("value", _TimeSpec))


class Alarm:
    """Wakes the greenlet that waits at a time of CLOCK_MONOTONIC, in nanoseconds; use it as a context."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._rings = gevent.get_hub().loop.io(self._descriptor, LIBEV_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rings.close()
        os.close(self._descriptor)

    def wait_until(self, due_ns: int) -> None:
        """Return when it is time, never before; at once, others having had a turn, when that is past."""
        # A time of 0 would disarm it.
        seconds, nanoseconds = divmod(max(1, due_ns), SECOND_NS)
        asked = _TimerSpec(_TimeSpec(0, 0), _TimeSpec(seconds, nanoseconds))
        if self._libc.timerfd_settime(self._descriptor, ABSOLUTE, ctypes.byref(asked), None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")
        gevent.get_hub().wait(self._rings)
        os.read(self._descriptor, EXPIRATIONS_BYTES)
