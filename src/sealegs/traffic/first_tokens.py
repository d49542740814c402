"""How soon first tokens come of late: what people watch while a run goes on. Judgement has the rows."""

import math
from collections import Counter, deque
from typing import Any

from sealegs.traffic.client.exchange import Exchange

WINDOW_S = 15.0
# Each step is so much longer than the one before it: 117 of them for every power of ten, and what is rounded
# to one is off by a hundredth at most. Whoever writes many keys a second keeps the receiver waiting.
STEP = 1.02
TTFT_S_MIN = 1e-4


class FirstTokens:
    """First tokens of one load process, and who waits for theirs. All times are from the intended ones.

    Who waits is looked through when somebody asks, once a second, so that an event costs nothing more.
    """

    def __init__(self, *, zero_ns: int) -> None:
        self._zero_ns = zero_ns
        self._waiting: dict[str, Exchange] = {}
        self._new: Counter[str] = Counter()
        self._recent: Counter[str] = Counter()
        self._looks: deque[tuple[int, Counter[str]]] = deque()

    def sent(self, exchange: Exchange) -> None:
        """An attempt left."""
        self._waiting[exchange.planned.request_id] = exchange

    def ended(self, exchange: Exchange) -> None:
        """An attempt ended, with a first token or without."""
        if self._waiting.pop(exchange.planned.request_id, None) is not None:
            self._note(exchange)

    def told(self, *, now_ns: int) -> dict[str, Any]:
        """For ``load-status.json``: TTFT in seconds → how many first tokens of the last `WINDOW_S` took it.

        TTFTs are rounded to steps; counts of several processes add up. A first token counts from the look
        that finds it.
        """
        for request_id, exchange in list(self._waiting.items()):
            if self._note(exchange):
                del self._waiting[request_id]
        self._looks.append((now_ns, self._new))
        self._recent.update(self._new)
        self._new = Counter()
        while self._looks[0][0] <= now_ns - WINDOW_S * 1e9:
            self._forget(self._looks.popleft()[1])
        oldest = min(self._waiting.values(), key=lambda one: one.planned.intended_s, default=None)
        return {
            "ttft_s_recent": dict(self._recent),
            "waiting_s_max": self._since_s(oldest, now_ns) if oldest is not None else None,
        }

    def _note(self, exchange: Exchange) -> bool:
        """Count an attempt's first token, if it has one. Returns whether it has."""
        stamps_ns = exchange.reply.answer.texts_ns
        if stamps_ns:
            self._new[_rounded(self._since_s(exchange, stamps_ns[0]))] += 1
        return bool(stamps_ns)

    def _forget(self, gone: Counter[str]) -> None:
        """Take counts away that are too old."""
        self._recent.subtract(gone)
        for ttft_s in gone:
            if not self._recent[ttft_s]:
                del self._recent[ttft_s]

    def _since_s(self, exchange: Exchange, stamp_ns: int) -> float:
        """A stamp after the intended time of a request."""
        return round((stamp_ns - self._zero_ns) / 1e9 - exchange.planned.intended_s, 6)


def _rounded(ttft_s: float) -> str:
    """A TTFT as the nearest step, in seconds."""
    return f"{STEP ** round(math.log(max(ttft_s, TTFT_S_MIN)) / math.log(STEP)):.4g}"
