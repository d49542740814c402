"""Small pictures of many nights: a line for each series, and verdict signs in a row."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from sealegs.judgement.verdict import WORST_FIRST, Word
from sealegs.nightly.flags import Flag
from sealegs.nightly.series import Series, Unit
from sealegs.report import svg
from sealegs.report.interval import floor_of
from sealegs.report.words import SIGNS, count, seconds, share

STEP = 4  # from a night to the next, in whole pixels: a page has some thousand of them
LEFT, TOP, BOTTOM = 46, 8, 62
HEIGHT = 66
CIRCLE = "m-2.2 0a2.2 2.2 0 1 0 4.4 0a2.2 2.2 0 1 0-4.4 0"
TRIANGLE = "l-4-6h8z"
NOTHING = "·"
FINE_S = 0.01


def told(value: float | None, unit: Unit) -> str:
    """A value of a series in words."""
    if unit == "share":
        return share(value)
    # What a client measures of itself is a millisecond or less.
    return f"{value * 1e3:.2g} ms" if value and value < FINE_S else seconds(value)


def picture(series: Series, flags: Sequence[Flag]) -> str:
    """The series with its limit, hollow where it is distrusted, open where nothing is, and its flags."""
    low, high = bounds(series)
    right = LEFT + STEP * (len(series.values) - 1)
    y = svg.Scale(low=low, high=high, start=BOTTOM, end=TOP)
    places = [
        None if value is None else (LEFT + STEP * at, round(y(value)))
        for at, value in enumerate(series.values)
    ]
    trusted = [None if bad else place for place, bad in zip(places, series.distrusted, strict=True)]
    hollow = [place for place, bad in zip(places, series.distrusted, strict=True) if bad and place]
    parts = [
        svg.text(LEFT - 5, BOTTOM + 3, told(low, series.unit), "tick y"),
        svg.text(LEFT - 5, TOP + 4, told(high, series.unit), "tick y"),
    ]
    # A limit far above everything would press the line flat: it stands in the words beside.
    if series.limit is not None and low <= series.limit <= high:
        parts.append(svg.path(f"M{LEFT} {y(series.limit):.0f}H{right}", "target"))
    parts.append(svg.path(line(trusted), "nights"))
    parts.append(svg.path(svg.path_marks(hollow, CIRCLE), "hollow"))
    for flag in flags:
        at = LEFT + STEP * flag.index - STEP // 2
        kind = "moved environment" if flag.is_environment else "moved"
        parts.append(svg.path(f"M{at} {TOP}V{BOTTOM}M{at} {TOP - 1}{TRIANGLE}", kind))
    opening = f'<svg viewBox="0 0 {right + STEP} {HEIGHT}" role="img" aria-label="{_said(series, flags)}">'
    return f"{opening}{''.join(parts)}</svg>"


def _said(series: Series, flags: Sequence[Flag]) -> str:
    """A picture in words."""
    known = [one for one in series.values if one is not None]
    said = f"{len(known)} of {count(len(series.values), 'night')}"
    if known:
        said += f", {told(min(known), series.unit)} to {told(max(known), series.unit)}"
    return f"{said}, {count(len(flags), 'change')} of level" if flags else said


def line(places: Sequence[tuple[int, int] | None]) -> str:
    """A line through whole pixels by relative moves, half the bytes of absolute ones; None lifts the pen."""
    parts: list[str] = []
    before: tuple[int, int] | None = None
    level = 0
    for place in (*places, None):
        step = (place[0] - before[0], place[1] - before[1]) if place and before else None
        if step is not None and step[1] == 0:
            level += step[0]
        else:
            # A point alone is a level of no length, which round caps show as a dot.
            if level or (before is not None and parts[-1].startswith("M")):
                parts.append(f"h{level}")
                level = 0
            if step is not None:
                parts.append(f"l{step[0]}{' ' * (step[1] > 0)}{step[1]}")
            elif place is not None:
                parts.append(f"M{place[0]} {place[1]}")
        before = place
    return "".join(parts)


def bounds(series: Series) -> tuple[float, float]:
    """What a picture spans: durations from zero, shares from a round one below all values to all good."""
    values = [one for one in series.values if one is not None]
    if series.unit == "share":
        lowest = {"n": len(values), "bound_low": min(values, default=1.0), "target": series.limit or 1.0}
        return floor_of([lowest]), 1.0
    return 0.0, max(values, default=0.0) * 1.1 or 1.0


def strip(words: Sequence[Word | None]) -> str:
    """Verdict signs in a row, oldest first, as marked-up text; a night without one is a dot."""
    runs = [(word, len(list(same))) for word, same in groupby(words)]
    said = ", ".join(f"{number} {word or 'without'}" for word, number in runs)
    signs = "".join(
        f'<i class="{word.lower()}">{SIGNS[word] * number}</i>' if word else NOTHING * number
        for word, number in runs
    )
    return f'<span class="strip" role="img" aria-label="{count(len(words), "night")}: {said}">{signs}</span>'


def tally(words: Sequence[Word]) -> str:
    """How many there are of each word, worst first."""
    counts = Counter(words)
    return ", ".join(f"{counts[word]} {word}" for word in WORST_FIRST if counts[word])
