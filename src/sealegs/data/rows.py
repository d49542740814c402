"""Rows of a profile: requests put into sessions, and a table made of them."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sealegs.data import TRACE
from sealegs.errors import ScenarioError

Array: TypeAlias = npt.NDArray[Any]

# A longer pause begins a new session: pauses have no finite mean in practice (the agents' Hill exponent is
# 0.8 to 1.4, their p99.9 seven hours), and hardly a cache keeps a conversation for longer.
PAUSE_S_MAX = 900.0


def sessions_by_time(user: Array, time_s: Array) -> tuple[Array, dict[str, Array]]:
    """Sessions of requests that say whose they are and when they came, in the order of their first requests.

    Only times of requests are known, not when answers ended: the whole gap between two requests stands as
    think time, too long by the one answer in it.

    Returns:
        The order to put the rows into, and in that order the columns that tell of sessions.
    """
    order = np.lexsort((time_s, user))
    found = cut(user[order], np.diff(time_s[order], prepend=0))
    starts_s = time_s[order][found["turn"] == 0]
    rank = np.argsort(np.argsort(starts_s, kind="stable"), kind="stable")
    again = np.argsort(rank[found["session"]], kind="stable")
    order, turn = order[again], found["turn"][again]
    return order, {
        "session": np.cumsum(turn == 0) - 1,
        "turn": turn,
        "think_s": found["think_s"][again],
        "t_s": np.where(turn == 0, time_s[order] - time_s.min(), np.nan),
    }


def cut(user: Array, gap_s: Array) -> dict[str, Array]:
    """Sessions of adjacent rows: one ends where the user changes and before a pause over `PAUSE_S_MAX`."""
    first = (np.diff(user, prepend=-1) != 0) | (gap_s > PAUSE_S_MAX)
    return {
        "session": np.cumsum(first) - 1,
        "turn": turns(first),
        "think_s": np.where(first, 0.0, gap_s),
    }


def turns(first: Array) -> Array:
    """0, 1, 2 ... from each row that is the first of its session."""
    rows = np.arange(len(first))
    return np.asarray(rows - np.maximum.accumulate(np.where(first, rows, 0)))


def table(columns: Mapping[str, Array], *, source: str, licence: str, rows_left_out: int = 0) -> pa.Table:
    """A profile in schema ``TRACE``; what a trace does not tell: a session a row, no prefix, no time."""
    rows = len(columns["prompt_tokens"])
    untold = {
        "session": np.arange(rows),
        "turn": np.zeros(rows),
        "think_s": np.zeros(rows),
        "prefix": np.zeros(rows),
        "prefix_tokens": np.zeros(rows),
        "t_s": np.full(rows, np.nan),
    }
    told = {**untold, **columns}
    note = {
        "source": source,
        "licence": licence,
        "sessions": str(int(told["session"][-1]) + 1),
        "rows_left_out": str(rows_left_out),
    }
    # Digits beyond the traces' own are noise of subtractions, and cost space.
    arrays = [
        pa.array(
            np.round(told[field.name], 6).astype(field.type.to_pandas_dtype()), field.type, from_pandas=True
        )
        for field in TRACE
    ]
    return pa.table(arrays, schema=TRACE.with_metadata(note))


def refuse(what: str, wrong: npt.ArrayLike) -> None:
    """Raise a problem that any row has, with how many have it."""
    rows = np.asarray(wrong)
    if rows.any():
        raise ScenarioError([f"{what}: {int(rows.sum())} of {rows.size} rows"])
