"""From rows to fates: what became of every intended request.

What was never sent, failed, or left no row stands beside what was answered, and latency counts from the
intended time: no slowness hides in late sends.
A turn of a session that had to wait for the answer before it is intended when its user had read that answer
and thought: that is the time its row gives, and `moved_s_max` says how far rows are from what they may say.
A request that was open when the fault struck is the fault's, whatever became of it: the baseline, which is to
tell what is normal, must not answer for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sealegs.judgement.facts import Facts, Interval, Places, fault_story, intervals
from sealegs.scenario.workload import ANSWERED

HOLE = "hole"
NEVER_SENT = (HOLE, "cap_refused", "never_sent")
# The client saw the answer begin and not end as it should.
TRUNCATED = ("cut_fin", "cut_rst", "no_finish", "abort", "stall", "error_event")
# From an answer's end to the next turn's time the client needs its own moment.
TURN_SLACK_S = 0.05
MEASURED = ("baseline", "fault", "recovery")
REQUEST_IDS_MAX = 20

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.object_]
Ids: TypeAlias = "pa.ChunkedArray[Any]"
NO_IDS: Ids = pa.chunked_array([pa.array([], pa.string())])


@dataclass(frozen=True, kw_only=True, eq=False)
class Fates:
    """What became of each intended request: parallel arrays, in the order of the intended times.

    Times that were not reached are NaN, `outcome` of a request that left no row is ``hole``, and `due_in` is
    the phase of the intended time, empty when no phase holds it. `phase` is the one that answers for the
    request: the same, but the fault's for what was open at injection. `gap_s_max` is the longest wait between
    two pieces of an answer. `twice` and `unknown` count rows beyond a request's first and
    rows of requests that nobody planned; `moved_s_max` is the largest disagreement about an intended time.
    `sent_s` is of the first attempt, and `turn` counts from 0 in a session. `lines` says of each of the
    engines' lines at which place its request stands here, -1 where nobody planned it.
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
    lines: Places
    twice: int
    unknown: int
    moved_s_max: float

    @cached_property
    def ok(self) -> Flags:
        """Requests that were answered right, and whole unless the client hung up as planned."""
        return self.ended(*ANSWERED)

    @cached_property
    def sent(self) -> Flags:
        """Requests that were put on the wire."""
        return ~self.ended(*NEVER_SENT)

    @property
    def ttft_s(self) -> Floats:
        """Time to first token from the intended time; NaN where none came."""
        return self.first_token_s - self.intended_s

    @property
    def tpot_s(self) -> Floats:
        """Mean time per output token after the first; NaN of fewer than two, or if they came as one."""
        lasted_s = self.last_token_s - self.first_token_s
        paced = (self.tokens_received >= 2) & (lasted_s > 0)  # noqa: PLR2004  one has no pace
        return np.asarray(np.where(paced, lasted_s, np.nan) / np.where(paced, self.tokens_received - 1, 1))

    @property
    def e2e_s(self) -> Floats:
        """From the intended time to the end of the answer; NaN where no end was seen."""
        return self.end_s - self.intended_s

    def within(self, *phases: str) -> Flags:
        """Requests of some phases; ``run`` is everything after warm-up."""
        return self._any(self._by_phase, MEASURED if phases == ("run",) else phases)

    def ended(self, *outcomes: str) -> Flags:
        """Requests with one of some outcomes."""
        return self._any(self._by_outcome, outcomes)

    def ids(self, chosen: Flags, *, most: int = REQUEST_IDS_MAX) -> tuple[str, ...]:
        """Ids of the first of the chosen requests."""
        return tuple(str(one) for one in self.request_id[chosen][:most])

    @cached_property
    def _by_phase(self) -> dict[str, Flags]:
        """The requests of each phase."""
        return _by_word(self.phase)

    @cached_property
    def _by_outcome(self) -> dict[str, Flags]:
        """The requests of each outcome."""
        return _by_word(self.outcome)

    def _any(self, flags: Mapping[str, Flags], words: Sequence[str]) -> Flags:
        """Requests that are set for at least one of some words; none for a word that none has."""
        found = np.zeros(len(self.request_id), bool)
        for word in flags.keys() & words:
            found |= flags[word]
        return found


def _by_word(words: Words) -> dict[str, Flags]:
    """Where each word stands. Words are objects and slow to compare: each is compared once."""
    return {word: np.asarray(words == word, bool) for word in set(words)}


def fates_of(facts: Facts) -> Fates:
    """What became of the requests of a run."""
    story = fault_story(facts)
    return join(
        facts.schedule,
        facts.requests,
        intervals(facts),
        lines=facts.truth["request_id"],
        injected_s=story.injected_s if story else None,
    )


