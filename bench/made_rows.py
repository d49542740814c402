"""What became of each of any number of made-up requests, and the tables of them: what `judging` judges.

One of eight engines is drained; 1 in 2,000 requests of the fault's phase is refused by the gateway, 1 in 100
succeeds at its second attempt, one in five or so is the second turn of a session.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sealegs import tables

RATE_RPS = 1_000.0
LOADED_S_MIN = 200.0
LOAD_S = 20.0
PODS = [f"llm-inference-5c9d-{letter * 5}" for letter in "abcdefgh"]
VICTIM = PODS[1]
REPLACEMENT = "llm-inference-5c9d-zzzzz"
# As long as in recorded runs of chat traffic.
TOKENS_MEAN = 220
# Of the requests; those whose first turn is taken are none after all.
LATER_SHARE = 0.3

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Times:
    """The marks of a run, in seconds since its start."""

    load_s: float
    baseline_s: float
    fault_s: float
    recovery_s: float
    loaded_until_s: float
    end_s: float

    @property
    def injected_s(self) -> float:
        """When the fault struck."""
        return self.fault_s + 3.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """What became of each request, as parallel arrays; NaN of what was not reached."""

    request_id: pa.Array
    intended_s: Floats
    sent_s: Floats
    first_token_s: Floats
    end_s: Floats
    tokens: Ints
    prompt_tokens: Ints
    pod: Ints
    refused: Flags
    again: Flags


def rows_of(rng: np.random.Generator, times: Times, *, count: int) -> Rows:
    """Poisson arrivals, 5 ms a token; the drained engine gets nothing new, its successor starts later."""
    intended_s = np.sort(rng.uniform(times.load_s, times.loaded_until_s, count)).round(6)
    sent_s = (intended_s + rng.uniform(0.0001, 0.001, count)).round(6)
    tokens = np.minimum(900, 20 + rng.exponential(TOKENS_MEAN - 20, count)).astype(np.int64)
    first_s = (sent_s + 0.06 + rng.exponential(0.05, count)).round(6)
    pod = rng.integers(0, len(PODS), count)
    late = (pod == PODS.index(VICTIM)) & (intended_s > times.injected_s)
    pod[late] = np.where(intended_s[late] > times.injected_s + 12.0, len(PODS), 0)
    in_fault = (intended_s > times.injected_s) & (intended_s < times.recovery_s)
    refused = in_fault & (rng.random(count) < 1 / 2_000)
    return Rows(
        request_id=pc.binary_join_element_wise("r", pc.utf8_lpad(texts(np.arange(count)), 6, "0"), ""),
        intended_s=intended_s,
        sent_s=sent_s,
        first_token_s=np.where(refused, np.nan, first_s),
        end_s=np.where(refused, sent_s + 0.004, first_s + 0.005 * tokens).round(6),
        tokens=np.where(refused, 0, tokens),
        prompt_tokens=rng.integers(50, 950, count),
        pod=pod,
        refused=refused,
        again=rng.random(count) < 1 / 100,
    )


def write_tables(run_dir: Path, rows: Rows, rng: np.random.Generator) -> None:
    """Plan, rows and attempts as Parquet; chunks are left out, for judgement does not read them."""
    # In the order in which they ended, as a run writes them.
    by_end = pa.array(np.argsort(rows.end_s, kind="stable"))
    found = {
        "schedule": pa.table(_plan(rows, rng)).cast(tables.SCHEDULE),
        "requests": pa.table(_seen(rows)).cast(tables.REQUESTS).take(by_end),
        "attempts": pa.table(_tries(rows)).cast(tables.ATTEMPTS),
    }
    for name, table in found.items():
        pq.write_table(table, run_dir / f"{name}.parquet", compression="zstd")


def _plan(rows: Rows, rng: np.random.Generator) -> dict[str, Any]:
    """Columns of the schedule."""
    count = len(rows.tokens)
    session, turn = _sessions(rows, rng)
    return {
        "request_id": rows.request_id,
        "intended_s": rows.intended_s,
        "prompt_tokens": rows.prompt_tokens,
        "output_tokens": np.maximum(rows.tokens, 1),
        "profile": same("chat", count),
        "model_type": same("default", count),
        "session": pc.binary_join_element_wise("s", texts(session), ""),
        "turn": turn,
        "think_s": np.where(turn > 0, 1.0, 0.0),
        "prefix": pa.nulls(count, pa.string()),
        "prefix_tokens": np.zeros(count, np.int32),
        "cancel": np.zeros(count, bool),
    }


def _sessions(rows: Rows, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Session and turn of each request: some are due a minute after another, whose user has read by then."""
    count = len(rows.tokens)
    later = np.flatnonzero((rng.random(count) < LATER_SHARE) & (rows.intended_s > rows.intended_s[0] + 60.0))
    first = np.searchsorted(rows.intended_s, rows.intended_s[later] - 60.0)
    _, once = np.unique(first, return_index=True)
    later, first = later[once], first[once]
    chained = np.isin(first, later) | np.isin(later, first)
    later, first = later[~chained], first[~chained]
    session, turn = np.arange(count), np.zeros(count, np.int64)
    session[later], turn[later] = first, 1
    return session, turn


