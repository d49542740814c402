"""How long whoever is ready in a load process waits for its turn: a greenlet that notes how late it wakes.

Whatever keeps this one waiting (a long computation, the machine giving its cores to others) keeps the
receiver waiting too, and its stamps come late.
"""

from array import array
from time import monotonic_ns
from typing import Any

import gevent

from sealegs.traffic.quantile import quantile_of

NAP_S = 0.01
LONG_S = 0.1


class Stalls:
    """The delays of one load process from `begin_ns` on, nanoseconds of CLOCK_MONOTONIC."""

    def __init__(self, *, begin_ns: int) -> None:
        self._begin_ns = begin_ns
        self._late_s = array("d")
        self._watched_s = 0.0

    def watch(self) -> None:
        """Nap and note by how much that was too long, for ever."""
        gevent.sleep(max(0.0, (self._begin_ns - monotonic_ns()) / 1e9))
        while True:
            slept_ns = monotonic_ns()
            gevent.sleep(NAP_S)
            self.note((monotonic_ns() - slept_ns) / 1e9)

    def note(self, slept_s: float) -> None:
        """A nap took so long."""
        self._watched_s += slept_s
        # Timers may fire early by a part of a millisecond.
        self._late_s.append(max(0.0, slept_s - NAP_S))

    def summary(self) -> dict[str, Any]:
        """Quantiles of the delays, how many were long, and the share of the time that the long ones took."""
        late_s = sorted(self._late_s)
        long_s = [one for one in late_s if one > LONG_S]
        return {
            "stall_s_p99": quantile_of(late_s, 0.99),
            "stall_s_max": quantile_of(late_s, 1.0),
            "stalls_long": len(long_s),
            "stalled_share": round(sum(long_s) / self._watched_s, 6) if self._watched_s else None,
        }
