"""A run's folder that grows as a test says, for what reads it meanwhile."""

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealegs import evidence
from sealegs.evidence import write_json

ROOT = Path(__file__).parents[2]
# What load says when 300 of 1743 requests were sent.
STATUS: dict[str, Any] = {
    "planned": 1743,
    "sent": 300,
    "in_flight": 4,
    "outcomes": {"ok": 288, "http_429": 6, "reset": 2},
    "ttft_s_recent": {"0.15": 94, "0.212": 6},
    "waiting_s_max": None,
}
INJECTED = {"fault": "node_drain", "state": "injected", "detail": "4 streams in flight"}


@dataclass(frozen=True)
class GrowingRun:
    """A run of the drain scenario that began so long ago, in `run_dir`."""

    run_dir: Path

    @classmethod
    def begin(cls, run_dir: Path, *, ago_s: float = 0.0) -> "GrowingRun":
        """What is there when a run is opened."""
        run_dir.mkdir()
        shutil.copy(ROOT / "scenarios" / "gpu-node-drain.toml", run_dir / "scenario.toml")
        zero_ns = time.monotonic_ns() - round(ago_s * 1e9)
        write_json(run_dir / "run.json", {"scenario": "gpu-node-drain", "started_monotonic_ns": zero_ns})
        return cls(run_dir)

    def note(self, kind: str, *, t_s: float, **fields: object) -> None:
        """A record of the timeline."""
        self._append("timeline.jsonl", {"t_s": t_s, "kind": kind, **fields})

    def sample(self, *, ready: int, desired: int) -> None:
        """A look at the engines."""
        counts = {"ready": {"llm-inference": ready}, "desired": {"llm-inference": desired}}
        self._append("samples.jsonl", {"t_s": 0.0, **counts})

    def status(self, **changes: object) -> None:
        """What load says."""
        write_json(self.run_dir / "load-status.json", STATUS | changes)

    def tear(self, name: str, text: str) -> None:
        """The beginning of a line."""
        with (self.run_dir / name).open("a") as file:
            file.write(text)

    def _append(self, name: str, record: evidence.Record) -> None:
        self.tear(name, json.dumps(record) + "\n")
