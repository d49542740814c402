"""Whether the cluster stood as it should, was watched, and was left alone by everything but the fault."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

from sealegs.judgement.facts import Facts, FaultStory, Record, mark_s
from sealegs.judgement.validity.check import Check, none_of
from sealegs.placement import not_apart
from sealegs.stack_shape import ROLES

SAMPLES_SHARE_MIN = 0.9
# Five looks. A pod that is killed may be away for as little, and nobody would have seen it.
GAP_S_MAX = 5.0
# The stack, and what steers the mesh, by the label that Istio gives it. Others come and go, as a Job's pods.
STANDING = ROLES | {"istiod"}
# What was lost, in words, from when until when; a moment twice where it is one.
Loss: TypeAlias = tuple[str, float, float]


def stack_ready(facts: Facts) -> Check:
    """Every replica that was wanted was ready when the baseline began."""
    start_s = mark_s(facts, "baseline")
    before = [sample for sample in facts.samples if start_s is not None and sample["t_s"] <= start_s]
    desired = before[-1].get("desired", {}) if before else {}
    ready = before[-1].get("ready", {}) if before else {}
    ok = bool(desired) and all(0 < wanted <= ready.get(app, 0) for app, wanted in desired.items())
    found = ", ".join(f"{app} {ready.get(app, 0)} of {wanted}" for app, wanted in sorted(desired.items()))
    detail = f"stack was {'' if ok else 'not '}ready at the baseline: {found or 'never seen before it'}"
    return Check(name="stack-ready", ok=ok, value=found or None, limit="all ready", detail=detail)


def no_foreign_events(facts: Facts, story: FaultStory | None) -> Check:
    """From the baseline on, nothing struck the cluster but the fault.

    No other node was lost and no other pod was taken away: preempted, pushed out by its kubelet or a taint,
    or evicted by somebody else. Before a fault no pod was lost at all; what falls by itself afterwards, or
    under load alone, is the system's own doing, and for its objectives to judge.
    """
    start_s, end_s = mark_s(facts, "baseline"), mark_s(facts, "end")
    first: dict[str, float] = {}
    for what, from_s, until_s in (*_lost_nodes(facts, story), *_lost_pods(facts, story)):
        if start_s is not None and start_s <= until_s and from_s < (math.inf if end_s is None else end_s):
            first[what] = min(from_s, first.get(what, math.inf))
    found = [f"{what} at {t_s:.1f} s" for what, t_s in sorted(first.items(), key=lambda one: one[1])]
    return none_of(
        "no-foreign-events", found, good="nothing but the fault struck the cluster", bad="foreign events"
    )


def load_apart(facts: Facts, story: FaultStory | None) -> Check:
    """Load that runs in the cluster ran where the fault does not reach."""
    return none_of(
        "load-apart",
        not_apart(facts, story),
        good="load ran apart from what the fault was aimed at",
        bad="load was not apart from the fault",
    )


def _lost_nodes(facts: Facts, story: FaultStory | None) -> Iterator[Loss]:
    """Each time that a node was ready and no longer was that the fault was not aimed at."""
    aimed_at = story.target.get("node") if story else None
    stood: set[str] = set()
    down_s: dict[str, float] = {}
    for record in facts.of_kind("node"):
        name = str(record["name"])
        if record.get("ready") is not False:
            stood.add(name)
            if name in down_s:
                yield f"node {name} not ready", down_s.pop(name), record["t_s"]
        elif name in stood and name != aimed_at:
            down_s.setdefault(name, record["t_s"])
    yield from ((f"node {name} not ready", from_s, math.inf) for name, from_s in down_s.items())


def _lost_pods(facts: Facts, story: FaultStory | None) -> Iterator[Loss]:
    """Each word of a pod that something other than the fault took away."""
    aimed_at = story.pods if story else frozenset()
    ours = {one.get("uid") for one in facts.of_kind("eviction")}
    for record in facts.of_kind("pod"):
        reason = record.get("reason")
        if reason and record["name"] not in aimed_at and record.get("uid") not in ours:
            yield f"pod {record['name']} {reason}", record["t_s"], record["t_s"]
    if facts.scenario.experiment:
        until_s = story.injected_s if story and story.injected_s is not None else math.inf
        yield from (one for one in _fallen_pods(facts) if one[1] < until_s)


def _fallen_pods(facts: Facts) -> Iterator[Loss]:
    """Each time that a pod of those that stand was ready and no longer was."""
    before: dict[str, Record] = {}
    for record in facts.of_kind("pod"):
        if record.get("app") not in STANDING:
            continue
        name = str(record["name"])
        was_ready = before.get(name, {}).get("ready")
        if was_ready and (record.get("event") == "deleted" or not record.get("ready")):
            yield f"pod {name} no longer ready", record["t_s"], record["t_s"]
        before[name] = record


def samples_present(facts: Facts, story: FaultStory | None) -> Check:
    """Of the seconds from baseline to the end, the share in which the cluster was looked at.

    While the fault stands, when budgets are put to the test, nobody may look away for longer than
    `GAP_S_MAX`. A fault that takes the API server away says so in its target, as `api_server`: nobody can
    look then, and its time is left out of both.
    """
    start_s, end_s = mark_s(facts, "baseline"), mark_s(facts, "end") or facts.seen_until_s
    stood_s = _stood_s(story, end_s=end_s)
    blind = story is not None and bool(story.target.get("api_server"))
    asked_s = end_s - (end_s if start_s is None else start_s) - (stood_s[1] - stood_s[0] if blind else 0.0)
    looks_s = [one["t_s"] for one in facts.samples if start_s is not None and start_s <= one["t_s"] <= end_s]
    seen_s = [t_s for t_s in looks_s if not (blind and stood_s[0] <= t_s < stood_s[1])]
    # By the gaps: where beats lie near a whole second, one second would have two of them and the next none.
    beats = 1 + sum(round(later - look) > 0 for look, later in pairwise(seen_s)) if seen_s else 0
    share = min(1.0, beats / asked_s) if asked_s > 0 else 0.0
    away_s = 0.0 if blind else _away_s((start_s or 0.0, *looks_s, end_s), stood_s)
    detail = f"{share:.0%} of the seconds from baseline to the end have a sample"
    if away_s > GAP_S_MAX:
        detail = f"nobody looked at the cluster for {away_s:.1f} s while the fault stood; {detail}"
    return Check(
        name="samples-present",
        ok=share >= SAMPLES_SHARE_MIN and away_s <= GAP_S_MAX,
        value=round(share, 6),
        limit=SAMPLES_SHARE_MIN,
        detail=detail,
    )


def _stood_s(story: FaultStory | None, *, end_s: float) -> tuple[float, float]:
    """From when to when the fault stood; nothing of the run when there was none."""
    if story is None or story.injected_s is None:
        return end_s, end_s
    return story.injected_s, end_s if story.gone_s is None else story.gone_s


def _away_s(looks_s: Sequence[float], within_s: tuple[float, float]) -> float:
    """The longest time between two looks that reaches into an interval."""
    from_s, until_s = within_s
    gaps_s = (after_s - s for s, after_s in pairwise(looks_s) if after_s > from_s and s < until_s)
    return max(gaps_s, default=0.0)
