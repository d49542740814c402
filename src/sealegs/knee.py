"""The knee of a stack: the highest rate of a scenario's traffic at which its baseline objectives hold.

Rates are tried one after the other, as Veeksha does: twice as much until one breaks, then the geometric mean
of the highest that held and the lowest that broke, until these are close enough. A window of seconds decides
few targets at their confidence, so a rate holds when the share of good requests reaches each target, and the
exact bounds of that share stand beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sealegs.judgement import goodput, slo
from sealegs.judgement.fates import NEVER_SENT, Fates
from sealegs.judgement.measures.overload import REFUSED
from sealegs.judgement.stats import good_share_bounds, quantile, requests_min
from sealegs.judgement.validity import client
from sealegs.judgement.validity.sending import LAG_S_P99_MAX
from sealegs.scenario import Scenario
from sealegs.scenario.workload import ANSWERED

SETTLE_S, WINDOW_S = 5.0, 20.0
# The knee lies between two rates of which the higher is at most so many times the lower.
RATIO = 1.15
RATE_RPS_MIN = 0.1
CONFIDENCE = 0.99

Word = Literal["holds", "breaks", "client"]
Ending = Literal["found", "client", "time", "none"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """What was seen in the window of one rate.

    Attributes:
        rate_rps: the rate as a scenario names it. What cannot fit the model is left out of that, so fewer
            requests may be due: `due`, and `sent_rps` of these left.
        good: those of the due ones that were good by every objective of the baseline.
        bound_low: with `bound_high`, the exact bounds of the share of good, each one-sided at 99 %.
        ttft_s_p95: of the answered ones, from the intended time.
        refused: those that were answered 429.
        missed: names of the objectives whose target was not reached.
        doubts: what the client measured of itself and should not have, in sentences.
    """

    rate_rps: float
    due: int
    sent_rps: float
    good: int
    bound_low: float
    bound_high: float
    ttft_s_p95: float | None
    refused: int
    tokens_per_s: float
    missed: tuple[str, ...]
    doubts: tuple[str, ...]

    @property
    def word(self) -> Word:
        """Whether the rate holds; where it does not and the client was busy itself, nobody knows whose it is.

        A busy client makes the stack look worse than it is, never better: what holds, holds.
        """
        return "holds" if not self.missed else "client" if self.doubts else "breaks"

    @property
    def goodput_rps(self) -> float:
        """Good requests a second."""
        return self.good / WINDOW_S


@dataclass(frozen=True, kw_only=True)
class Knee:
    """Where a search ended: the highest rate that held, and the lowest above it that did not.

    `ending` says what ended it: the two are close (found), the client is the limit, time was up, or no rate
    held (none). Only the first is a knee; with the next two, the knee is at least `rate_rps`.
    """

    rate_rps: float | None
    goodput_rps: float | None
    above_rps: float | None
    ending: Ending


def step_of(fates: Fates, summary: Mapping[str, Any] | None, scenario: Scenario) -> Step:
    """What a step's window, its phase ``baseline``, shows; `summary` is what load says of itself."""
    inside = fates.within("baseline")
    good, due = goodput.good(fates, scenario.objectives) & inside, int(inside.sum())
    bounds = good_share_bounds(n=due, bad=due - int(good.sum()), confidence=CONFIDENCE)
    answered = inside & np.isin(fates.outcome, ANSWERED)
    sent = inside & ~np.isin(fates.outcome, NEVER_SENT)
    return Step(
        rate_rps=scenario.traffic.rate_rps,
        due=due,
        sent_rps=round(int(sent.sum()) / WINDOW_S, 3),
        good=int(good.sum()),
        bound_low=round(bounds.low, 6),
        bound_high=round(bounds.high, 6),
        ttft_s_p95=quantile(fates.ttft_s[answered].tolist(), 0.95),
        refused=int((inside & (fates.outcome == REFUSED)).sum()),
        tokens_per_s=round(float(np.nansum(fates.tokens_received[inside])) / WINDOW_S, 1),
        missed=tuple(_missed(fates, scenario)),
        doubts=tuple(_doubts(fates, summary)),
    )