def join(
    schedule: pa.Table,
    requests: pa.Table,
    phases: Sequence[Interval],
    *,
    lines: Ids = NO_IDS,
    injected_s: float | None = None,
) -> Fates:
    """Join what was planned with what was seen.

    `lines` are the ids in the engines' lines, and `injected_s` is when the fault struck, if one did.
    """
    (in_plan, in_rows, in_lines), count = _numbered(schedule["request_id"], requests["request_id"], lines)
    planned = _once(schedule.select(["request_id", "intended_s", "session", "turn", "think_s"]), in_plan)
    row_of = _first_rows(in_rows, count=count)
    # The plan's requests have the first numbers.
    rows = row_of[: len(planned)]
    outcome = _words(requests["outcome"], rows, absent=HOLE)
    planned_s, said_s = _floats(planned["intended_s"]), _floats(requests["intended_s"], rows)
    over_s = _floats(requests["end_s"], rows)
    may_s = _may_be_due_s(planned, np.where(np.isnan(over_s), said_s, over_s))
    moved_s_max = _moved_s_max(planned_s, said_s, may_s, never_sent=outcome == "never_sent")
    intended_s = np.where(np.isnan(may_s) | np.isnan(said_s), planned_s, said_s)
    request_id = planned["request_id"].to_numpy()
    order = _in_order(intended_s, request_id)
    intended_s, rows = intended_s[order], rows[order]
    due_in = _phase_at(intended_s, phases)
    sent_s, end_s = _floats(requests["sent_s"], rows), over_s[order]
    at_s = np.inf if injected_s is None else injected_s
    struck = (sent_s < at_s) & ~(end_s <= at_s) & (at_s < np.inf)
    return Fates(
        request_id=request_id[order],
        intended_s=intended_s,
        turn=np.nan_to_num(_floats(planned["turn"]))[order],
        due_in=due_in,
        phase=np.where(struck, "fault", due_in),
        outcome=outcome[order],
        sent_s=sent_s,
        first_token_s=_floats(requests["first_token_s"], rows),
        last_token_s=_floats(requests["last_token_s"], rows),
        end_s=end_s,
        tokens_received=_floats(requests["tokens_received"], rows),
        gap_s_max=_floats(requests["gap_s_max"], rows),
        pod=_words(requests["pod"], rows, absent=""),
        lines=_places(in_lines, order, count=count),
        twice=len(requests) - int((row_of >= 0).sum()),
        unknown=int((row_of[len(planned) :] >= 0).sum()),
        moved_s_max=moved_s_max,
    )


def _numbered(*columns: Ids) -> tuple[list[Places], int]:
    """Ids as numbers, in the order in which they come up first, and how many there are."""
    ids = pa.concat_arrays([column.combine_chunks() for column in columns])
    coded = ids.dictionary_encode(null_encoding="encode")
    ends = np.cumsum([len(column) for column in columns])
    return np.split(coded.indices.to_numpy(), ends[:-1]), len(coded.dictionary)


def _first_rows(numbers: Places, *, count: int) -> Places:
    """The first row that has each number; -1 of one that no row has."""
    rows = np.full(count, -1)
    # Of what is written to one place the last stays.
    rows[numbers[::-1]] = np.arange(len(numbers))[::-1]
    return rows


def _places(numbers: Places, order: Places, *, count: int) -> Places:
    """Where in an order of numbers each of some numbers stands; -1 of one that it lacks."""
    place_of = np.full(count, -1)
    place_of[order] = np.arange(len(order))
    return np.asarray(place_of[numbers])


def _once(plan: pa.Table, numbers: Places) -> pa.Table:
    """The first row of each request."""
    count = int(numbers.max(initial=-1)) + 1
    return plan if count == len(plan) else plan.take(_first_rows(numbers, count=count))


def _floats(column: "pa.ChunkedArray[Any]", rows: Places | None = None) -> Floats:
    """A column of numbers, or some rows of it; NaN where it has none, and of row -1."""
    values = np.asarray(column.to_numpy(), np.float64)
    return values if rows is None else np.append(values, np.nan)[rows]


def _words(column: "pa.ChunkedArray[Any]", rows: Places, *, absent: str) -> Words:
    """Some rows of a column of few different words as objects, each word one object: they compare at once."""
    codes = column.combine_chunks().dictionary_encode()
    words = np.array([*codes.dictionary.to_pylist(), absent], object)
    return np.asarray(words[np.append(_codes(codes.indices), -1)[rows]])


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
    turn, session = _floats(planned["turn"]), planned["session"].combine_chunks()
    later = np.flatnonzero(turn > 0)
    # Most sessions have one turn: only the others get a number.
    number = _codes(pc.index_in(session, value_set=session.take(later), skip_nulls=True))
    later = later[number[later] >= 0]
    # A number for each session and turn, in which the next turn is the next number.
    nth = np.nan_to_num(turn).astype(np.int64)
    key = number * (int(nth.max(initial=0)) + 2) + nth
    before = np.flatnonzero((number >= 0) & ~np.isnan(turn) & ~np.isnan(over_s))
    keys, first = np.unique(key[before], return_index=True)
    place = np.searchsorted(keys, key[later] - 1)
    found = np.append(keys, -1)[place] == key[later] - 1
    before_s = np.full(len(key), np.nan)
    before_s[later[found]] = over_s[before[first[place[found]]]]
    ready_s = before_s + _floats(planned["think_s"])
    return np.where(np.isnan(ready_s), np.nan, np.fmax(ready_s, _floats(planned["intended_s"])))


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
    names = [*(phase.name for phase in phases[:1]), *(phase.name for phase in phases), ""]
    edges_s = [phase.start_s for phase in phases]
    if phases and phases[-1].end_s is not None:
        edges_s.append(phases[-1].end_s)
    passed = np.zeros(len(t_s), np.int64)
    for edge_s in edges_s:
        passed += t_s >= edge_s
    return np.array(names, object)[passed]
