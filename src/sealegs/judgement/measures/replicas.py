"""How many pods of an app there were, and whether they stayed the same."""

from sealegs.judgement.absences import restarts
from sealegs.judgement.facts import Interval, intervals
from sealegs.judgement.fates import MEASURED
from sealegs.judgement.measures.measured import Measured
from sealegs.judgement.situation import Situation
from sealegs.scenario.claim import Bound


def ready_min(situation: Situation, bound: Bound) -> Measured:
    """The fewest ready pods of the bound's app that any look of its phase counted."""
    spans = spans_of(situation, bound.phase)
    seen = [
        (sample["ready"][bound.app], sample["t_s"])
        for sample in situation.facts.samples
        if any(span.holds(sample["t_s"]) for span in spans) and bound.app in (sample.get("ready") or {})
    ]
    if not seen:
        return Measured(value=None, detail=f"no look at {bound.app} in phase {bound.phase}")
    fewest, at_s = min(seen)
    return Measured(value=fewest, detail=f"{fewest:g} ready at {at_s:.1f} s, the fewest of {len(seen)} looks")


def restarts_seen(situation: Situation, bound: Bound) -> Measured:
    """How often containers of the app's pods started again after the baseline began, as their status says."""
    spans = spans_of(situation, bound.phase)
    if not spans:
        return Measured(value=None, detail=f"phase {bound.phase} did not begin")
    before: dict[str, int] = {}
    grown: dict[str, int] = {}
    for pod in situation.facts.of_kind("pod"):
        if pod.get("app") != bound.app:
            continue
        name, count = str(pod["name"]), restarts(pod)
        known = before.setdefault(name, count if pod["t_s"] < spans[0].start_s else 0)
        if any(span.holds(pod["t_s"]) for span in spans) and count > known:
            grown[name] = grown.get(name, 0) + count - known
        before[name] = max(known, count)
    if not before:
        return Measured(value=None, detail=f"no pod of {bound.app} was seen")
    listed = ", ".join(f"{name} {count}" for name, count in sorted(grown.items()))
    told = f"of {len(before)} pods of {bound.app} seen, started again: {listed or 'none'}"
    return Measured(value=sum(grown.values()), detail=told)


def spans_of(situation: Situation, phase: str) -> tuple[Interval, ...]:
    """The stretches of a phase that began; ``run`` is everything after warm-up."""
    names = MEASURED if phase == "run" else (phase,)
    return tuple(span for span in intervals(situation.facts) if span.name in names)
