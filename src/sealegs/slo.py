"""From rows to counts: what became of every intended request, and how many were good for each objective.

The eligible requests of a phase are those whose intended time lies in it. What was never sent, failed, or
left no row is eligible and bad, and latency counts from the intended time: no slowness hides in late sends.
A turn of a session that had to wait for the answer before it is intended when its user had read that answer
and thought: that is the time its row gives, and `moved_s_max` says how far rows are from what they may say.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from sealegs import correlation, stats
from sealegs.facts import Interval
from sealegs.scenario import Objective
from sealegs.workload import ANSWERED

HOLE = "hole"
NEVER_SENT = (HOLE, "cap_refused", "never_sent")
# The client saw the answer begin and not end as it should.
TRUNCATED = ("cut_fin", "cut_rst", "no_finish", "abort", "stall", "error_event")
# What of a request's row judgement looks at.
SEEN = ("intended_s", "outcome", "sent_s", "first_token_s", "end_s", "tokens_received", "pod")
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

    Times that were not reached are NaN, `outcome` of a request that left no row is ``hole``, and `phase` is
    empty when no phase holds the intended time. `twice` and `unknown` count rows beyond a request's first and
    rows of requests that nobody planned; `moved_s_max` is the largest disagreement about an intended time.
    `sent_s` is of the first attempt, and `turn` counts from 0 in a session.
    """

    request_id: Words
    intended_s: Floats
    turn: Floats
    phase: Words
    outcome: Words
    sent_s: Floats
    first_token_s: Floats
    end_s: Floats
    tokens_received: Floats
    pod: Words
    twice: int
    unknown: int
    moved_s_max: float

    @property
    def ok(self) -> Flags:
        """Requests that were answered right, and whole unless the client hung up as planned."""
        return np.isin(self.outcome, ANSWERED)

    @property
    def ttft_s(self) -> Floats:
        """Time to first token from the intended time; NaN where none came."""
        return self.first_token_s - self.intended_s

    def within(self, phase: str) -> Flags:
        """Requests of a phase; ``run`` is everything after warm-up."""
        return np.isin(self.phase, MEASURED if phase == "run" else (phase,))

    def ids(self, chosen: Flags, *, most: int = REQUEST_IDS_MAX) -> tuple[str, ...]:
        """Ids of the first of the chosen requests."""
        return tuple(str(one) for one in self.request_id[chosen][:most])


@dataclass(frozen=True, kw_only=True)
class ObjectiveResult:
    """One objective decided. The bounds are of the share of good requests, each side at the confidence.

    `effective_n` is how many independent requests the n are worth, and `why` says for what an INCONCLUSIVE is
    one: see `sealegs.correlation`.
    """

    name: str
    sli: str
    phase: str
    limit_s: float | None
    target: float
    confidence: float
    n: int
    effective_n: int
    bad: int
    good_share: float | None
    bound_low: float
    bound_high: float
    verdict: stats.Decision
    why: correlation.Why | None
    more_needed: int
    request_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PhaseCounts:
    """What became of the requests of one phase."""

    name: str
    start_s: float
    end_s: float | None
    planned: int
    sent: int
    ok: int
    outcomes: dict[str, int]


def fates_of(schedule: pa.Table, requests: pa.Table, phases: Sequence[Interval]) -> Fates:
    """Join what was planned with what was seen."""
    planned = (
        schedule.select(["request_id", "intended_s", "session", "turn", "think_s"])
        .to_pandas()
        .drop_duplicates("request_id")
    )
    rows = requests.select(["request_id", *SEEN]).to_pandas()
    once = rows.drop_duplicates("request_id")
    joined = planned.merge(once, on="request_id", how="left", suffixes=("_planned", ""))
    joined["outcome"] = joined["outcome"].astype(object).fillna(HOLE)
    may_s = _may_be_due_s(joined)
    moved_s_max = _moved_s_max(joined, may_s)
    waited = ~np.isnan(may_s) & joined["intended_s"].notna()
    joined["intended_s"] = joined["intended_s"].where(waited, joined["intended_s_planned"])
    joined = joined.sort_values(["intended_s", "request_id"], kind="stable")
    intended_s = joined["intended_s"].to_numpy(float)
    return Fates(
        request_id=joined["request_id"].to_numpy(object),
        intended_s=intended_s,
        turn=joined["turn"].fillna(0).to_numpy(float),
        phase=_phase_at(intended_s, phases),
        outcome=joined["outcome"].to_numpy(object),
        sent_s=joined["sent_s"].to_numpy(float),
        first_token_s=joined["first_token_s"].to_numpy(float),
        end_s=joined["end_s"].to_numpy(float),
        tokens_received=joined["tokens_received"].to_numpy(float),
        pod=joined["pod"].astype(object).fillna("").to_numpy(object),
        twice=len(rows) - len(once),
        unknown=int((~once["request_id"].isin(planned["request_id"])).sum()),
        moved_s_max=moved_s_max,
    )


