"""What an autoscaler wanted, and when, and for how long it could not tell what to want."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from sealegs.judgement.facts import Interval, Record
from sealegs.judgement.measures.measured import Measured
from sealegs.judgement.measures.replicas import spans_of
from sealegs.judgement.measures.scaling import since_start
from sealegs.judgement.situation import Situation
from sealegs.scenario.claim import Bound


def moved(situation: Situation, bound: Bound) -> Measured:
    """The most replicas that the app's autoscaler wanted at any time of the phase, less the fewest."""
    held = list(_held(situation, bound))
    if not held:
        return _unseen(situation, bound)
    wanted = [int(word["wanted"]) for word, _ in held]
    told = f"it wanted {min(wanted)} at the fewest and {max(wanted)} at the most, by {len(held)} words of it"
    return Measured(value=max(wanted) - min(wanted), detail=told)


def blind_s(situation: Situation, bound: Bound) -> Measured:
    """For how long of the phase the app's autoscaler was not active: it could not compute what to want."""
    held = list(_held(situation, bound))
    if not held:
        return _unseen(situation, bound)
    value = sum(lasted_s for word, lasted_s in held if not word["active"])
    return Measured(value=round(value, 3), detail=f"ScalingActive was not True for {value:.1f} s")


def wanted_more_s(situation: Situation, bound: Bound) -> Measured:
    """From the phase's start until the app's autoscaler wanted more than it did then."""
    held = [word for word, _ in _held(situation, bound)]
    spans = spans_of(situation, bound.phase)
    if not held or held[0]["t_s"] > spans[0].start_s:
        return _unseen(situation, bound)
    words = [one for one in situation.facts.of_kind("autoscaler") if one["app"] == bound.app]
    later = (one for one in words if one["t_s"] > spans[0].start_s and one["wanted"] > held[0]["wanted"])
    more = next(((float(one["t_s"]), str(one["name"])) for one in later), None)
    return since_start(situation, bound, more, what=f"wanted more than {held[0]['wanted']}")


def flaps(situation: Situation, bound: Bound) -> Measured:
    """How often in the phase the app's autoscaler wanted more again after it had wanted fewer."""
    wanted = [int(word["wanted"]) for word, _ in _held(situation, bound)]
    if not wanted:
        return _unseen(situation, bound)
    moves = [after - before for before, after in pairwise(wanted) if after != before]
    value = sum(before < 0 < after for before, after in pairwise(moves))
    return Measured(value=value, detail=f"it wanted {', then '.join(str(one) for one in wanted)}")


def _held(situation: Situation, bound: Bound) -> Iterator[tuple[Record, float]]:
    """Each word of the app's autoscaler that held at some time of the phase, and for how long of it."""
    spans = spans_of(situation, bound.phase)
    words = [one for one in situation.facts.of_kind("autoscaler") if one["app"] == bound.app]
    ends_s = [float(one["t_s"]) for one in words[1:]]
    for word, end_s in zip(words, (*ends_s, situation.facts.seen_until_s), strict=False):
        lasted_s = _inside_s(spans, from_s=float(word["t_s"]), until_s=end_s)
        if lasted_s > 0:
            yield word, lasted_s


def _inside_s(spans: Sequence[Interval], *, from_s: float, until_s: float) -> float:
    """How much of some time lies in a phase."""
    ends_s = [until_s if span.end_s is None else min(until_s, span.end_s) for span in spans]
    return sum(max(0.0, end_s - max(from_s, span.start_s)) for span, end_s in zip(spans, ends_s, strict=True))


def _unseen(situation: Situation, bound: Bound) -> Measured:
    """Why there is no number."""
    seen = any(True for _ in situation.facts.of_kind("autoscaler"))
    none = f"no autoscaler of {bound.app} was seen in phase {bound.phase}"
    return Measured(value=None, detail=none if seen else "no autoscaler was seen")
