"""Runs the real Locust child on a schedule that a test writes down, and reads the evidence that it leaves."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from sealegs.evidence import read_lines
from sealegs.scenario import Scenario
from sealegs.scenario.arrivals import Arrivals
from sealegs.scenario.claim import Expect, Phases
from sealegs.scenario.workload import Deadlines, Policy, Tokens, Traffic
from sealegs.tables import SCHEDULE
from sealegs.traffic import load
from sealegs.traffic.order import END_S
from sealegs.waiting import wait_until

ROOT = Path(__file__).parents[2]
END_LIMIT_S = 60.0
LEAD_S = 0.4
READY_LIMIT_S = 60.0
API_KEY = "test-key"
CHAT = ROOT / "locustfiles" / "chat.py"
NO_POLICY = Policy()
PATIENT = Deadlines(connect_s=5, first_token_s=20, gap_s=20, total_s=60)


@dataclass(frozen=True)
class Drive:
    """One run of load: where its evidence is, the zero of its times, and when its schedule begins."""

    run_dir: Path
    zero_ns: int
    begin_s: float
    load: load.Load

    def rows(self) -> dict[str, dict[str, Any]]:
        """Rows by request id; AssertionError when a request has two."""
        rows = read_lines(self.run_dir / "requests.jsonl").records
        found = {row["request_id"]: row for row in rows}
        assert len(found) == len(rows)
        return found

    def chunks_ns(self) -> dict[str, list[int]]:
        """Absolute receive stamps of each request's tokens."""
        chunks = read_lines(self.run_dir / "chunks.jsonl").records
        return {one["request_id"]: list(self._absolute_ns(one["t_us"])) for one in chunks}

    def document(self, name: str) -> dict[str, Any]:
        """A JSON document of the run."""
        document: dict[str, Any] = json.loads((self.run_dir / name).read_text())
        return document

    def _absolute_ns(self, t_us: Sequence[int]) -> Iterator[int]:
        at_us = 0
        for delta_us in t_us:
            at_us += delta_us
            yield self.zero_ns + at_us * 1000


@contextmanager
def driving(
    run_dir: Path,
    url: str,
    *,
    offsets_s: Sequence[float],
    tokens: int = 8,
    deadlines: Deadlines = PATIENT,
    in_flight_max: int = 100,
    processes: int = 1,
    policy: Policy = NO_POLICY,
    end_after_s: float = 3600.0,
    locustfile: Path = CHAT,
    texts: Tokens = "derived",
    stream: bool = True,
    changes: Mapping[int, Mapping[str, Any]] = MappingProxyType({}),
) -> Iterator[Drive]:
    """Load on its way: a request of `tokens` tokens at each offset from `Drive.begin_s`.

    `changes` overwrites columns of the schedule's row by its number; `texts` is the scenario's ``tokens``.
    """
    run_dir.mkdir(exist_ok=True)
    zero_ns = time.monotonic_ns()
    scenario = scenario_of(
        deadlines=deadlines,
        in_flight_max=in_flight_max,
        policy=policy,
        locustfile=locustfile,
        tokens=texts,
        whole=() if stream else ("chat",),
    )
    started = load.start(
        run_dir,
        scenario=scenario,
        gateway_url=url,
        api_key=API_KEY,
        started_monotonic_ns=zero_ns,
        processes=processes,
    )
    try:
        ready_or_dead(started)
        begin_s = round((time.monotonic_ns() - zero_ns) / 1e9 + LEAD_S, 6)
        planned = schedule_of([begin_s + offset_s for offset_s in offsets_s], tokens=tokens, changes=changes)
        started.begin(planned.replace_schema_metadata({END_S: str(begin_s + end_after_s)}))
        yield Drive(run_dir, zero_ns, begin_s, started)
    finally:
        started.stop()


def ready_or_dead(started: load.Load) -> None:
    """Return when load waits for its schedule, or one of its processes has died."""
    wait_until(
        lambda: started,
        ready=lambda one: one.ready or any(child.poll() is not None for child in one.children),
        limit_s=READY_LIMIT_S,
        every_s=0.02,
        what="load processes to be ready",
    )


def schedule_of(
    times_s: Sequence[float],
    *,
    tokens: int,
    changes: Mapping[int, Mapping[str, Any]] = MappingProxyType({}),
) -> pa.Table:
    """A schedule of equal requests; prompts grow so that none is like another."""
    rows = [
        {
            "request_id": f"r{number:06d}",
            "intended_s": round(at_s, 6),
            "prompt_tokens": 1 + 50 * number,
            "output_tokens": tokens,
            "profile": "chat",
            "model_type": "default",
            "session": f"s{number:06d}",
            "turn": 0,
            "think_s": 0.0,
            "prefix": "",
            "prefix_tokens": 0,
            "cancel": False,
        }
        | dict(changes.get(number, {}))
        for number, at_s in enumerate(times_s)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEDULE)


def scenario_of(**traffic: Any) -> Scenario:  # noqa: ANN401  any key of the table
    """A scenario of which load uses the traffic only."""
    keys: dict[str, Any] = {
        "locustfile": CHAT,
        "profiles": {"chat": 1.0},
        "arrivals": Arrivals(kind="poisson"),
        "rate_rps": 10.0,
        "in_flight_max": 100,
        "context_tokens_max": 8192,
        "tokens_per_s": 100.0,
        "deadlines": PATIENT,
    }
    return Scenario(
        name="load",
        path=ROOT / "scenarios" / "load.toml",
        title="",
        claim="",
        seed=0,
        stack_overlay="kind",
        stack_mutant=None,
        traffic=Traffic(**keys | traffic),
        experiment=None,
        experiment_vars={},
        phases=Phases(warmup_s=0, baseline_s=1, fault_s_max=1, recovery_s=1),
        objectives=(),
        invariants=(),
        bounds=(),
        recovery=None,
        budget=None,
        expect=Expect(),
    )
