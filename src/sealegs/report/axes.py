"""What panels share: grids, lines with their names at the end, steps of time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from sealegs.report import svg
from sealegs.stats import quantile

Floats = npt.NDArray[np.float64]

STEPS_MAX = 60
SAMPLE_GAP_S_MAX = 2.5  # samples are a second apart; more than this is a gap and drawn as one
NAME_GAP = 13.0


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line and its name, which is written where it ends. `kind` is its class in the page's style."""

    name: str
    kind: str
    values: Sequence[float | None]


def edges_of(x: svg.Scale) -> list[float]:
    """Edges of whole steps of time along an axis; a rest at the end would look like a dip."""
    step_s = max(1.0, svg.nice_step(x.high - x.low, count=STEPS_MAX))
    edges: list[float] = np.arange(x.low, x.high + 1e-6, step_s).tolist()
    return edges


def binned(t_s: Floats, values: Floats, edges: Sequence[float], *, q: float) -> list[float | None]:
    """A quantile of the values in each step; None where there are none."""
    known = ~np.isnan(values)
    return [
        quantile(values[known & (t_s >= start) & (t_s < end)].tolist(), q) for start, end in pairwise(edges)
    ]


def highest(lines: Sequence[Line]) -> float:
    """The largest value of some lines, at least 1."""
    return max((value for line in lines for value in line.values if value is not None), default=1.0) or 1.0


def grid(x: svg.Scale, y: svg.Scale, *, values: Sequence[float] = ()) -> str:
    """Horizontal rules with their values, round ones unless they are given."""
    shown = values or svg.ticks(y.low, y.high, count=3)
    rules = "".join(
        f"M{svg.coordinate(x.start)} {svg.coordinate(y(one))}H{svg.coordinate(x.end)}" for one in shown
    )
    names = "".join(svg.text(x.start - 6, y(one) + 4, f"{one:g}", "tick y") for one in shown)
    return svg.path(rules, "grid") + names


def stepped(x: svg.Scale, y: svg.Scale, edges: Sequence[float], lines: Sequence[Line]) -> str:
    """Lines that are flat from each edge to the next, each named at the height where it ends."""
    drawn, ends = [], []
    for line in lines:
        heights = [None if value is None else y(value) for value in line.values]
        drawn.append(svg.path(svg.path_steps([x(edge) for edge in edges], heights), line.kind))
        ends.append(next((height for height in reversed(heights) if height is not None), y.start))
    places = svg.spread(ends, gap=NAME_GAP, low=min(y.start, y.end), high=max(y.start, y.end))
    named = [
        svg.text(x.end + 8, place + 4, line.name, f"name {line.kind.split()[-1]}")
        for line, place in zip(lines, places, strict=True)
    ]
    return "".join(drawn + named)


def sampled(x: svg.Scale, y: svg.Scale, samples: Sequence[Mapping[str, Any]], lines: Sequence[Line]) -> str:
    """Lines through samples: each holds until the next one, unless that is missing."""
    if not samples:
        return svg.text(x.start + 6, (y.start + y.end) / 2, "nothing was sampled", "note")
    times_s = [float(one["t_s"]) for one in samples]
    edges: list[float] = []
    kept: list[int | None] = []
    for index, (t_s, next_s) in enumerate(pairwise([*times_s, times_s[-1] + 1.0])):
        edges.append(t_s)
        kept.append(index)
        if next_s - t_s > SAMPLE_GAP_S_MAX:
            edges.append(t_s + 1.0)
            kept.append(None)
    edges.append(times_s[-1] + 1.0)
    spaced = [
        Line(
            name=line.name,
            kind=line.kind,
            values=[None if index is None else line.values[index] for index in kept],
        )
        for line in lines
    ]
    return stepped(x, y, edges, spaced)
