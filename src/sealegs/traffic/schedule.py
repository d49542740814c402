"""The schedule: each request of a run and its intended time, made from the scenario before anything runs."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sealegs import profiles
from sealegs.arrivals import ARRIVALS
from sealegs.data import read_lengths
from sealegs.errors import ScenarioError
from sealegs.scenario import Scenario
from sealegs.tables import SCHEDULE

DROPPED = b"dropped"


def make(scenario: Scenario, *, start_s: float = 0.0) -> pa.Table:
    """The schedule of a scenario whose load begins at `start_s`, in seconds since run start.

    Everything random comes from the scenario's seed: another `start_s` moves the times and changes nothing
    else. Requests longer than the model's context are dropped, and counted in the table's metadata: see
    `dropped_of`.

    Returns:
        A table of schema ``tables.SCHEDULE``, in the order of the intended times.

    Raises:
        ScenarioError: no request is left.
    """
    traffic = scenario.traffic
    # Two streams, so that another arrival process keeps the drawn lengths.
    for_times, for_lengths = (
        np.random.default_rng(seed) for seed in np.random.SeedSequence(scenario.seed).spawn(2)
    )
    duration_s = scenario.phases.duration_s
    times_s = ARRIVALS[traffic.arrivals](traffic.rate_rps, duration_s=duration_s, rng=for_times)
    trace = profiles.lengths_of(read_lengths(traffic.profile))
    lengths = profiles.draw(trace, count=len(times_s), rng=for_lengths)
    fits = profiles.fitting(lengths, context_tokens_max=traffic.context_tokens_max)
    kept = lengths.take(fits)
    if not len(kept):
        problem = f"none of {len(times_s)} requests of profile {traffic.profile!r} fits"
        raise ScenarioError([f"{scenario.path}: {problem} context_tokens_max = {traffic.context_tokens_max}"])
    return pa.table(
        {
            "request_id": [f"r{number:06d}" for number in range(len(kept))],
            "intended_s": pa.array(np.round(start_s + times_s[fits], 6)),
            "prompt_tokens": pa.array(kept.prompt_tokens),
            "output_tokens": pa.array(kept.output_tokens),
            "profile": [traffic.profile] * len(kept),
            "model_type": [traffic.model_type] * len(kept),
        },
        schema=SCHEDULE.with_metadata({DROPPED: str(len(fits) - len(kept)).encode()}),
    )


def dropped_of(schedule: pa.Table) -> int:
    """How many drawn requests were left out of a schedule because they do not fit the model's context."""
    return int((schedule.schema.metadata or {}).get(DROPPED, b"0"))


def write(schedule: pa.Table, path: Path) -> None:
    """Write a schedule as Parquet, whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    pq.write_table(schedule, part, compression="zstd")
    part.replace(path)
