"""The timeline: panels over one axis of time, phases named above, the fault shaded through all of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from sealegs.report import svg
from sealegs.report.axes import edges_of
from sealegs.report.capacity import apps_of, load, mesh, replicas
from sealegs.report.latency import first_tokens, paces
from sealegs.report.panels import Panel, failures, lag, rates
from sealegs.report.reading import Reading
from sealegs.report.words import figure, seconds

WIDTH = 1000.0
LEFT, RIGHT = 52.0, 868.0
TITLE = 20.0
GAP = 10.0
PHASE_ROW = 16.0
MARK_ROW = 14.0
LETTER = 7.0  # width of a letter, to keep labels apart
STATES = ("armed", "injected", "landed", "undone", "gone")


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The drawing as one SVG element, and what its lines show as a table: a row for each step of time."""

    drawing: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def timeline(reading: Reading) -> Timeline:
    """Every panel of a run over one axis."""
    low_s, high_s = reading.span_s
    x = svg.Scale(low=low_s, high=high_s, start=LEFT, end=RIGHT)
    panels = _panels(reading, x)
    lines = [(panel.name, line) for panel in panels for line in panel.lines]
    return Timeline(
        drawing=_drawing(reading, x, panels),
        columns=("from, s", *(f"{name} {line.name}" for name, line in lines)),
        rows=tuple(
            (f"{edge:g}", *(figure(line.values[step]) for _, line in lines))
            for step, edge in enumerate(edges_of(x)[:-1])
        ),
    )


def _drawing(reading: Reading, x: svg.Scale, panels: Sequence[Panel]) -> str:
    """Panels below each other, phases and marks above them, the fault through them."""
    marks = _marks(reading)
    names = [(phase.start_s, phase.name) for phase in reading.phases]
    name_rows, mark_rows = (_rows([(x(t_s), label) for t_s, label in labels]) for labels in (names, marks))
    marks_top = PHASE_ROW * (max(name_rows, default=-1) + 1) + 4.0
    top = marks_top + MARK_ROW * (max(mark_rows, default=-1) + 1) + 6.0
    tops = _tops(panels, top)
    bottom = tops[-1] + TITLE + panels[-1].height + 4.0
    parts = [
        _band(reading, x, top, bottom),
        # Rules first: titles and data are drawn over them.
        *_rules(x, names, [PHASE_ROW * row for row in name_rows], bottom, kind="phase"),
        *_rules(x, marks, [marks_top + MARK_ROW * row for row in mark_rows], bottom, kind="mark"),
        *_drawn(panels, tops),
        _axis(x, bottom),
    ]
    said = " ".join(f"{panel.title}: {panel.said}" for panel in panels)
    return (
        f'<svg viewBox="0 0 {WIDTH:g} {bottom + 34:.0f}" role="img" '
        'aria-labelledby="timeline-name timeline-said">'
        '<title id="timeline-name">Timeline of the run</title>'
        f'<desc id="timeline-said">{escape(said, quote=False)}</desc>'
        '<defs><pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><path class="hatch" d="M0 0V7"/></pattern></defs>'
        f"{''.join(parts)}</svg>"
    )


def _panels(reading: Reading, x: svg.Scale) -> list[Panel]:
    """Every panel of a run, from what was asked to what it ran on."""
    return [
        rates(reading, x),
        failures(reading, x),
        first_tokens(reading, x),
        paces(reading, x),
        load(reading, x),
        *(replicas(reading, x, app) for app in apps_of(reading)),
        mesh(reading, x),
        lag(reading, x),
    ]


def _marks(reading: Reading) -> list[tuple[float, str]]:
    """The fault's states in time order, as labels, and where the evidence of an unfinished run ends."""
    story = reading.story
    stamps: Sequence[float | None] = [None] * len(STATES)
    if story:
        stamps = (story.armed_s, story.injected_s, story.landed_s, story.undone_s, story.gone_s)
    found = [
        (t_s, f"{name} {seconds(t_s)}") for t_s, name in zip(stamps, STATES, strict=True) if t_s is not None
    ]
    finished = any(record["name"] == "end" for record in reading.facts.of_kind("phase"))
    ends = [] if finished else [(reading.seen_until_s, f"evidence ends {seconds(reading.seen_until_s)}")]
    return sorted([*found, *ends])


def _rows(labels: Sequence[tuple[float, str]]) -> list[int]:
    """The first row of labels in which each has room to the right of its mark."""
    free: list[float] = []
    rows = []
    for place, label in labels:
        row = next((index for index, end in enumerate(free) if end <= place), len(free))
        free[row : row + 1] = [place + 16 + LETTER * len(label)]
        rows.append(row)
    return rows


def _tops(panels: Sequence[Panel], top: float) -> list[float]:
    """Where each panel begins."""
    tops = []
    for panel in panels:
        tops.append(top)
        top += TITLE + panel.height + GAP
    return tops


def _drawn(panels: Sequence[Panel], tops: Sequence[float]) -> Iterator[str]:
    """Each panel under its title."""
    for panel, top in zip(panels, tops, strict=True):
        yield svg.text(LEFT, top + 13, panel.title, "title")
        yield f'<g transform="translate(0 {svg.coordinate(top + TITLE)})">{panel.body}</g>'


def _band(reading: Reading, x: svg.Scale, top: float, bottom: float) -> str:
    """The time in which the fault stood, tinted and hatched: from injected to gone, if that was seen."""
    story = reading.story
    if story is None or story.injected_s is None:
        return ""
    end_s = reading.seen_until_s if story.gone_s is None else story.gone_s
    start, width = x(story.injected_s), x(end_s) - x(story.injected_s)
    return svg.rectangle(start, top, width, bottom - top, "band") + svg.rectangle(
        start, top, width, bottom - top, "hatched"
    )


def _rules(
    x: svg.Scale, labels: Sequence[tuple[float, str]], tops: Sequence[float], bottom: float, *, kind: str
) -> Iterator[str]:
    """A rule at each moment, from its label's row down: none runs through the label of another."""
    for (t_s, label), top in zip(labels, tops, strict=True):
        yield svg.path(f"M{svg.coordinate(x(t_s))} {svg.coordinate(top)}V{svg.coordinate(bottom)}", kind)
        yield svg.text(x(t_s) + 4, top + 12, label, f"{kind}-name")


def _axis(x: svg.Scale, bottom: float) -> str:
    """Seconds since run start, below everything."""
    shown = svg.ticks(x.low, x.high, count=12)
    rules = "".join(f"M{svg.coordinate(x(t_s))} {svg.coordinate(bottom)}v5" for t_s in shown)
    names = "".join(svg.text(x(t_s), bottom + 18, f"{t_s:g}", "tick x") for t_s in shown)
    base = f"M{svg.coordinate(x.start)} {svg.coordinate(bottom)}H{svg.coordinate(x.end)}"
    return (
        svg.path(base + rules, "axis")
        + names
        + svg.text(x.end, bottom + 32, "seconds since run start", "tick y")
    )
