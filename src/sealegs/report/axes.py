"""What panels share: grids, lines with their names at the end, steps of time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from sealegs.report import svg

Floats = npt.NDArray[np.float64]

STEPS_MAX = 60
SAMPLE_GAP_S_MAX = 2.5  # samples are a second apart; more than this is a gap and drawn as one
SAMPLE_COLUMNS_MAX = 400
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
    """A quantile of the values in each step; None where there are none. NaN is no value."""
    known = ~np.isnan(values)
    order = np.argsort(t_s[known], kind="stable")
    places = np.searchsorted(t_s[known][order], edges)
    inside = values[known][order]
    return [quantile_of(inside[start:end], q) for start, end in pairwise(places)]


def quantile_of(values: Floats, q: float) -> float | None:
    """As `sealegs.judgement.stats.quantile`, of very many at once; NaN is no value."""
    known = values[~np.isnan(values)]
    rank = max(0, math.ceil(q * len(known)) - 1)
    return float(np.partition(known, rank)[rank]) if len(known) else None


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
    return "".join(drawn) + named(x, y, lines, ends)


def named(x: svg.Scale, y: svg.Scale, lines: Sequence[Line], ends: Sequence[float]) -> str:
    """The lines' names behind the axis, moved apart where lines end at about the same height."""
    places = svg.spread(ends, gap=NAME_GAP, low=min(y.start, y.end), high=max(y.start, y.end))
    return "".join(
        svg.text(x.end + 8, place + 4, line.name, f"name {line.kind.split()[-1]}")
        for line, place in zip(lines, places, strict=True)
    )


def sampled(x: svg.Scale, y: svg.Scale, samples: Sequence[Mapping[str, Any]], lines: Sequence[Line]) -> str:
    """Lines through samples: each holds until the next one, unless that is missing."""
    if not samples:
        return svg.text(x.start + 6, (y.start + y.end) / 2, "nothing was sampled", "note")
    times_s = [float(one["t_s"]) for one in samples]
    edges: list[float] = []
    kept: list[int] = []
    for index, (t_s, next_s) in enumerate(pairwise([*times_s, times_s[-1] + 1.0])):
        edges.append(t_s)
        kept.append(index)
        if next_s - t_s > SAMPLE_GAP_S_MAX:
            edges.append(t_s + 1.0)
            kept.append(len(samples))
    edges.append(times_s[-1] + 1.0)
    drawn, ends = [], []
    for line in lines:
        # One value more than there are samples: what stands in a gap.
        values = np.array([*line.values, None], dtype=float)[kept]
        at, steps = telling(np.array(edges), values)
        heights = [None if np.isnan(value) else y(value) for value in steps.tolist()]
        drawn.append(svg.path(svg.path_steps([x(edge) for edge in at.tolist()], heights), line.kind))
        ends.append(next((height for height in reversed(heights) if height is not None), y.start))
    return "".join(drawn) + named(x, y, lines, ends)


def telling(edges: Floats, values: Floats) -> tuple[Floats, Floats]:
    """The same steps, or of very many the lowest and the highest in each of SAMPLE_COLUMNS_MAX columns.

    No peak and no dip is lost, and a gap stays one that is as wide as a column. NaN is a gap.
    """
    if len(values) <= 2 * SAMPLE_COLUMNS_MAX:
        return edges, values
    bounds = np.searchsorted(edges[:-1], np.linspace(edges[0], edges[-1], SAMPLE_COLUMNS_MAX + 1)[:-1])
    at, kept = [], []
    for start, end in pairwise([*np.unique(bounds).tolist(), len(values)]):
        seen = np.flatnonzero(~np.isnan(values[start:end])) + start
        if not len(seen):
            at.append(edges[start])
            kept.append(np.nan)
            continue
        low, high = seen[values[seen].argmin()], seen[values[seen].argmax()]
        first, second = sorted((int(low), int(high)))
        at += [edges[start], (edges[start] + edges[end]) / 2]
        kept += [values[first], values[second]]
    return np.array([*at, edges[-1]]), np.array(kept)
