"""From rows to fates: what became of every intended request.

What was never sent, failed, or left no row stands beside what was answered, and latency counts from the
intended time: no slowness hides in late sends.
A turn of a session that had to wait for the answer before it is intended when its user had read that answer
and thought: that is the time its row gives, and `moved_s_max` says how far rows are from what they may say.
A request that was open when the fault struck is the fault's, whatever became of it: the baseline, which is to
tell what is normal, must not answer for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sealegs.facts import Facts, Interval, fault_story, intervals
from sealegs.workload import ANSWERED

HOLE = "hole"
NEVER_SENT = (HOLE, "cap_refused", "never_sent")
# The client saw the answer begin and not end as it should.
TRUNCATED = ("cut_fin", "cut_rst", "no_finish", "abort", "stall", "error_event")
# What of a request's row judgement looks at.
SEEN = (
    "intended_s",
    "outcome",
    "sent_s",
    "first_token_s",
    "last_token_s",
    "end_s",
    "tokens_received",
    "gap_s_max",
    "pod",
)
# From an answer's end to the next turn's time the client needs its own moment.
TURN_SLACK_S = 0.05
MEASURED = ("baseline", "fault", "recovery")
REQUEST_IDS_MAX = 20

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.object_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Fates:
    """What became of each intended request: parallel arrays, in the order of the intended times.

    Times that were not reached are NaN, `outcome` of a request that left no row is ``hole``, and `due_in` is
    the phase of the intended time, empty when no phase holds it. `phase` is the one that answers for the
    request: the same, but the fault's for what was open at injection. `gap_s_max` is the longest wait between
    two pieces of an answer. `twice` and `unknown` count rows beyond a request's first and
    rows of requests that nobody planned; `moved_s_max` is the largest disagreement about an intended time.
    `sent_s` is of the first attempt, and `turn` counts from 0 in a session.
    """

    request_id: Words
    intended_s: Floats
    turn: Floats
    due_in: Words
    phase: Words
    outcome: Words
    sent_s: Floats
    first_token_s: Floats
    last_token_s: Floats
    end_s: Floats
    tokens_received: Floats
    gap_s_max: Floats
    pod: Words
    twice: int
    unknown: int
    moved_s_max: float

    @cached_property
    def ok(self) -> Flags:
        """Requests that were answered right, and whole unless the client hung up as planned."""
        return np.isin(self.outcome, ANSWERED)

    @property
    def ttft_s(self) -> Floats:
        """Time to first token from the intended time; NaN where none came."""
        return self.first_token_s - self.intended_s

    @property
    def tpot_s(self) -> Floats:
        """Mean time per output token after the first; NaN of fewer than two tokens."""
        tokens = np.where(self.tokens_received >= 2, self.tokens_received, np.nan)  # noqa: PLR2004  one has no pace
        return np.asarray((self.last_token_s - self.first_token_s) / (tokens - 1))

    @property
    def e2e_s(self) -> Floats:
        """From the intended time to the end of the answer; NaN where no end was seen."""
        return self.end_s - self.intended_s

    def within(self, *phases: str) -> Flags:
        """Requests of some phases; ``run`` is everything after warm-up."""
        return np.isin(self.phase, MEASURED if phases == ("run",) else phases)

    def ids(self, chosen: Flags, *, most: int = REQUEST_IDS_MAX) -> tuple[str, ...]:
        """Ids of the first of the chosen requests."""
        return tuple(str(one) for one in self.request_id[chosen][:most])


def fates_of(facts: Facts) -> Fates:
    """What became of the requests of a run."""
    story = fault_story(facts)
    return join(
        facts.schedule,
        facts.requests,
        intervals(facts),
        injected_s=story.injected_s if story else None,
    )


def join(
    schedule: pa.Table, requests: pa.Table, phases: Sequence[Interval], *, injected_s: float | None = None
) -> Fates:
    """Join what was planned with what was seen; `injected_s` is when the fault struck, if one did."""
    planned = _once(schedule.select(["request_id", "intended_s", "session", "turn", "think_s"]))
    once = _once(requests.select(["request_id", *SEEN]))
    places = pc.index_in(planned["request_id"], once["request_id"].combine_chunks())
    seen = once.take(places)
    outcome, planned_s, said_s = (
        _words(seen["outcome"], HOLE),
        _floats(planned, "intended_s"),
        _floats(seen, "intended_s"),
    )
    over_s = _floats(seen, "end_s")
    may_s = _may_be_due_s(planned, np.where(np.isnan(over_s), said_s, over_s))
    moved_s_max = _moved_s_max(planned_s, said_s, may_s, never_sent=outcome == "never_sent")
    intended_s = np.where(np.isnan(may_s) | np.isnan(said_s), planned_s, said_s)
    request_id = planned["request_id"].to_numpy()
    order = _in_order(intended_s, request_id)
    intended_s = intended_s[order]
    times = {name: _floats(seen, name)[order] for name in SEEN if name.endswith("_s")}
    due_in = _phase_at(intended_s, phases)
    at_s = np.inf if injected_s is None else injected_s
    struck = (times["sent_s"] < at_s) & ~(times["end_s"] <= at_s) & (at_s < np.inf)
    return Fates(
        request_id=request_id[order],
        intended_s=intended_s,
        turn=np.nan_to_num(_floats(planned, "turn"))[order],
        due_in=due_in,
        phase=np.where(struck, "fault", due_in),
        outcome=outcome[order],
        sent_s=times["sent_s"],
        first_token_s=times["first_token_s"],
        last_token_s=times["last_token_s"],
        end_s=times["end_s"],
        tokens_received=_floats(seen, "tokens_received")[order],
        gap_s_max=_floats(seen, "gap_s_max")[order],
        pod=_words(seen["pod"], "")[order],
        twice=len(requests) - len(once),
        unknown=len(once) - (len(places) - places.null_count),
        moved_s_max=moved_s_max,
    )


def _once(table: pa.Table) -> pa.Table:
    """The first row of each request."""
    ids = table["request_id"].combine_chunks().dictionary_encode(null_encoding="encode")
    if len(ids.dictionary) == len(table):
        return table
    return table.take(np.sort(np.unique(ids.indices.to_numpy(), return_index=True)[1]))


def _floats(table: pa.Table, name: str) -> Floats:
    """A column of numbers; NaN where it has none."""
    return np.asarray(table[name].to_numpy(), np.float64)


def _words(column: "pa.ChunkedArray[Any]", absent: str) -> Words:
    """A column of few different words as objects, each word one object: they compare at once."""
    codes = column.combine_chunks().dictionary_encode()
    words = np.array([*codes.dictionary.to_pylist(), absent], object)
    return np.asarray(words[_codes(codes.indices)])


def _codes(indices: "pa.Array[Any]") -> npt.NDArray[np.int64]:
    """Codes as numbers; -1 of what has none."""
    return np.asarray(np.nan_to_num(indices.to_numpy(zero_copy_only=False), nan=-1), np.int64)


def _in_order(intended_s: Floats, request_id: Words) -> npt.NDArray[np.int64]:
    """The order of the intended times; of those due at once, of their ids."""
    order = np.argsort(intended_s, kind="stable")
    same = np.flatnonzero(np.diff(intended_s[order]) == 0)
    tied = np.union1d(same, same + 1)
    ids = request_id[order[tied]].astype(str)
    order[tied] = order[tied][np.lexsort((ids, intended_s[order[tied]]))]
    return order


def _may_be_due_s(planned: pa.Table, over_s: Floats) -> Floats:
    """When each turn that follows another may be due: as planned, or a think time after the end before it.

    NaN of first turns, and of those whose predecessor left no row. One that was not sent ended when it was
    due: `over_s` says when each was over.
    """
    number = _codes(planned["session"].combine_chunks().dictionary_encode().indices)
    known = ~np.isnan(_floats(planned, "turn")) & (number >= 0)
    number = np.maximum(number, 0)
    turn = np.nan_to_num(_floats(planned, "turn")).astype(np.int64)
    later = np.flatnonzero(known & (turn > 0))
    long = np.zeros(int(number.max(initial=0)) + 1, bool)
    long[number[later]] = True
    # A number for each session and turn, in which the next turn is the next number.
    key = number * (int(turn.max(initial=0)) + 2) + turn
    before = np.flatnonzero(known & long[number] & ~np.isnan(over_s))
    keys, first = np.unique(key[before], return_index=True)
    place = np.searchsorted(keys, key[later] - 1)
    found = np.append(keys, -1)[place] == key[later] - 1
    before_s = np.full(len(key), np.nan)
    before_s[later[found]] = over_s[before[first[place[found]]]]
    ready_s = before_s + _floats(planned, "think_s")
    return np.where(np.isnan(ready_s), np.nan, np.fmax(ready_s, _floats(planned, "intended_s")))


def _moved_s_max(planned_s: Floats, said_s: Floats, may_s: Floats, *, never_sent: Flags) -> float:
    """The largest disagreement of a row's intended time: with the plan, or of a later turn with its time."""
    from_plan_s = np.abs(said_s - planned_s)
    from_turn_s = np.fmax(may_s - said_s, said_s - may_s - TURN_SLACK_S)
    moved_s = np.where(np.isnan(may_s) | never_sent, from_plan_s, from_turn_s)
    return max(0.0, float(np.nanmax(moved_s, initial=0.0)))


def _phase_at(t_s: Floats, phases: Sequence[Interval]) -> Words:
    """Name of the phase that holds each moment; what comes before the first mark is the first phase's.

    The mark is set a moment after load has begun, and a request may be due in between.
    """
    names = np.full(len(t_s), phases[0].name if phases else "", dtype=object)
    for phase in phases:
        names[t_s >= phase.start_s] = phase.name
    if phases and phases[-1].end_s is not None:
        names[t_s >= phases[-1].end_s] = ""
    return names
