"""The schedule: each request of a run and its intended time, made from the scenario before anything runs."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sealegs.data import read_day_shape, read_trace
from sealegs.errors import ScenarioError
from sealegs.profiles import (
    Flags,
    Index,
    Seconds,
    Trace,
    draw_sessions,
    fitting,
    sessions_of,
    trace_of,
    turns_mean,
)
from sealegs.scenario import Scenario, arrivals
from sealegs.scenario.workload import Traffic
from sealegs.tables import SCHEDULE
from sealegs.traffic.order import END_S

DROPPED = b"dropped"


def make(scenario: Scenario, *, start_s: float = 0.0) -> pa.Table:
    """The schedule of a scenario whose load begins at `start_s`, in seconds since run start.

    Sessions arrive; the turns of each follow at the pace that the scenario's ``tokens_per_s`` and the think
    times of the trace give. Some are under way when load begins, so that its first second is like every
    other. Everything random comes from the scenario's seed: another `start_s` moves the times and changes
    nothing else. Requests that cannot fit the model's context or the deadline are dropped, with what follows
    them in their session, and counted in the table's metadata: see `dropped_of`.

    Returns:
        A table of schema ``tables.SCHEDULE``, in the order of the intended times.

    Raises:
        ScenarioError: no request is left.
    """
    traffic = scenario.traffic
    # Streams of their own, so that another arrival process or policy keeps the drawn sessions.
    for_times, for_sessions, for_policy, for_mix, for_models = (
        np.random.default_rng(seed) for seed in np.random.SeedSequence(scenario.seed).spawn(5)
    )
    traces = {profile: trace_of(read_trace(profile)) for profile in traffic.profiles}
    shares = np.array([share / turns_mean(traces[name]) for name, share in traffic.profiles.items()])
    starts_per_s = traffic.rate_rps * shares.sum()
    before_s = max(float(_offsets_s(trace, traffic).max()) for trace in traces.values())
    starts_s = _starts_s(scenario, traces, starts_per_s, before_s=before_s, rng=for_times)
    which = for_mix.choice(len(traces), size=len(starts_s), p=shares / shares.sum())
    parts = [
        _played(profile, trace, np.flatnonzero(which == number), starts_s, scenario, rng=for_sessions)
        for number, (profile, trace) in enumerate(traces.items())
    ]
    rows = pa.concat_tables(parts).sort_by([("intended_s", "ascending"), ("session", "ascending")])
    kept = rows.filter(rows["fits"])
    if not kept.num_rows:
        raise ScenarioError([_none_fits(scenario, drawn=rows.num_rows)])
    notes = {DROPPED: rows.num_rows - kept.num_rows, END_S: start_s + scenario.phases.duration_s}
    models = _models(traffic, kept.num_rows, rng=for_models)
    return _table(kept, traffic, models, start_s=start_s, notes=notes, rng=for_policy)


def dropped_of(schedule: pa.Table) -> int:
    """How many drawn requests were left out of a schedule because they cannot fit."""
    return int((schedule.schema.metadata or {}).get(DROPPED, b"0"))


def write(schedule: pa.Table, path: Path) -> None:
    """Write a schedule as Parquet, whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    pq.write_table(schedule, part, compression="zstd")
    part.replace(path)


def _starts_s(
    scenario: Scenario,
    traces: Mapping[str, Trace],
    starts_per_s: float,
    *,
    before_s: float,
    rng: np.random.Generator,
) -> Seconds:
    """When sessions arrive, from `before_s` ahead of load: some last long enough to reach into it."""
    traffic = scenario.traffic
    asked, profile = traffic.arrivals, traffic.main_profile
    if asked.to_rps is not None:
        asked = replace(asked, to_rps=asked.to_rps * starts_per_s / traffic.rate_rps)
    trace_s = None
    if asked.kind == "trace":
        times_s = traces[profile].t_s
        trace_s = times_s[~np.isnan(times_s)]
        if len(trace_s) < 2 or trace_s[0] == trace_s[-1]:  # noqa: PLR2004  a gap has two ends
            raise ScenarioError(
                [f"{scenario.path}: arrivals of kind 'trace': the trace of {profile!r} has no two times"]
            )
    return arrivals.draw(
        asked,
        starts_per_s,
        duration_s=scenario.phases.duration_s,
        before_s=before_s,
        rng=rng,
        trace_s=trace_s,
        day=read_day_shape("code" if profile == "code" else "conv") if asked.kind == "day" else None,
    )


