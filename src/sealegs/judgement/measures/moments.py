"""When the fault reached what it was to reach, and how often it was told to wait."""

from sealegs.judgement.invariants import evictions
from sealegs.judgement.ladder import ladder_of
from sealegs.judgement.losses import cause_of
from sealegs.judgement.measures.measured import Measured, not_seen
from sealegs.judgement.situation import Situation
from sealegs.scenario.claim import Bound


def landed_s(situation: Situation, _bound: Bound) -> Measured:
    """From injection until witnesses had seen the fault."""
    story = situation.story
    if story is None or story.injected_s is None or story.landed_s is None:
        return Measured(value=None, detail="no fault landed")
    value = story.landed_s - story.injected_s
    return Measured(value=value, detail=f"{story.fault} was seen landed {value:.1f} s after injection")


def reload_s(situation: Situation, bound: Bound) -> Measured:
    """From injection until the last of the watched pods served a changed configuration.

    Where some had not when the watch ended it is the time until then, if that is beyond the limit, or nobody
    knows.
    """
    story = situation.story
    looks = list(situation.facts.of_kind("config_watched"))
    if story is None or story.injected_s is None or not looks or not looks[-1].get("serving"):
        return Measured(value=None, detail="nobody watched what pods serve")
    serving, wanted = looks[-1]["serving"], looks[-1].get("wanted")
    value = looks[-1]["t_s"] - story.injected_s
    if late := sorted(name for name, text in serving.items() if text != wanted):
        told = f"not yet served by {', '.join(late)} {value:.1f} s after injection"
        return not_seen(bound, watched_s=value, detail=told)
    return Measured(value=value, detail=f"served by all of {len(serving)} pods {value:.1f} s after injection")


def ready_again_s(situation: Situation, bound: Bound) -> Measured:
    """From injection until what takes the place of the fault's pods was ready: they themselves, or others.

    Where it was not seen it is the time that was watched, if that is beyond the limit, or nobody knows.
    """
    facts, fates, story = situation.facts, situation.fates, situation.story
    if story is None or story.injected_s is None:
        return Measured(value=None, detail="no fault was injected")
    causes = cause_of(facts, fates, story)
    steps = {one.name: one for one in ladder_of(facts, fates, story, causes=causes, recovered_s=None)}
    ready = steps["ready"]
    if ready.after_s is not None:
        told = f"{ready.subject} ready {ready.after_s:.1f} s after injection"
        return Measured(value=ready.after_s, detail=told)
    if not ready.subject:
        return Measured(value=None, detail="no pod of the fault was away")
    watched_s = facts.seen_until_s - story.injected_s
    told = f"{ready.subject} ready in the {watched_s:.1f} s since injection"
    return not_seen(bound, watched_s=watched_s, detail=told)


def target_gone_s(situation: Situation, bound: Bound) -> Measured:
    """From injection until the last of the fault's pods had ended: how long a drain, or a rollout, took.

    Where one was not seen to end it is the time that was watched, if that is beyond the limit.
    """
    story = situation.story
    if story is None or story.injected_s is None or not story.pods:
        return Measured(value=None, detail="no fault was injected into pods")
    ends = {
        str(one["name"]): float(one["t_s"])
        for one in situation.facts.of_kind("pod")
        if one.get("event") == "deleted" and one["name"] in story.pods and one["t_s"] >= story.injected_s
    }
    if left := sorted(story.pods - ends.keys()):
        watched_s = situation.facts.seen_until_s - story.injected_s
        told = f"not seen to end in {watched_s:.1f} s: {', '.join(left)}"
        return not_seen(bound, watched_s=watched_s, detail=told)
    last = max(ends, key=lambda name: ends[name])
    value = ends[last] - story.injected_s
    return Measured(
        value=value, detail=f"the last of {len(ends)} pods, {last}, ended {value:.1f} s after injection"
    )


def evictions_refused(situation: Situation, bound: Bound) -> Measured:
    """How many evictions of the app's pods the API refused for a disruption budget's sake."""
    granted, refused = evictions(situation.facts, apps={bound.app})
    if not granted + refused:
        return Measured(value=None, detail=f"no eviction of a pod of {bound.app} was asked for")
    named = {str(one["pdb"]) for one in situation.facts.of_kind("eviction") if one.get("pdb")}
    budgets = sorted(named) if refused else []
    told = f"evictions of {bound.app}: {granted} granted, {refused} refused"
    return Measured(value=refused, detail=f"{told} by budget {', '.join(budgets)}" if budgets else told)
