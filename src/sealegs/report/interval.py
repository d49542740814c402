"""Bars: where a true share lies, beside where it would have to lie."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sealegs.report import svg
from sealegs.report.words import part, share

WIDTH, HEIGHT, MARGIN = 200.0, 26.0, 6.0


def floor_of(objectives: Sequence[Mapping[str, Any]]) -> float:
    """The share at which all bars begin: a round one below every bound and target."""
    lowest = min((min(one["bound_low"], one["target"]) for one in objectives if one["n"]), default=0.0)
    step = next(step for step in (0.001, 0.01, 0.05, 0.1, 1.0) if 1 - lowest <= 10 * step)
    return max(0.0, math.floor(lowest / step + 1e-9) * step - step)


def interval_bar(objective: Mapping[str, Any], *, floor: float) -> str:
    """One bar from `floor` to all good: bounds as a band, what was seen as a dot, the target as a rule."""
    low, high, target = (objective[key] for key in ("bound_low", "bound_high", "target"))
    said = f"Between {share(low)} and {share(high)} good, target {share(target)}."
    return _bar(
        svg.Scale(low=floor, high=1.0, start=MARGIN, end=WIDTH - MARGIN),
        bounds=(low, high),
        seen=objective["good_share"] if objective["n"] else None,
        limit=target,
        said=said if objective["n"] else "No request to judge by.",
    )


def budget_end(budget: Mapping[str, Any]) -> float:
    """Where the axis of a budget's bar ends: a little behind its limit, or behind what lies beyond that."""
    return float(max(budget["spent_high"], budget["spent_max"], 1e-12)) * 1.1


def budget_bar(budget: Mapping[str, Any]) -> str:
    """One bar from nothing spent to the limit and whatever lies beyond it."""
    low, high, most = (budget[key] for key in ("spent_low", "spent_high", "spent_max"))
    said = f"Between {part(low)} and {part(high)} spent, at most {part(most)} may be."
    return _bar(
        svg.Scale(low=0.0, high=budget_end(budget), start=MARGIN, end=WIDTH - MARGIN),
        bounds=(low, high),
        seen=budget["spent"],
        limit=most,
        said=said if budget["spent"] is not None else "No request to judge by.",
    )


def _bar(x: svg.Scale, *, bounds: tuple[float, float], seen: float | None, limit: float, said: str) -> str:
    """An axis, on it the limit and, where something was seen, that between its bounds."""
    middle = HEIGHT / 2
    parts = [svg.path(f"M{x.start:g} {middle:g}H{x.end:g}", "axis")]
    if seen is not None:
        low, high = (x(bound) for bound in bounds)
        parts.append(svg.rectangle(low, middle - 5, max(high - low, 1.5), 10, "bounds"))
        parts.append(svg.path(svg.path_marks([(x(seen), middle)], "h0"), "seen"))
    parts.append(svg.path(f"M{svg.coordinate(x(limit))} 2V{HEIGHT - 2:g}", "limit"))
    return svg.small(WIDTH, HEIGHT, "".join(parts), kind="interval", said=said)
