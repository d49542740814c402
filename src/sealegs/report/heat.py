"""Counts as shades: a map of cells, or a strip of them, and the key that says which shade is which count.

A map is a picture of a pixel a cell, and a mask: the page's style gives the colour that shows through it, so
one picture serves in light, in dark and in print.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sealegs.report import svg
from sealegs.report.png import SHADES, Cells, data_uri

COLUMNS_MIN, COLUMNS_MAX = 60, 220
PER_COLUMN = 12  # so many requests at least, or a map of few requests is all ones
LEVELS_MAX = 8
FAINTEST = 0.3  # how strong a cell of one request is: it must be seen
KEY_BOX = 11.0
KEY_LETTER = 6.4
KEY_HEIGHT = 20.0

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Levels:
    """The smallest count of each shade, from the faintest; the last one goes up to `most`."""

    bounds: tuple[int, ...]
    most: int

    def strength(self, level: int) -> float:
        """How much of the colour shows at a level, the first being 0."""
        last = max(len(self.bounds) - 1, 1)
        return round((SHADES - 1) * (FAINTEST + (1 - FAINTEST) * level / last)) / (SHADES - 1)

    def shades(self, counts: Counts) -> Cells:
        """The shade of each count; nothing where there is none."""
        steps = [0, *(round(self.strength(level) * (SHADES - 1)) for level in range(len(self.bounds)))]
        return np.asarray(steps, dtype=np.uint8)[np.searchsorted(self.bounds, counts, side="right")]

    @property
    def names(self) -> tuple[str, ...]:
        """The counts of each shade in words."""
        ends = [*(bound - 1 for bound in self.bounds[1:]), self.most]
        return tuple(
            f"{low:,}" if low == high else f"{low:,}\N{EN DASH}{high:,}"
            for low, high in zip(self.bounds, ends, strict=True)
        )


def levels_of(counts: Counts) -> Levels:
    """Round levels for some counts: 1, 2, 5, 10 and so on, or fewer where that is too many to tell apart."""
    most = max(int(counts.max(initial=0)), 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        bounds = [factor * 10**power for power in range(len(str(most))) for factor in factors]
        bounds = [bound for bound in bounds if bound <= most]
        if len(bounds) <= LEVELS_MAX:
            break
    return Levels(bounds=tuple(bounds), most=most)


def columns_of(x: svg.Scale, *, requests: int) -> Floats:
    """Edges of the cells along an axis of time, whole steps; the last cell may stand out of the axis."""
    wanted = min(max(requests // PER_COLUMN, COLUMNS_MIN), COLUMNS_MAX)
    step_s = max(1.0, svg.nice_step(x.high - x.low, count=wanted))
    steps = int(np.ceil((x.high - x.low) / step_s - 1e-9))
    return np.asarray(x.low + step_s * np.arange(steps + 1), dtype=np.float64)


def picture(
    name: str,
    counts: Counts,
    x: svg.Scale,
    edges: Floats,
    *,
    top: float,
    height: float,
    levels: Levels,
    kind: str,
) -> str:
    """Cells as a picture from `top` down, the first row of counts on top; `name` is no other picture's."""
    end = x.start + (float(edges[-1]) - x.low) / (x.high - x.low) * (x.end - x.start)
    place = f'x="{svg.coordinate(x.start)}" y="{svg.coordinate(top)}"'
    size = f'width="{svg.coordinate(end - x.start)}" height="{svg.coordinate(height)}"'
    image = f'<image {place} {size} preserveAspectRatio="none" href="{data_uri(levels.shades(counts))}"/>'
    mask = f'<mask id="{name}" maskUnits="userSpaceOnUse" {place} {size}>{image}</mask>'
    shown = svg.rectangle(x.start, top, x.end - x.start, height, kind)
    return f'{mask}<g mask="url(#{name})">{shown}</g>'


def key(x: float, y: float, levels: Levels, *, kind: str, words: str) -> str:
    """What each shade counts, as boxes with their numbers in a row."""
    parts = [svg.text(x, y + 10, words, "note")]
    x += KEY_LETTER * len(words) * 0.92 + 8
    for level, name in enumerate(levels.names):
        parts.append(svg.rectangle(x, y + 1, KEY_BOX, KEY_BOX, kind, opacity=levels.strength(level)))
        parts.append(svg.text(x + KEY_BOX + 4, y + 10, name, "note"))
        x += KEY_BOX + 16 + KEY_LETTER * len(name)
    return "".join(parts)


def over_time(t_s: Floats, edges: Sequence[float] | Floats) -> Counts:
    """How many moments lie in each step."""
    return np.asarray(np.histogram(t_s, edges)[0], dtype=np.int64)
