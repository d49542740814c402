"""Whether there was a fault to judge: a healthy system before it, and witnesses of its coming and going."""

import math
from collections.abc import Sequence

from sealegs.judgement.facts import Facts, FaultStory, mark_s
from sealegs.judgement.slo import ObjectiveResult
from sealegs.judgement.validity.check import Check, none_of


def baseline_healthy(objectives: Sequence[ObjectiveResult]) -> Check:
    """A baseline that misses its own objectives says nothing about a fault, bad luck or not."""
    baseline = [one for one in objectives if one.phase == "baseline"]
    sick = [one for one in baseline if _misses(one)]
    told = [f"{one.name} {one.bad} bad of {one.n}: {', '.join(one.request_ids[:3])} …" for one in sick]
    if not baseline:
        told = ["no objective says that it was healthy"]
    return none_of(
        "baseline-healthy",
        told,
        good=f"baseline was healthy by {len(baseline)} objectives",
        bad="unhealthy baseline",
    )


def _misses(result: ObjectiveResult) -> bool:
    """Whether a share is below its target: of answered requests as it stands, of fast ones by the exact rule.

    No request at all is a miss too, and so is a FAIL withheld for correlation: to distrust is safe.
    """
    as_it_stands = result.good_share is None or result.good_share < result.target
    return result.bound_high < result.target or (result.sli == "success" and as_it_stands)


def landed(story: FaultStory | None, facts: Facts) -> Check:
    """Injected within its phase, and seen afterwards by a witness that injection did not write itself."""
    landed_s = story.landed_s if story and story.witness else None
    injected_s = story.injected_s if story else None
    due_s, over_s = mark_s(facts, "fault"), mark_s(facts, "recovery")
    in_time = (
        landed_s is not None
        and injected_s is not None
        and due_s is not None
        and due_s <= injected_s <= landed_s < (math.inf if over_s is None else over_s)
    )
    detail = f"fault did not land: {_states(facts)}"
    if in_time:
        detail = "fault landed, seen by an independent witness"
    elif landed_s is not None:
        detail = f"fault did not land in its phase: {_states(facts)}"
    return Check(
        name="fault-landed", ok=in_time, value=landed_s, limit="after injection, in its phase", detail=detail
    )


def gone(story: FaultStory | None, facts: Facts) -> Check:
    """Seen gone by a witness, after it was seen landed."""
    gone_s = story.gone_s if story and story.gone_witness else None
    landed_s = story.landed_s if story else None
    ok = gone_s is not None and (landed_s is None or landed_s <= gone_s)
    detail = "fault was seen gone" if ok else f"fault was not seen gone: {_states(facts)}"
    return Check(name="fault-gone", ok=ok, value=gone_s, limit="seen gone", detail=detail)


def _states(facts: Facts) -> str:
    """The states that the fault was seen in, and when."""
    seen = [f"{record.get('state')} at {record['t_s']:.1f} s" for record in facts.of_kind("fault")]
    return ", ".join(seen) or "it was not even armed"
