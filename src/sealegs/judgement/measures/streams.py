"""What the fault did to requests: to those that it found open, to others, and to those that came later."""

from collections import Counter

import numpy as np

from sealegs.judgement.fates import Flags
from sealegs.judgement.losses import cause_of
from sealegs.judgement.measures.measured import Measured
from sealegs.judgement.situation import Situation
from sealegs.scenario.claim import Bound

NOT_INJECTED = Measured(value=None, detail="no fault was injected")


def longest_drained_s(situation: Situation, _bound: Bound) -> Measured:
    """From injection to the end of the last whole answer among those open on the fault's pods then."""
    fates, story = situation.fates, situation.story
    if story is None or story.injected_s is None:
        return NOT_INJECTED
    at_s = story.injected_s
    begun = (fates.sent_s <= at_s) & np.isin(fates.pod, list(story.pods)) & ~(fates.end_s <= at_s)
    whole = begun & fates.ok
    if not begun.any():
        return Measured(value=None, detail="no answer was open on the fault's pods at injection")
    left_s = np.where(whole, fates.end_s - at_s, 0.0)
    last = int(np.argmax(left_s))
    told = f"of {int(begun.sum())} answers open on the fault's pods {int(whole.sum())} ended whole"
    value = float(left_s[last])
    return Measured(
        value=value,
        detail=f"{told}, the last {value:.1f} s after injection",
        request_ids=(str(fates.request_id[last]),) if whole.any() else (),
    )


def lost_beyond_target(situation: Situation, _bound: Bound) -> Measured:
    """How many requests were lost since injection that are not known to have been on the fault's pods.

    Known is of a request that was open there at injection, or while they were away for it.
    """
    lost = _lost_since(situation)
    if lost is None:
        return NOT_INJECTED
    causes = cause_of(situation.facts, situation.fates, situation.story)
    beyond = lost & (causes != "fault")
    listed = ", ".join(f"{count} {cause}" for cause, count in Counter(causes[beyond].tolist()).most_common())
    told = f"of {int(lost.sum())} requests lost since injection {int(beyond.sum())} beyond the fault's pods"
    return Measured(
        value=int(beyond.sum()),
        detail=f"{told} ({listed})" if listed else told,
        request_ids=situation.fates.ids(beyond),
    )


def unharmed_after_s(situation: Situation, _bound: Bound) -> Measured:
    """From injection until the last request that was due since then and was lost; 0 when none was."""
    lost, fates, story = _lost_since(situation), situation.fates, situation.story
    if lost is None or story is None or story.injected_s is None:
        return NOT_INJECTED
    since = fates.intended_s >= story.injected_s
    later = lost & since
    if not since.any():
        return Measured(value=None, detail="no request was due after injection")
    if not later.any():
        return Measured(value=0.0, detail=f"none of {int(since.sum())} requests due after injection was lost")
    value = float(fates.intended_s[later].max()) - story.injected_s
    told = f"of {int(since.sum())} requests due after injection {int(later.sum())} were lost"
    return Measured(
        value=value, detail=f"{told}, the last {value:.1f} s after it", request_ids=fates.ids(later)
    )


def _lost_since(situation: Situation) -> Flags | None:
    """Requests that were lost and were due, or open, after injection; None when nothing was injected."""
    fates, story = situation.fates, situation.story
    if story is None or story.injected_s is None:
        return None
    at_s = story.injected_s
    return np.asarray(~fates.ok & ((fates.intended_s >= at_s) | ~(fates.end_s <= at_s)), np.bool_)