def _may_be_due_s(joined: pd.DataFrame) -> Floats:
    """When each turn that follows another may be due: as planned, or a think time after the end before it.

    NaN of first turns, and of those whose predecessor left no row. One that was not sent ended when it was
    due.
    """
    before = joined.assign(turn=joined["turn"] + 1, over_s=joined["end_s"].fillna(joined["intended_s"]))
    before = before.dropna(subset=["session", "turn", "over_s"])[["session", "turn", "over_s"]]
    over_s = joined[["session", "turn"]].merge(
        before.drop_duplicates(["session", "turn"]), on=["session", "turn"], how="left"
    )["over_s"]
    ready_s = over_s.to_numpy(float) + joined["think_s"].to_numpy(float)
    return np.where(np.isnan(ready_s), np.nan, np.fmax(ready_s, joined["intended_s_planned"].to_numpy(float)))


def _moved_s_max(joined: pd.DataFrame, may_s: Floats) -> float:
    """The largest disagreement of a row's intended time: with the plan, or of a later turn with its time."""
    said_s = joined["intended_s"].to_numpy(float)
    from_plan_s = np.abs(said_s - joined["intended_s_planned"].to_numpy(float))
    from_turn_s = np.fmax(may_s - said_s, said_s - may_s - TURN_SLACK_S)
    moved_s = np.where(np.isnan(may_s) | (joined["outcome"] == "never_sent"), from_plan_s, from_turn_s)
    return max(0.0, float(np.nanmax(moved_s, initial=0.0)))


def _phase_at(t_s: Floats, phases: Sequence[Interval]) -> Words:
    """Name of the phase that holds each moment."""
    names = np.full(len(t_s), "", dtype=object)
    for phase in phases:
        end_s = np.inf if phase.end_s is None else phase.end_s
        names[(t_s >= phase.start_s) & (t_s < end_s)] = phase.name
    return names


def success(fates: Fates, _limit_s: float | None) -> Flags:
    """Good: answered whole and right."""
    return fates.ok


def ttft(fates: Fates, limit_s: float | None) -> Flags:
    """Good: answered whole and right, the first token within the limit of the intended time."""
    # A comparison with NaN is false: no first token is a bad one.
    return fates.ok & (fates.ttft_s <= (np.inf if limit_s is None else limit_s))


INDICATORS = {"success": success, "ttft": ttft}


def decide(fates: Fates, objective: Objective, *, struck: bool = False) -> ObjectiveResult:
    """Count an objective's eligible and bad requests and apply the rule of `sealegs.correlation`.

    `struck` says that the run's fault was injected: every phase but the baseline is disturbed then.
    """
    eligible = fates.within(objective.phase)
    wrong = eligible & ~INDICATORS[objective.sli](fates, objective.limit_s)
    n, bad = int(eligible.sum()), int(wrong.sum())
    bounds = stats.good_share_bounds(n=n, bad=bad, confidence=objective.confidence)
    # The fates, and with them the flags, are in the order of intended time.
    decided = correlation.guarded(
        ~wrong[eligible],
        target=objective.target,
        confidence=objective.confidence,
        disturbed=struck and objective.phase != "baseline",
    )
    return ObjectiveResult(
        name=objective.name,
        sli=objective.sli,
        phase=objective.phase,
        limit_s=objective.limit_s,
        target=objective.target,
        confidence=objective.confidence,
        n=n,
        effective_n=round(decided.effective_n),
        bad=bad,
        good_share=round(1 - bad / n, 6) if n else None,
        bound_low=round(bounds.low, 6),
        bound_high=round(bounds.high, 6),
        verdict=decided.verdict,
        why=decided.why,
        more_needed=stats.more_needed(n=n, bad=bad, target=objective.target, confidence=objective.confidence),
        request_ids=fates.ids(wrong),
    )


def phase_counts(fates: Fates, phases: Sequence[Interval]) -> tuple[PhaseCounts, ...]:
    """Counts of each phase."""
    return tuple(
        PhaseCounts(
            name=phase.name,
            start_s=round(phase.start_s, 6),
            end_s=None if phase.end_s is None else round(phase.end_s, 6),
            planned=int(inside.sum()),
            sent=int((inside & ~np.isin(fates.outcome, NEVER_SENT)).sum()),
            ok=int((inside & fates.ok).sum()),
            outcomes=dict(sorted(Counter(fates.outcome[inside]).items())),
        )
        for phase in phases
        for inside in [fates.within(phase.name)]
    )
