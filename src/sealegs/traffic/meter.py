"""What a load process knows about itself: its counts, how late it sends, how much of a processor it takes."""

import gc
import time
from bisect import insort
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sealegs.traffic import clock
from sealegs.traffic.quantile import quantile_of
from sealegs.traffic.stalls import Stalls

LOOK_S_MIN = 0.5
# Locust warns from here on: less than a tenth of a core is left for what comes at once.
CPU_SHARE_HOT = 0.9


class Meter:
    """Counts of one load process. `sent` are those that left, `finished` those of them that ended.

    The run's zero is that of the order; the wall clock is looked at here and again for the summary.
    """

    def __init__(self, *, planned: int, zero_ns: int) -> None:
        self._planned = planned
        self._zero_ns = zero_ns
        self._wall_zero_s = clock.wall_zero_s(zero_ns)
        self._sent = 0
        self._again = 0
        self._finished = 0
        self._outcomes: Counter[str] = Counter()
        self._lags_s: list[float] = []
        self._cpu_share = 0.0
        self._cpu_share_max = 0.0
        self._measured_s = 0.0
        self._hot_s = 0.0
        self._looked = (time.monotonic(), time.process_time())

    def sent(self, *, lag_s: float) -> None:
        """A request left for the first time, so late after its intended time."""
        self._sent += 1
        # Kept sorted: a look at the quantiles each second must not cost a sort of all of them.
        insort(self._lags_s, lag_s)

    def again(self) -> None:
        """A request left once more, after an attempt that failed."""
        self._again += 1

    def ended(self, outcome: str, *, was_sent: bool = True) -> None:
        """A request came to its end."""
        self._finished += was_sent
        self._outcomes[outcome] += 1

    def status(self, *, t_s: float) -> dict[str, Any]:
        """``load-status.json``: counts so far, and the processor's share since the last look."""
        self._look_at_cpu()
        return {
            "t_s": round(t_s, 3),
            "planned": self._planned,
            "sent": self._sent,
            "finished": self._finished,
            "in_flight": self._sent - self._finished,
            "outcomes": dict(sorted(self._outcomes.items())),
            "lag_s_p99": quantile_of(self._lags_s, 0.99),
            "lag_s_max": quantile_of(self._lags_s, 1.0),
            "cpu_share": self._cpu_share,
        }

    def summary(
        self, *, stalls: Stalls, receive_errors_s: Sequence[float], canaries_s: Sequence[float | None]
    ) -> dict[str, Any]:
        """``load-summary.json``: the whole of it.

        Of several processes counts will be added up, and of fractions the largest stands: see `load.merge`.
        What was not measured is None. `canaries_s` are the errors before and after the load.
        """
        before_s, after_s = canaries_s
        received_s = sorted(receive_errors_s)
        return {
            "planned": self._planned,
            "sent": self._sent,
            "sent_again": self._again,
            "finished": self._finished,
            "cap_refused": self._outcomes["cap_refused"],
            "never_sent": self._outcomes["never_sent"],
            "lag_s_p50": quantile_of(self._lags_s, 0.5),
            "lag_s_p99": quantile_of(self._lags_s, 0.99),
            "lag_s_max": quantile_of(self._lags_s, 1.0),
            "cpu_share_max": self._cpu_share_max,
            "cpu_hot_share": round(self._hot_s / self._measured_s, 6) if self._measured_s else None,
            **stalls.summary(),
            "receive_errors": len(received_s),
            "receive_error_s_p50": quantile_of(received_s, 0.5),
            "receive_error_s_p99": quantile_of(received_s, 0.99),
            "receive_error_s_max": quantile_of(received_s, 1.0),
            "canaries_taken": None not in canaries_s,
            "canary_s_p99_before": before_s,
            "canary_s_p99_after": after_s,
            "boot_id": clock.boot_id(),
            "wall_zero_s_before": self._wall_zero_s,
            "wall_zero_s_after": clock.wall_zero_s(self._zero_ns),
            "gc_frozen": gc.get_freeze_count() > 0,
        }

    def _look_at_cpu(self) -> None:
        """Take the processor's share since the last look; only from the first request on does it count."""
        now = (time.monotonic(), time.process_time())
        elapsed_s, used_s = now[0] - self._looked[0], now[1] - self._looked[1]
        # The first look comes at once and the last at any time: over an instant a share means nothing.
        if elapsed_s < LOOK_S_MIN:
            return
        self._looked = now
        self._cpu_share = round(used_s / elapsed_s, 4)
        self._cpu_share_max = max(self._cpu_share_max, self._cpu_share)
        if self._sent:
            self._measured_s += elapsed_s
            self._hot_s += elapsed_s * (self._cpu_share > CPU_SHARE_HOT)
