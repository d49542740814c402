"""What a load process knows about itself: its counts, how late it sends, how much of a processor it takes."""

import gc
import time
from bisect import insort
from collections import Counter
from typing import Any

LOOK_S_MIN = 0.5


class Meter:
    """Counts of one load process. `sent` are those that left, `finished` those of them that ended."""

    def __init__(self, *, planned: int) -> None:
        self._planned = planned
        self._sent = 0
        self._finished = 0
        self._outcomes: Counter[str] = Counter()
        self._lags_s: list[float] = []
        self._cpu_share = 0.0
        self._cpu_share_max = 0.0
        self._looked = (time.monotonic(), time.process_time())

    def sent(self, *, lag_s: float) -> None:
        """A request left, so late after its intended time."""
        self._sent += 1
        # Kept sorted: a look at the quantiles each second must not cost a sort of all of them.
        insort(self._lags_s, lag_s)

    def ended(self, outcome: str, *, was_sent: bool = True) -> None:
        """A request came to its end."""
        self._finished += was_sent
        self._outcomes[outcome] += 1

    def status(self, *, t_s: float) -> dict[str, Any]:
        """``load-status.json``: counts so far, and the processor's share since the last look."""
        now = (time.monotonic(), time.process_time())
        elapsed_s, used_s = now[0] - self._looked[0], now[1] - self._looked[1]
        # The first look comes at once and the last at any time: over an instant a share means nothing.
        if elapsed_s >= LOOK_S_MIN:
            self._looked = now
            self._cpu_share = round(used_s / elapsed_s, 4)
            self._cpu_share_max = max(self._cpu_share_max, self._cpu_share)
        return {
            "t_s": round(t_s, 3),
            "planned": self._planned,
            "sent": self._sent,
            "finished": self._finished,
            "in_flight": self._sent - self._finished,
            "outcomes": dict(sorted(self._outcomes.items())),
            "lag_s_p99": self._lag_s(0.99),
            "lag_s_max": self._lag_s(1.0),
            "cpu_share": self._cpu_share,
        }

    def summary(self) -> dict[str, Any]:
        """``load-summary.json``: the whole of it."""
        return {
            "planned": self._planned,
            "sent": self._sent,
            "finished": self._finished,
            "cap_refused": self._outcomes["cap_refused"],
            "lag_s_p50": self._lag_s(0.5),
            "lag_s_p99": self._lag_s(0.99),
            "lag_s_max": self._lag_s(1.0),
            "cpu_share_max": self._cpu_share_max,
            "gc_frozen": gc.get_freeze_count() > 0,
        }

    def _lag_s(self, share: float) -> float | None:
        """A quantile of the lags, as one that occurred; None before the first request."""
        if not self._lags_s:
            return None
        return round(self._lags_s[min(len(self._lags_s) - 1, int(share * len(self._lags_s)))], 6)
