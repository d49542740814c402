"""The bar of one objective: where the true share of good requests lies, and where it would have to lie."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sealegs.report import svg
from sealegs.report.words import share

WIDTH, HEIGHT, MARGIN = 200.0, 26.0, 6.0


def floor_of(objectives: Sequence[Mapping[str, Any]]) -> float:
    """The share at which all bars begin: a round one below every bound and target."""
    lowest = min((min(one["bound_low"], one["target"]) for one in objectives if one["n"]), default=0.0)
    step = next(step for step in (0.001, 0.01, 0.05, 0.1, 1.0) if 1 - lowest <= 10 * step)
    return max(0.0, math.floor(lowest / step + 1e-9) * step - step)


def interval_bar(objective: Mapping[str, Any], *, floor: float) -> str:
    """One bar from `floor` to all good: bounds as a band, what was seen as a dot, the target as a rule."""
    x = svg.Scale(low=floor, high=1.0, start=MARGIN, end=WIDTH - MARGIN)
    middle = HEIGHT / 2
    low, high, target = (objective[key] for key in ("bound_low", "bound_high", "target"))
    parts = [svg.path(f"M{MARGIN:g} {middle:g}H{WIDTH - MARGIN:g}", "axis")]
    said = "No request to judge by."
    if objective["n"]:
        parts.append(svg.rectangle(x(low), middle - 5, max(x(high) - x(low), 1.5), 10, "bounds"))
        parts.append(svg.path(svg.path_marks([(x(objective["good_share"]), middle)], "h0"), "seen"))
        said = f"Between {share(low)} and {share(high)} good, target {share(target)}."
    parts.append(svg.path(f"M{svg.coordinate(x(target))} 2V{HEIGHT - 2:g}", "limit"))
    opening = f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" class="interval" role="img" aria-label="{said}">'
    return f"{opening}{''.join(parts)}</svg>"
