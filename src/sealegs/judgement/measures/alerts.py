"""How soon an alert said what the fault did."""

from sealegs.judgement.measures.measured import Measured, not_seen
from sealegs.judgement.situation import Situation
from sealegs.scenario.claim import Bound


def alert_after_s(situation: Situation, bound: Bound) -> Measured:
    """From injection until the bound's alert fired; an alert about a pod counts for the fault's pods only.

    Where it did not it is the time until the recorder asked, if that is beyond the limit; else nobody knows.
    """
    story = situation.story
    told = next(situation.facts.of_kind("alerts"), None)
    if story is None or story.injected_s is None:
        return Measured(value=None, detail="no fault was injected")
    if told is None or told.get("unknown"):
        return Measured(value=None, detail=f"nobody knows alerts: {(told or {}).get('unknown', 'not asked')}")
    fired = [one for one in told["fired"] if one["name"] == bound.alert]
    if story.pods:
        fired = [one for one in fired if one["labels"].get("pod") in {None, *story.pods}]
    of_fault = [one for one in fired if one["from_s"] >= story.injected_s]
    if fired and not of_fault:
        # Only the first time of each is known, and this one may have come again.
        return Measured(value=None, detail=f"{bound.alert} fired before there was a fault")
    if not of_fault:
        # Runs from before the recorder asked for rules do not say which there were.
        if bound.alert not in told.get("rules", [bound.alert]):
            return Measured(value=None, detail=f"Prometheus has no rule {bound.alert}")
        watched_s = told["t_s"] - story.injected_s
        detail = f"{bound.alert} had not fired {watched_s:.1f} s after injection"
        return not_seen(bound, watched_s=watched_s, detail=detail)
    first = min(of_fault, key=lambda one: one["from_s"])
    value = first["from_s"] - story.injected_s
    about = first["labels"].get("pod", "no pod")
    return Measured(value=value, detail=f"{bound.alert}, of {about}, fired {value:.1f} s after injection")
