"""Logarithmic axes of a portrait, and the share of values above each place on one."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from sealegs.portrait.measures import Floats
from sealegs.report import svg

POINTS = 240
DECADES_MIN = 3


def log_ticks(scale: svg.Scale) -> list[float]:
    """Powers of ten on an axis; 2 and 5 times them too where there would be fewer than three."""
    powers = range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
    for factors in ((1,), (1, 2, 5)):
        found = [factor * 10.0**power for power in powers for factor in factors]
        found = [value for value in found if scale.low <= value <= scale.high]
        if len(found) >= DECADES_MIN:
            break
    return found


def short(value: float) -> str:
    """A round number in few letters: 0.5, 20, 5k, 2M."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def frame(x: svg.Scale, y: svg.Scale, *, unit: str) -> str:
    """Rules and names of both axes: values along the bottom, shares in percent at the side."""
    across = [(y(one), f"{one * 100:g} %") for one in log_ticks(y)]
    along = [(x(one), short(one)) for one in log_ticks(x)]
    rules = "".join(
        f"M{svg.coordinate(x.start)} {svg.coordinate(place)}H{svg.coordinate(x.end)}" for place, _ in across
    )
    rules += "".join(
        f"M{svg.coordinate(place)} {svg.coordinate(y.start)}V{svg.coordinate(y.end)}" for place, _ in along
    )
    names = [svg.text(x.start - 6, place + 4, name, "tick y") for place, name in across]
    names += [svg.text(place, y.start + 15, name, "tick x") for place, name in along]
    names.append(svg.text(x.end, y.start + 29, unit, "tick y"))
    return svg.path(rules, "grid") + "".join(names)


def above(values: Floats) -> Callable[[Floats], Floats]:
    """The share of the values that is above each of some limits."""
    ascending = np.sort(values)
    return lambda limits: 1.0 - np.searchsorted(ascending, limits, side="right") / len(ascending)


def curve(x: svg.Scale, y: svg.Scale, shares: Callable[[Floats], Floats], kind: str) -> str:
    """A line of shares along a logarithmic axis; it falls to the bottom where the other axis ends."""
    limits = np.geomspace(x.low, x.high, POINTS)
    points: list[svg.Point] = []
    for limit, one in zip(limits.tolist(), shares(limits).tolist(), strict=True):
        points.append((x(limit), y(one) if one >= y.low else y.start))
        if one < y.low:
            break
    return svg.path(svg.path_line(points), kind)


def legend(x: float, bottom: float, entries: Sequence[tuple[str, str]]) -> str:
    """Names beside a piece of their lines, each with the line's class, above each other."""
    parts = []
    for row, (kind, name) in enumerate(entries):
        middle = bottom - 16.0 * (len(entries) - 1 - row)
        parts.append(svg.path(f"M{svg.coordinate(x)} {svg.coordinate(middle)}h30", kind))
        parts.append(svg.text(x + 38, middle + 4, name, "name"))
    return "".join(parts)
