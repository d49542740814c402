"""How long requests lasted, from when they were sent to their end, and what ended them.

A bound's `model_type` and `profile` say whose: the mesh limits the time of an answer by its model, and of
those only that come whole, which profiles do or do not.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sealegs.judgement.facts import places_of
from sealegs.judgement.fates import Flags
from sealegs.judgement.measures.measured import Measured
from sealegs.judgement.measures.overload import REFUSED
from sealegs.judgement.situation import Situation
from sealegs.scenario.claim import Bound

TIMED_OUT = 504


def lasted_s_max(situation: Situation, bound: Bound) -> Measured:
    """The longest that a request of the phase lasted, whatever became of it."""
    return _longest(situation, bound, _asked(situation, bound))


def answered_s_max(situation: Situation, bound: Bound) -> Measured:
    """The longest that a request of the phase lasted that was answered whole."""
    return _longest(situation, bound, _asked(situation, bound) & situation.fates.ok, " that were answered")


def timeout_s_min(situation: Situation, bound: Bound) -> Measured:
    """The shortest that a request of the phase lasted that was neither answered nor refused with 429.

    By 504 the mesh says that time is up: where it said so of none, there is nothing to measure.
    """
    fates, requests = situation.fates, situation.facts.requests
    late = requests["request_id"].filter(pc.equal(requests["status"], pa.scalar(TIMED_OUT)))
    asked = _asked(situation, bound) & ~np.isnan(fates.end_s)
    if not (asked & np.isin(fates.request_id, late.to_numpy())).any():
        return Measured(value=None, detail=f"none of the {_whose(bound)} was answered with {TIMED_OUT}")
    chosen = asked & ~fates.ok & (fates.outcome != REFUSED)
    lasted_s = (fates.end_s - fates.sent_s)[chosen]
    told = f"of {int(chosen.sum())} {_whose(bound)} that were not answered the first ended after"
    value = float(lasted_s.min())
    return Measured(
        value=value,
        detail=f"{told} {value:.2f} s, the last after {lasted_s.max():.2f} s",
        request_ids=fates.ids(chosen),
    )


def silent_s_max(situation: Situation, bound: Bound) -> Measured:
    """The longest that a request was told nothing: at first, between two tokens, or at the end."""
    fates = situation.fates
    heard_s = np.where(np.isnan(fates.last_token_s), fates.sent_s, fates.last_token_s)
    waits_s = np.stack([fates.first_token_s - fates.sent_s, fates.gap_s_max, fates.end_s - heard_s])
    silent_s = np.nanmax(waits_s, axis=0, initial=-np.inf)
    seen = _asked(situation, bound) & ~np.isnan(fates.end_s)
    if not seen.any():
        return Measured(value=None, detail=f"no end was seen of {_whose(bound)}")
    at = int(np.argmax(np.where(seen, silent_s, -np.inf)))
    value = float(silent_s[at])
    return Measured(
        value=value,
        detail=f"of {int(seen.sum())} {_whose(bound)} one was told nothing for {value:.2f} s",
        request_ids=(str(fates.request_id[at]),),
    )


def _longest(situation: Situation, bound: Bound, chosen: Flags, what: str = "") -> Measured:
    """The longest of the chosen requests whose end was seen."""
    fates = situation.fates
    lasted_s = np.where(chosen, fates.end_s - fates.sent_s, np.nan)
    seen = ~np.isnan(lasted_s)
    if not seen.any():
        return Measured(value=None, detail=f"no end was seen of {_whose(bound)}{what}")
    at = int(np.nanargmax(lasted_s))
    value = float(lasted_s[at])
    return Measured(
        value=value,
        detail=f"the longest of {int(seen.sum())} {_whose(bound)}{what} lasted {value:.2f} s",
        request_ids=(str(fates.request_id[at]),),
    )


def _asked(situation: Situation, bound: Bound) -> Flags:
    """Requests of the bound's phase, model and profile."""
    fates, schedule = situation.fates, situation.facts.schedule
    chosen = fates.within(bound.phase)
    for column, wanted in (("model_type", bound.model_type), ("profile", bound.profile)):
        if wanted:
            asked = schedule["request_id"].filter(pc.equal(schedule[column], pa.scalar(wanted)))
            chosen &= np.isin(np.arange(len(fates.request_id)), places_of(asked, fates.request_id))
    return np.asarray(chosen, np.bool_)


def _whose(bound: Bound) -> str:
    """The bound's requests in words."""
    kind = f"{bound.profile} requests" if bound.profile else "requests"
    return f"{kind} of phase {bound.phase}" + (f" for {bound.model_type}" if bound.model_type else "")
