"""How far long work has come: one line that is kept true on a terminal, plain lines elsewhere."""

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from sealegs.waiting import every, now_s

REDRAW_S = 0.5
CLEAR = "\r\033[K"
MINUTE_S = 60


@dataclass
class Progress:
    """Steps of one piece of work, some of them at the same time. Safe to use from many threads.

    Attributes:
        estimates_s: step → seconds it adds to the whole, for every step that is still to do.
        out: where it is told.
    """

    estimates_s: Mapping[str, float]
    out: TextIO = field(default_factory=lambda: sys.stderr)
    _start_s: float = field(default_factory=now_s)
    _running: dict[str, float] = field(default_factory=dict)
    _done: dict[str, float] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """One step is being done; when it ends well, how long it took is told, unless it was not expected."""
        with self._lock:
            self._running[name] = now_s()
            if name in self.estimates_s and not self.out.isatty():
                self._tell(f"{name} …{self._left()}")
        try:
            yield
        finally:
            with self._lock:
                took_s = now_s() - self._running.pop(name)
        with self._lock:
            self._done[name] = took_s
            if name in self.estimates_s:
                self._tell(f"{name}: {lasted(took_s)}")

    @contextmanager
    def shown(self) -> Iterator[None]:
        """On a terminal, a line at the bottom says what is being done and how long it may still take."""
        end = threading.Event()
        drawing = threading.Thread(target=self._draw, args=(end,))
        if self.out.isatty():
            drawing.start()
        try:
            yield
        finally:
            end.set()
            if drawing.ident is not None:
                drawing.join()

    @property
    def took_s(self) -> float:
        """Seconds since the work began."""
        return now_s() - self._start_s

    @property
    def left_s(self) -> float:
        """Seconds that the steps not yet done may take."""
        with self._lock:
            now = now_s()
            begun = {name: now - since_s for name, since_s in self._running.items()}
            return sum(
                max(0.0, estimate_s - begun.get(name, 0.0))
                for name, estimate_s in self.estimates_s.items()
                if name not in self._done
            )

    def _draw(self, end: threading.Event) -> None:
        for _ in every(REDRAW_S, until=end):
            with self._lock:
                doing = ", ".join(self._running)
                count = f"[{len(self._done)}/{max(len(self.estimates_s), len(self._done))}]"
                print(f"{CLEAR}{count} {doing} · {lasted(self.took_s)}{self._left()}", end="", file=self.out)
                self.out.flush()
        print(CLEAR, end="", file=self.out, flush=True)

    def _left(self) -> str:
        left_s = self.left_s
        return f" · about {lasted(left_s)} left" if left_s >= 1 else ""

    def _tell(self, text: str) -> None:
        print(f"{CLEAR if self.out.isatty() else ''}sealegs: {text}", file=self.out, flush=True)


def lasted(seconds: float) -> str:
    """A duration as people say it: ``4.2 s``, ``18 min 05 s``."""
    if seconds < MINUTE_S:
        return f"{seconds:.1f} s" if seconds < MINUTE_S / 6 else f"{seconds:.0f} s"
    minutes, rest_s = divmod(round(seconds), MINUTE_S)
    return f"{minutes} min {rest_s:02d} s"
