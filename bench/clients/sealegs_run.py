"""Send a job as a run of sealegs does: the real Locust child on a schedule that is written down before.

Usage: sealegs_run.py FOLDER, which holds job.json and gets the run's evidence. Only the child is measured:
this process stands for the runner and moves to the other core.
"""

import dataclasses
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from tests.load.drive import PATIENT, ready_or_dead, scenario_of

from sealegs.tables import SCHEDULE
from sealegs.traffic import load
from sealegs.traffic.order import END_S

DRAINED_S = 60.0
SERVER_CORE = 1


def main() -> None:
    """Write the schedule, start the child, wait for its end."""
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text())
    zero_ns = time.monotonic_ns()
    patient = dataclasses.replace(PATIENT, gap_s=job["gap_s_max"])
    started = load.start(
        folder,
        scenario=scenario_of(deadlines=patient, in_flight_max=20_000),
        gateway_url=job["url"],
        api_key="bench",
        started_monotonic_ns=zero_ns,
        processes=1,
    )
    os.sched_setaffinity(0, {SERVER_CORE})
    ready_or_dead(started)
    begin_s = (time.monotonic_ns() - zero_ns) / 1e9 + load.LEAD_S
    rows = [row_of(number, begin_s + at_s, job["tokens"]) for number, at_s in enumerate(times_of(job))]
    end_s = begin_s + job["seconds"] + DRAINED_S
    planned = pa.Table.from_pylist(rows, schema=SCHEDULE)
    started.begin(planned.replace_schema_metadata({END_S: str(end_s)}))
    started.wait(load.LEAD_S + job["seconds"] + DRAINED_S)


def times_of(job: dict[str, float]) -> list[float]:
    """When requests are due: evenly spread where streams are counted, at random where lag is."""
    count = round(job["rate_rps"] * job["seconds"])
    gaps_s = np.full(count, 1 / job["rate_rps"])
    if job["paced"]:
        gaps_s = np.random.default_rng(1).exponential(1 / job["rate_rps"], count)
    return [float(at_s) for at_s in np.cumsum(gaps_s)]


def row_of(number: int, at_s: float, tokens: int) -> dict[str, object]:
    """One planned request of eight words, a session of its own."""
    request_id = f"r{number:06d}"
    return {
        "request_id": request_id,
        "intended_s": round(at_s, 6),
        "prompt_tokens": 8,
        "output_tokens": tokens,
        "profile": "chat",
        "model_type": "default",
        "session": request_id,
        "turn": 0,
        "think_s": 0.0,
        "prefix": "",
        "prefix_tokens": 0,
        "cancel": False,
    }


main()
