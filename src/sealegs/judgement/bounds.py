"""Claims about a single measured number: it lies within limits, or it does not, or nobody measured it."""

import math
from dataclasses import dataclass

from sealegs.judgement.fates import REQUEST_IDS_MAX
from sealegs.judgement.measures import MEASURES
from sealegs.judgement.situation import Situation
from sealegs.judgement.stats import Decision
from sealegs.scenario.claim import Bound


@dataclass(frozen=True, kw_only=True)
class BoundResult:
    """One bound decided. `value` is None when it was not measured, and the bound is then INCONCLUSIVE.

    `request_ids` are the first of the requests that the number is about, where it is about requests.
    """

    name: str
    measure: str
    verdict: Decision
    value: float | None
    at_least: float | None
    at_most: float | None
    detail: str
    request_ids: tuple[str, ...] = ()


def decide(situation: Situation, bound: Bound) -> BoundResult:
    """Measure what a bound is about and hold it against the limits."""
    measured = MEASURES[bound.measure](situation, bound)
    # Of damaged evidence a number may be none, and that would lie within any limit.
    value = measured.value if measured.value is not None and math.isfinite(measured.value) else None
    return BoundResult(
        name=bound.name,
        measure=bound.measure,
        verdict=_verdict(value, bound),
        value=None if value is None else round(value, 6),
        at_least=bound.at_least,
        at_most=bound.at_most,
        detail=measured.detail,
        request_ids=measured.request_ids[:REQUEST_IDS_MAX],
    )


def _verdict(value: float | None, bound: Bound) -> Decision:
    """INCONCLUSIVE without a number; a limit itself is within."""
    if value is None:
        return "INCONCLUSIVE"
    low = bound.at_least is not None and value < bound.at_least
    high = bound.at_most is not None and value > bound.at_most
    return "FAIL" if low or high else "PASS"
