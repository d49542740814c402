"""What happened and when: the appending side of ``timeline.jsonl``, for every process of a run."""

from pathlib import Path
from typing import Any

from sealegs.evidence import JsonLines
from sealegs.waiting import now_ns

MICROS = 6


class Timeline:
    """Appends to a run's timeline. Safe to use from many threads and from many processes at once."""

    def __init__(self, run_dir: Path, *, zero_ns: int) -> None:
        self._lines = JsonLines(run_dir / "timeline.jsonl")
        self._zero_ns = zero_ns

    @property
    def now_s(self) -> float:
        """Seconds since run start."""
        return round((now_ns() - self._zero_ns) / 1e9, MICROS)

    def note(self, kind: str, **fields: Any) -> float:  # noqa: ANN401  each kind of record has its own
        """Write down that something happened now; returns when that is."""
        t_s = self.now_s
        self._lines.append({"t_s": t_s, "kind": kind, **fields})
        return t_s

    def close(self) -> None:
        """Close the file."""
        self._lines.close()
