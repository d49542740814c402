"""What became of traffic that is more than the service can serve, and how soon it was itself again."""

import math
from collections import Counter

from sealegs.judgement import goodput
from sealegs.judgement.measures.measured import Measured, not_seen
from sealegs.judgement.measures.replicas import spans_of
from sealegs.judgement.recovery import recovery_of
from sealegs.judgement.situation import Situation
from sealegs.judgement.stats import quantile
from sealegs.scenario.claim import Bound, Recovery

REFUSED = "http_429"
# One request lost is a slice's twentieth or so: that is not yet another state.
GOOD_SHARE = 0.9


def goodput_rps(situation: Situation, bound: Bound) -> Measured:
    """Requests a second of the phase that were good by every objective of the baseline."""
    fates, spans = situation.fates, _ended(situation, bound)
    inside = fates.within(bound.phase)
    lasted_s = sum(end_s - start_s for start_s, end_s in spans)
    if lasted_s <= 0 or not inside.any():
        return Measured(value=None, detail=f"no request in phase {bound.phase}, or it did not end")
    good = inside & goodput.good(fates, situation.facts.scenario.objectives)
    value = int(good.sum()) / lasted_s
    told = f"{int(good.sum()):,} of {int(inside.sum()):,} requests good in {lasted_s:.1f} s"
    return Measured(value=value, detail=f"{told}: {value:.2f} a second of {inside.sum() / lasted_s:.2f}")


def refusal_s_p99(situation: Situation, bound: Bound) -> Measured:
    """From when a request was due to its 429: what 99 % of the phase's refused ones did not exceed."""
    fates = situation.fates
    refused = fates.within(bound.phase) & (fates.outcome == REFUSED)
    value = quantile((fates.end_s - fates.intended_s)[refused].tolist(), 0.99)
    if value is None or math.isnan(value):
        return Measured(value=None, detail=f"no request of phase {bound.phase} was refused with 429")
    told = f"99% of {int(refused.sum()):,} requests refused with 429 knew it within {value:.3f} s"
    return Measured(value=value, detail=told)


def failed_otherwise(situation: Situation, bound: Bound) -> Measured:
    """How many requests of the phase failed in another way than by a 429."""
    fates = situation.fates
    inside = fates.within(bound.phase)
    if not inside.any():
        return Measured(value=None, detail=f"no request in phase {bound.phase}")
    failed = inside & ~fates.ok & (fates.outcome != REFUSED)
    listed = ", ".join(f"{count} {one}" for one, count in Counter(fates.outcome[failed]).most_common())
    told = f"of {int(inside.sum()):,} requests {int(failed.sum()):,} failed in another way than by a 429"
    return Measured(
        value=int(failed.sum()),
        detail=f"{told} ({listed})" if listed else told,
        request_ids=fates.ids(failed),
    )


def normal_again_s(situation: Situation, bound: Bound) -> Measured:
    """From the end of the phase until every slice was good, by the baseline's limit on first tokens.

    Where slices beyond the bound's limit were bad to the end it is the time until then.
    """
    limits_s = [
        one.limit_s
        for one in goodput.of_baseline(situation.facts.scenario.objectives)
        if one.sli == "ttft" and one.limit_s is not None
    ]
    spans = _ended(situation, bound)
    if not limits_s or not spans:
        return Measured(value=None, detail=f"no ttft objective of the baseline, or {bound.phase} did not end")
    end_s = spans[-1][1]
    limit_s = math.inf if bound.at_most is None else bound.at_most
    asked = Recovery(limit_s=limit_s, ttft_limit_s=min(limits_s), good_share=GOOD_SHARE)
    found = recovery_of(situation.fates, asked, injected_s=end_s)
    told = f"since {end_s:.1f} s {found.detail}"
    if found.verdict == "FAIL" and found.recovery_s is None:
        return not_seen(bound, watched_s=float(situation.fates.intended_s.max()) - end_s, detail=told)
    return Measured(value=found.recovery_s, detail=told)


def _ended(situation: Situation, bound: Bound) -> list[tuple[float, float]]:
    """Start and end of the stretches of the bound's phase; none of a phase that did not end."""
    spans = spans_of(situation, bound.phase)
    if any(span.end_s is None for span in spans):
        return []
    return [(span.start_s, span.end_s) for span in spans if span.end_s is not None]