def _played(
    profile: str,
    trace: Trace,
    mine: Index,
    starts_s: Seconds,
    scenario: Scenario,
    *,
    rng: np.random.Generator,
) -> pa.Table:
    """What falls into the time of load of sessions drawn from a trace.

    `mine` are the sessions that are this profile's, `starts_s` is when each of all sessions begins.
    """
    traffic = scenario.traffic
    drawn = draw_sessions(trace, count=len(mine), rng=rng)
    session = mine[drawn.session]
    due_s = starts_s[session] + _offsets_s(drawn, traffic)
    inside = (due_s >= 0) & (due_s < scenario.phases.duration_s)
    columns: dict[str, Any] = {
        "intended_s": due_s,
        "prompt_tokens": drawn.prompt_tokens,
        "output_tokens": drawn.output_tokens,
        "turn": drawn.turn,
        "think_s": drawn.think_s.astype(np.float64),
        "prefix_tokens": drawn.prefix_tokens,
        "fits": _fit_so_far(drawn, traffic),
    }
    inside_only = {name: pa.array(values[inside]) for name, values in columns.items()}
    return pa.table(
        inside_only
        | {
            "profile": pa.array([profile] * int(inside.sum()), pa.string()),
            "session": pa.array([f"s{number:06d}" for number in session[inside].tolist()], pa.string()),
            "prefix": pa.array([f"{profile}-{one}" for one in drawn.prefix[inside].tolist()], pa.string()),
        }
    )


def _offsets_s(trace: Trace, traffic: Traffic) -> Seconds:
    """How long after its session's start each request is due, answers coming at the expected speed."""
    answer_s = trace.output_tokens / traffic.tokens_per_s
    elapsed_s = np.cumsum(trace.think_s + answer_s) - answer_s
    sessions = sessions_of(trace)
    return np.asarray(elapsed_s - np.repeat(elapsed_s[sessions.start], sessions.length))


def _fit_so_far(trace: Trace, traffic: Traffic) -> Flags:
    """Whether each request fits, and all before it in its session do."""
    fits = fitting(trace, context_tokens_max=traffic.context_tokens_max)
    fits &= trace.output_tokens <= traffic.deadlines.total_s * traffic.tokens_per_s
    misfits = np.cumsum(~fits)
    sessions = sessions_of(trace)
    before: Index = (misfits - ~fits)[sessions.start]
    return np.asarray(misfits == np.repeat(before, sessions.length))


def _models(traffic: Traffic, count: int, *, rng: np.random.Generator) -> list[str]:
    """The model type of each of so many requests."""
    shares = traffic.model_types or {traffic.model_type: 1.0}
    weights = np.array(list(shares.values()))
    chosen: list[str] = rng.choice(list(shares), size=count, p=weights / weights.sum()).tolist()
    return chosen


def _table(
    kept: pa.Table,
    traffic: Traffic,
    models: list[str],
    *,
    start_s: float,
    notes: Mapping[bytes, float],
    rng: np.random.Generator,
) -> pa.Table:
    """The kept requests as a schedule."""
    count = kept.num_rows
    made: dict[str, Any] = {
        "request_id": [f"r{number:06d}" for number in range(count)],
        "intended_s": np.round(start_s + kept["intended_s"].to_numpy(), 6),
        "model_type": models,
        "cancel": rng.random(count) < traffic.policy.cancel_share,
    }
    columns: dict[str, Any] = {name: made[name] if name in made else kept[name] for name in SCHEDULE.names}
    metadata = {name: str(value).encode() for name, value in notes.items()}
    return pa.table(columns, schema=SCHEDULE.with_metadata(metadata))


def _none_fits(scenario: Scenario, *, drawn: int) -> str:
    """Why there is no schedule."""
    traffic = scenario.traffic
    if not drawn:
        return (
            f"{scenario.path}: no request falls into {scenario.phases.duration_s:g} s of load at "
            f"rate_rps = {traffic.rate_rps:g} with this seed"
        )
    profiles = ", ".join(traffic.profiles)
    return (
        f"{scenario.path}: none of {drawn} requests of {profiles} fits "
        f"context_tokens_max = {traffic.context_tokens_max} and ends within total_s = "
        f"{traffic.deadlines.total_s:g} at tokens_per_s = {traffic.tokens_per_s:g}"
    )
