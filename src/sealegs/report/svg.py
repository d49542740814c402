"""Drawing in text: scales, paths and labels. Pure; the same input gives the same bytes."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby, pairwise
from operator import itemgetter

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A value's place on the page, in pixels. `log` takes logarithms; what is outside stays on the edge."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Pixel of a value."""
        low, high, value = (
            math.log(max(one, 1e-9)) if self.log else one for one in (self.low, self.high, value)
        )
        inside = min(max(value, low), high)
        return self.start + (inside - low) / ((high - low) or 1.0) * (self.end - self.start)


def nice_step(span: float, *, count: int) -> float:
    """A round step (1, 2 or 5 times a power of ten) that divides a span into about `count` parts."""
    rough = max(span, 1e-9) / count
    power = 10.0 ** math.floor(math.log10(rough))
    return next((power * factor for factor in (1, 2, 5) if power * factor >= rough), power * 10)


def ticks(low: float, high: float, *, count: int) -> list[float]:
    """Round values from low to high."""
    step = nice_step(high - low, count=count)
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def coordinate(value: float) -> str:
    """A pixel to a tenth, without a needless zero."""
    return f"{value:.1f}".removesuffix(".0")


def path_line(points: Iterable[Point | None]) -> str:
    """A line through points; None lifts the pen, so a gap stays a gap."""
    parts: list[str] = []
    down = False
    for point in points:
        if point is not None:
            parts.append(f"{'L' if down else 'M'}{coordinate(point[0])} {coordinate(point[1])}")
        down = point is not None
    return "".join(parts)


def path_steps(edges: Sequence[float], heights: Sequence[float | None]) -> str:
    """A flat line from each edge to the next; None draws nothing there. What stays the same is one line."""
    parts: list[str] = []
    before: float | None = None
    for height, same in groupby(zip(heights, pairwise(edges), strict=False), key=itemgetter(0)):
        spans = [span for _, span in same]
        if height is not None:
            start, end = coordinate(spans[0][0]), coordinate(spans[-1][1])
            move = f"M{start} {coordinate(height)}" if before is None else f"V{coordinate(height)}"
            parts.append(f"{move}H{end}")
        before = height
    return "".join(parts)


def path_marks(points: Iterable[Point], mark: str) -> str:
    """The same small mark at each point: relative path data, such as ``h0``, a dot where caps are round."""
    return "".join(f"M{coordinate(x)} {coordinate(y)}{mark}" for x, y in points)


def path(data: str, kind: str) -> str:
    """A path of a class, or nothing when there is nothing to draw."""
    return f'<path class="{kind}" d="{data}"/>' if data else ""


def text(x: float, y: float, words: str, kind: str) -> str:
    """A label of a class."""
    return f'<text x="{coordinate(x)}" y="{coordinate(y)}" class="{kind}">{escape(words, quote=False)}</text>'


def rectangle(x: float, y: float, width: float, height: float, kind: str, *, opacity: float = 1.0) -> str:
    """A rectangle of a class."""
    place = f'x="{coordinate(x)}" y="{coordinate(y)}"'
    size = f'width="{coordinate(max(width, 0.0))}" height="{coordinate(height)}"'
    faint = f' fill-opacity="{opacity:.2f}"' if opacity < 1 else ""
    return f'<rect {place} {size} class="{kind}"{faint}/>'


def small(width: float, height: float, body: str, *, kind: str, said: str = "") -> str:
    """A drawing of its own in a line of text; one that says nothing is decoration to a screen reader."""
    told = f'role="img" aria-label="{escape(said)}"' if said else 'aria-hidden="true"'
    return f'<svg viewBox="0 0 {width:g} {height:g}" class="{kind}" {told}>{body}</svg>'


def spread(places: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Places of labels moved apart until each has its gap, kept in order, within low and high if they fit."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    moved = list(places)
    floor = low
    for index in order:
        moved[index] = max(moved[index], floor)
        floor = moved[index] + gap
    ceiling = high
    for index in reversed(order):
        moved[index] = min(moved[index], ceiling)
        ceiling = moved[index] - gap
    return moved
