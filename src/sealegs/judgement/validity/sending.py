"""Whether requests left as planned: when they were meant to, as many as were meant to, spread as meant."""

import math
from collections.abc import Iterator

import numpy as np

from sealegs.judgement.dispersion import dispersion, rate_error
from sealegs.judgement.facts import Facts, intervals, mark_s
from sealegs.judgement.fates import MEASURED, Fates, Floats
from sealegs.judgement.validity.check import Check, at_most

LAG_S_P50_MAX = 0.010
# What is asked of a load machine. 5 % of a limit on the first token is less where that is below a second, and
# is left out: latency runs from the intended time, so that a late send can fail a run and not pass one.
LAG_S_P99_MAX = 0.050
# Who sends before the time is answered before the time: this, unlike lag, would flatter the system.
LEAD_S_MAX = 0.001
# As MLPerf tolerates; in a phase of few requests, one of them.
RATE_ERROR_MAX = 0.02
DISPERSION_P_MIN = 0.001
# Held back by the client's own rules: that is not late, and `planned_sent` and objectives count it.
HELD = ("cap_refused", "never_sent")
LATE = "schedule was not kept"


def checks(facts: Facts, fates: Fates) -> Iterator[Check]:
    """Each check of the sending."""
    lag_s = fates.sent_s - fates.intended_s
    yield _sent_early(lag_s)
    measured_s = np.sort(lag_s[fates.within("run") & ~np.isnan(lag_s)])
    for name, q, limit_s in (("lag-p50", 0.5, LAG_S_P50_MAX), ("lag-p99", 0.99, LAG_S_P99_MAX)):
        rank = max(1, math.ceil(q * len(measured_s)))
        found_s = float(measured_s[rank - 1]) if len(measured_s) else None
        told = "nothing was sent"
        if found_s is not None:
            told = f"{q:.0%} of requests left within {found_s * 1e3:.1f} ms of their time"
        yield at_most(name, found_s, limit_s, told=told, bad=LATE)
    yield _rate_kept(facts, fates)
    yield from _as_poisson(facts, fates)


def _sent_early(lag_s: Floats) -> Check:
    lead_s = max(0.0, float(-np.nanmin(lag_s, initial=0.0)))
    early = "a request left" if lead_s > LEAD_S_MAX else "no request left"
    return Check(
        name="sent-early",
        ok=lead_s <= LEAD_S_MAX,
        value=round(lead_s, 6),
        limit=LEAD_S_MAX,
        detail=f"{early} more than {LEAD_S_MAX * 1e3:g} ms before its time",
    )


def _rate_kept(facts: Facts, fates: Fates) -> Check:
    """Of what was due in a phase as much left in it, or as little after its end as a sound client may lag."""
    free = ~fates.ended(*HELD)
    found: list[tuple[str, float, float]] = []
    for phase in intervals(facts):
        due = free & (fates.due_in == phase.name)
        end_s = (facts.seen_until_s if phase.end_s is None else phase.end_s) + LAG_S_P99_MAX
        error = rate_error(fates.intended_s[due], fates.sent_s[due], start_s=phase.start_s, end_s=end_s)
        if phase.name in MEASURED and error is not None:
            found.append((phase.name, error, max(RATE_ERROR_MAX, 1 / int(due.sum()))))
    if not found:
        return at_most("rate-kept", None, RATE_ERROR_MAX, told="nothing was due in any phase", bad=LATE)
    name, error, most = max(found, key=lambda one: abs(one[1]) - one[2])
    told = f"rate in {name} is {abs(error):.1%} off the plan"
    return at_most("rate-kept", abs(error), most, told=told, bad=LATE)


def _as_poisson(facts: Facts, fates: Fates) -> Iterator[Check]:
    """What was to arrive as from independent users did: the dispersion of the first turns, as they left.

    Later turns come when answers let them. A plan of too few to tell has no such check, nor has one that
    looks uneven itself: one seed in a thousand gives such a plan, and it is as random as the others.
    """
    start_s = mark_s(facts, "warmup")
    first = fates.turn == 0
    if facts.scenario.traffic.arrivals.kind != "poisson" or start_s is None:
        return
    end_s = start_s + facts.scenario.phases.duration_s
    planned = dispersion(fates.intended_s[first], start_s=start_s, end_s=end_s)
    if planned is None or planned.p <= DISPERSION_P_MIN:
        return
    # What never left is counted elsewhere: here its time stands for it, lest it be taken for a silence.
    times_s = np.where(np.isnan(fates.sent_s), fates.intended_s, fates.sent_s)
    found = dispersion(times_s[first], start_s=start_s, end_s=end_s)
    told = "too few of the planned requests left to tell"
    if found is not None:
        told = f"arrivals have a variance of {found.index:.2f} times their mean, p = {found.p:.2g}"
    ok = found is not None and found.p > DISPERSION_P_MIN
    yield Check(
        name="arrivals-poisson",
        ok=ok,
        value=None if found is None else round(found.p, 6),
        limit=DISPERSION_P_MIN,
        detail=told if ok else f"{LATE}: requests did not leave as a Poisson process: {told}",
    )
