"""A profile: how long requests of one kind of traffic are, and how they follow each other in sessions.

Both are resampled from a trace's own rows. Sessions are drawn whole: prompt and answer lengths hardly
correlate but are not independent, turns of a session are anything but, and no lognormal fits either tail, so
none of it is modelled.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Tokens: TypeAlias = npt.NDArray[np.int32]
Seconds: TypeAlias = npt.NDArray[np.float64]
Index: TypeAlias = npt.NDArray[np.intp]
Flags: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class Trace:
    """Requests in sessions: parallel arrays, one entry a request, those of a session adjacent.

    Attributes:
        session: number of the session.
        turn: 0 for a session's first request, then 1, 2 ...
        think_s: the pause between the end of the answer before and this request; 0 for turn 0.
        prompt_tokens, output_tokens: lengths; the prompt is the whole one, shared part and all.
        prefix: prompts with the same number begin with the same text ...
        prefix_tokens: ... each for so many tokens; what two have in common is the shorter of the two.
        t_s: when the session began, in seconds from the trace's start; NaN where that is not known and for
            every turn but 0.
    """

    session: npt.NDArray[np.int32]
    turn: npt.NDArray[np.int32]
    think_s: Seconds
    prompt_tokens: Tokens
    output_tokens: Tokens
    prefix: npt.NDArray[np.int64]
    prefix_tokens: Tokens
    t_s: Seconds

    def __len__(self) -> int:
        return len(self.session)


@dataclass(frozen=True, eq=False)
class Sessions:
    """Where the sessions of a trace stand: parallel arrays, one entry a session.

    Attributes:
        start: row of its first request.
        length: how many requests it has.
    """

    start: Index
    length: Index

    def __len__(self) -> int:
        return len(self.start)


def trace_of(rows: pa.Table) -> Trace:
    """A trace's table (schema ``sealegs.data.TRACE``) as arrays."""
    return Trace(
        session=rows["session"].to_numpy(),
        turn=rows["turn"].to_numpy(),
        think_s=rows["think_s"].to_numpy(),
        prompt_tokens=rows["prompt_tokens"].to_numpy(),
        output_tokens=rows["output_tokens"].to_numpy(),
        prefix=rows["prefix"].to_numpy().astype(np.int64),
        prefix_tokens=rows["prefix_tokens"].to_numpy(),
        t_s=rows["t_s"].to_numpy().astype(np.float64),
    )


def sessions_of(trace: Trace) -> Sessions:
    """Where each session begins and how long it is, in the trace's order."""
    start = np.flatnonzero(trace.turn == 0)
    return Sessions(start, np.diff(start, append=len(trace)))


def turns_mean(trace: Trace) -> float:
    """Requests a session, on average: a rate of requests divided by it is a rate of session starts."""
    return len(trace) / len(sessions_of(trace))


def draw_sessions(trace: Trace, *, count: int, rng: np.random.Generator) -> Trace:
    """`count` whole sessions of the trace, each drawn with replacement, numbered 0, 1, 2 ... as drawn.

    A prefix that only one session of the trace has is that conversation's own text: of a session that is
    drawn twice, each has its own. A prefix of several sessions stays what they share.
    """
    sessions = sessions_of(trace)
    drawn = rng.integers(len(sessions), size=count)
    length = sessions.length[drawn]
    session = np.repeat(np.arange(count), length)
    # Rows count up within a session, from where it starts in the trace.
    rows = np.arange(len(session)) + np.repeat(sessions.start[drawn] - (np.cumsum(length) - length), length)
    width = int(trace.prefix.max()) + 1
    prefix = trace.prefix[rows]
    own = _is_own(trace)[rows]
    _, number = np.unique(np.where(own, (session + 1) * width + prefix, prefix), return_inverse=True)
    return Trace(
        session=session.astype(np.int32),
        turn=trace.turn[rows],
        think_s=trace.think_s[rows],
        prompt_tokens=trace.prompt_tokens[rows],
        output_tokens=trace.output_tokens[rows],
        prefix=number.astype(np.int64),
        prefix_tokens=trace.prefix_tokens[rows],
        t_s=trace.t_s[rows],
    )


def _is_own(trace: Trace) -> Flags:
    """For each request, whether its prefix is of one session only."""
    _, at = np.unique(trace.prefix, return_inverse=True)
    lowest = np.full(at.max() + 1, np.iinfo(np.int32).max, np.int32)
    highest = np.full(at.max() + 1, -1, np.int32)
    np.minimum.at(lowest, at, trace.session)
    np.maximum.at(highest, at, trace.session)
    return np.asarray((lowest == highest)[at])


def fitting(trace: Trace, *, context_tokens_max: int) -> Flags:
    """Which requests a model of that context can serve whole.

    The others are to be dropped and counted: cut to fit, they would make an atom at the limit that no trace
    has.
    """
    # In 64 bits: a sum of two lengths near the limit of 32 must not wrap round to a small one.
    whole = trace.prompt_tokens.astype(np.int64) + trace.output_tokens
    return np.asarray(whole <= context_tokens_max)