def unsent(rate_rps: float, *, why: str) -> Step:
    """A step at a rate that the client cannot send."""
    return Step(
        rate_rps=rate_rps,
        due=0,
        sent_rps=0.0,
        good=0,
        bound_low=0.0,
        bound_high=1.0,
        ttft_s_p95=None,
        refused=0,
        tokens_per_s=0.0,
        missed=("not sent",),
        doubts=(why,),
    )


def next_rate(steps: Sequence[Step], *, start_rps: float) -> float | None:
    """The rate to try after these; None when there is nothing more to find."""
    if not steps:
        return start_rps
    knee = knee_of(steps)
    if knee.rate_rps is None:
        lower = _rounded(min(one.rate_rps for one in steps) / 2)
        return lower if lower >= RATE_RPS_MIN else None
    if knee.above_rps is None:
        return _rounded(knee.rate_rps * 2)
    if knee.ending != "time":
        return None
    return _rounded((knee.rate_rps * knee.above_rps) ** 0.5)


def knee_of(steps: Sequence[Step]) -> Knee:
    """Where these steps leave the knee; ``time`` where more of them would tell more."""
    above = min((one for one in steps if one.word != "holds"), key=lambda one: one.rate_rps, default=None)
    held = [one for one in steps if one.word == "holds" and (above is None or one.rate_rps < above.rate_rps)]
    best = max(held, key=lambda one: one.rate_rps, default=None)
    ending: Ending = "time"
    if best is None and above is not None:
        ending = "none" if above.word == "breaks" else "client"
    elif above is not None and above.word == "client":
        ending = "client"
    elif best is not None and above is not None and above.rate_rps <= RATIO * best.rate_rps:
        ending = "found"
    return Knee(
        rate_rps=best.rate_rps if best else None,
        goodput_rps=best.goodput_rps if best else None,
        above_rps=above.rate_rps if above else None,
        ending=ending,
    )


def too_small(scenario: Scenario) -> str | None:
    """Why a share of this machine's knee is too little traffic to decide the scenario's claims; or None."""
    traffic = scenario.traffic
    if traffic.knee_share is None:
        return None
    per_rate = traffic.rate_rps_min / traffic.rate_rps
    needed = {
        one.name: requests_min(target=one.target, confidence=one.confidence)
        / scenario.phases.longest_s(one.phase)
        for one in scenario.objectives
        if one.slice_s is None
    }
    name = max(needed, key=lambda one: needed[one], default="")
    if not needed or needed[name] <= traffic.rate_rps_min:
        return None
    knee_rps = needed[name] / per_rate / traffic.knee_share if per_rate else np.inf
    return (
        f"this machine is too small for {scenario.name}: {traffic.knee_share:g} of its knee is "
        f"{traffic.rate_rps:.3g} requests/s, too few to decide {name}; a knee of {knee_rps:.3g} would do"
    )


def _missed(fates: Fates, scenario: Scenario) -> list[str]:
    """Objectives of the baseline whose target the share of good requests, or slices, does not reach."""
    results = (slo.decide(fates, one) for one in goodput.of_baseline(scenario.objectives))
    return [one.name for one in results if one.good_share is None or one.good_share < one.target]


def _doubts(fates: Fates, summary: Mapping[str, Any] | None) -> list[str]:
    """What the client measured of itself and a run would be INVALID for."""
    if summary is None:
        return ["load left no summary"]
    found = [check.detail for check in client.of_itself(summary) if not check.ok]
    lag_s = quantile([one for one in (fates.sent_s - fates.intended_s).tolist() if not np.isnan(one)], 0.99)
    if lag_s is not None and lag_s > LAG_S_P99_MAX:
        found.append(f"99% of requests left within {lag_s * 1e3:.1f} ms of their time")
    return found


def _rounded(rate_rps: float) -> float:
    """A rate in three digits."""
    return float(f"{rate_rps:.3g}")