def _seen(rows: Rows) -> dict[str, Any]:
    """Columns of the requests' table."""
    count, had = len(rows.tokens), ~rows.refused
    return {
        "request_id": rows.request_id,
        "worker": np.zeros(count, np.int32),
        "intended_s": rows.intended_s,
        "sent_s": rows.sent_s,
        "headers_s": _known(rows.first_token_s - 0.01),
        "first_token_s": _known(rows.first_token_s),
        "last_token_s": _known(rows.first_token_s + 0.005 * (rows.tokens - 1)),
        "end_s": rows.end_s,
        "status": np.where(had, 200, 503),
        "outcome": either(had, "ok", "http_5xx"),
        "outcome_detail": either(had, "", "no healthy upstream"),
        "prompt_tokens": rows.prompt_tokens,
        "tokens_asked": np.maximum(rows.tokens, 1),
        "tokens_received": rows.tokens,
        "finish_reason": either(had, "length", None),
        "pod": pc.if_else(pa.array(had), _pods(rows), None),
        "attempts": 1 + rows.again.astype(np.int32),
        "retry_after_s": pa.nulls(count, pa.float64()),
        "gap_s_max": np.full(count, 0.005),
        "reused": np.ones(count, bool),
    }


def _tries(rows: Rows) -> dict[str, Any]:
    """Columns of the table of earlier attempts."""
    again = np.flatnonzero(rows.again)
    return {
        "request_id": rows.request_id.take(pa.array(again)),
        "attempt": np.ones(len(again), np.int32),
        "sent_s": rows.sent_s[again],
        "end_s": rows.sent_s[again] + 0.00005,
        "status": np.full(len(again), 503),
        "outcome": same("http_5xx", len(again)),
        "outcome_detail": same("no healthy upstream", len(again)),
        "tokens_received": np.zeros(len(again), np.int32),
        "pod": pa.nulls(len(again), pa.string()),
    }


def texts(numbers: Floats | Ints) -> pa.Array:
    """Numbers as JSON has them."""
    return pa.array(numbers).cast(pa.string())


def same(value: str, count: int) -> pa.Array:
    """One text, so many times."""
    return pa.array([value]).take(pa.array(np.zeros(count, np.int32)))


def either(flags: Flags, yes: str, no: str | None) -> pa.Array:
    """One text where a flag is set, another where not."""
    return pa.array([no, yes], pa.string()).take(pa.array(flags.astype(np.int32)))


def _pods(rows: Rows) -> pa.Array:
    """Name of the pod that served each request."""
    return pa.array([*PODS, REPLACEMENT]).take(pa.array(rows.pod))


def _known(times_s: Floats) -> pa.Array:
    """Times of which NaN are unknown."""
    return pa.array(times_s, from_pandas=True)
