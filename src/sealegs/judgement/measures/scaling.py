"""What scaling did to an app's pods: how soon new ones came to serve, and how those that were too many left.

Times count from the start of the bound's phase, which is when its load steps up. What was never seen to
happen took longer than the run watched: that counts against a limit, and never as having kept it.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from sealegs.judgement.absences import Absence, absences_of
from sealegs.judgement.facts import Record
from sealegs.judgement.ladder import IS_AT
from sealegs.judgement.measures.measured import Measured, not_seen
from sealegs.judgement.measures.replicas import spans_of
from sealegs.judgement.situation import Situation
from sealegs.scenario.claim import Bound

# When something was first seen, and of whom; None when it was not.
Seen = tuple[float, str] | None


def since_start(situation: Situation, bound: Bound, first: Seen, *, what: str) -> Measured:
    """From the start of the bound's phase until something was first seen.

    Where it was not it is the time that was watched, if that is beyond the limit; else nobody knows.
    """
    spans = spans_of(situation, bound.phase)
    if not spans:
        return Measured(value=None, detail=f"phase {bound.phase} did not begin")
    if first is not None:
        value = first[0] - spans[0].start_s
        return Measured(value=value, detail=f"{first[1]} {what} {value:.1f} s after {bound.phase} began")
    watched_s = situation.facts.seen_until_s - spans[0].start_s
    told = f"nobody {what} in the {watched_s:.1f} s since {bound.phase} began"
    return not_seen(bound, watched_s=watched_s, detail=told)


def new_pod_s(situation: Situation, bound: Bound, *, step: str) -> Measured:
    """Until the first of the app's pods that came since had reached a step of `sealegs.judgement.ladder`."""
    reached = ((_reached_s(situation, its, step), str(its[0]["name"])) for its in _new(situation, bound))
    seen = [(at_s, name) for at_s, name in reached if at_s is not None]
    return since_start(situation, bound, min(seen, default=None), what=f"was {step}")


def new_pod_served_s(situation: Situation, bound: Bound) -> Measured:
    """Until the first token of an answer by one of the app's pods that came since."""
    fates = situation.fates
    names = [str(its[0]["name"]) for its in _new(situation, bound)]
    answered = np.isin(fates.pod, names) & ~np.isnan(fates.first_token_s)
    first_s = np.where(answered, fates.first_token_s, np.inf)
    if not answered.any():
        return since_start(situation, bound, None, what="new had served")
    at = int(np.argmin(first_s))
    return since_start(situation, bound, (float(first_s[at]), str(fates.pod[at])), what="served")


def unscheduled_s_max(situation: Situation, bound: Bound) -> Measured:
    """The longest that any of the app's pods that came in the phase was without a node, as far as was seen.

    No node had a GPU free for it, or its volume was still being made.
    """
    spans = spans_of(situation, bound.phase)
    came = [its for its in _new(situation, bound) if any(span.holds(its[0]["t_s"]) for span in spans)]
    if not came:
        return Measured(value=None, detail=f"no pod of {bound.app} came in phase {bound.phase}")
    waits = []
    for its in came:
        ends_s = (one["t_s"] for one in its if one.get("node") or one.get("event") == "deleted")
        waits.append((next(ends_s, situation.facts.seen_until_s) - its[0]["t_s"], str(its[0]["name"])))
    longest_s, name = max(waits)
    told = f"of {len(came)} pods that came {name} was without a node for longest, {longest_s:.1f} s"
    return Measured(value=longest_s, detail=told)


def pods_left(situation: Situation, bound: Bound) -> Measured:
    """How many of the app's pods began to leave in the phase."""
    if not any(one.get("app") == bound.app for one in situation.facts.of_kind("pod")):
        return Measured(value=None, detail=f"no pod of {bound.app} was seen")
    leaving = _leaving(situation, bound)
    listed = ", ".join(f"{name} at {one.from_s:.1f} s" for name, one in leaving)
    return Measured(value=len(leaving), detail=f"began to leave: {listed or 'none'}")


def leaving_max(situation: Situation, bound: Bound) -> Measured:
    """The most of the app's pods that began to leave in the phase and were on their way out at once."""
    leaving = _leaving(situation, bound)
    if not leaving:
        return _nobody_left(bound)
    most, at_s = max(
        (sum(one.from_s <= other.from_s < one.until_s for _, one in leaving), -other.from_s)
        for _, other in leaving
    )
    told = f"of {len(leaving)} pods that left {most} were on their way out at once, at {-at_s:.1f} s"
    return Measured(value=most, detail=told)


def lost_on_leaving(situation: Situation, bound: Bound) -> Measured:
    """How many requests were lost of those that the app's pods had when they began to leave, or took later.

    A pod's are those that it put its name on. What was sent to one that no longer took any was refused by a
    proxy, without a name: that is counted by `unserved`.
    """
    leaving, fates = _leaving(situation, bound), situation.fates
    if not leaving:
        return _nobody_left(bound)
    had = np.zeros(len(fates.pod), np.bool_)
    for name, one in leaving:
        had |= (fates.pod == name) & ~(fates.end_s <= one.from_s)
    if not had.any():
        return Measured(value=None, detail=f"the {len(leaving)} pods that left had no request then")
    lost = had & ~fates.ok
    told = f"of {int(had.sum())} requests on {len(leaving)} pods that left {int(lost.sum())} were lost"
    return Measured(value=int(lost.sum()), detail=told, request_ids=fates.ids(lost))


def _new(situation: Situation, bound: Bound) -> Iterator[Sequence[Record]]:
    """The records of each of the app's pods that was first seen since the bound's phase began."""
    spans = spans_of(situation, bound.phase)
    ours = (its for its in situation.facts.pods().values() if its[0].get("app") == bound.app)
    return (its for its in ours if spans and its[0]["t_s"] >= spans[0].start_s)


def _reached_s(situation: Situation, records: Sequence[Record], step: str) -> float | None:
    """When a new pod was first seen at a step; ``routable`` is when a service had it as ready."""
    if step != "routable":
        return next((float(one["t_s"]) for one in records if IS_AT[step](one)), None)
    name, lists = records[0]["name"], situation.facts.of_kind("endpoints")
    return next((float(one["t_s"]) for one in lists if name in (one.get("ready") or ())), None)


def _leaving(situation: Situation, bound: Bound) -> list[tuple[str, Absence]]:
    """The app's pods that began to leave in the phase, in time order, and how they went."""
    spans = spans_of(situation, bound.phase)
    names = {str(one["name"]) for one in situation.facts.of_kind("pod") if one.get("app") == bound.app}
    absent = ((name, one) for name, its in absences_of(situation.facts).items() for one in its)
    found = [(name, one) for name, one in absent if name in names and one.what == "deleted"]
    inside = [(name, one) for name, one in found if any(span.holds(one.from_s) for span in spans)]
    return sorted(inside, key=lambda left: left[1].from_s)


def _nobody_left(bound: Bound) -> Measured:
    """Why there is no number."""
    return Measured(value=None, detail=f"no pod of {bound.app} left in phase {bound.phase}")
