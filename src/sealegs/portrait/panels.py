"""The panels of a portrait: lengths, arrivals, gaps and service times, what is drawn over the trace."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from sealegs.portrait.log_axes import above, curve, frame, legend
from sealegs.portrait.measures import GRACES_S, Floats, in_flight_longer, surviving
from sealegs.portrait.sitting import Portrait, Quantity
from sealegs.portrait.words import of_trace, starts
from sealegs.report import svg
from sealegs.report.axes import grid
from sealegs.report.words import seconds, share
from sealegs.scenario.arrivals import Times

LEFT, RIGHT, WHOLE = (64.0, 482.0), (566.0, 984.0), (64.0, 984.0)
FLOOR, HEIGHT = 196.0, 226.0  # where the horizontal axis of a panel lies, and where the panel ends
STRIP, STRIP_GAP = 56.0, 30.0
STEPS_MAX = 180
GAPS_MIN = 2
# An exponential gap is shorter than this part of the mean in 1 of 1,000 cases.
SHORT = 1e-3
TITLES = {
    "prompt": "Prompt tokens: share of requests with more",
    "output": "Output tokens: share of requests with more",
    "turn": "Turn in its session: share of requests with a later one",
    "think": "Think time: share of later turns with a longer one",
}

# The class of its line, its name, its values.
_Sample: TypeAlias = tuple[str, str, Floats]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel: `body` is drawn from below its title; `said` is the same in words for who cannot see it."""

    title: str
    said: str
    left: float
    height: float
    body: str


@dataclass(frozen=True, eq=False, kw_only=True)
class _Strip:
    """Times whose rate is drawn until `until_s`; those of one `scale` can be compared."""

    name: str
    kind: str
    scale: str
    times_s: Times
    until_s: float


def all_panels(portrait: Portrait) -> list[list[Panel]]:
    """Every panel, a row of them at a time."""
    prompt, output, service, *in_sessions = portrait.quantities
    rows = [
        [_lengths(prompt, LEFT), _lengths(output, RIGHT)],
        [_over_time(portrait)],
        [_gaps(portrait), _service(service)],
    ]
    if in_sessions:
        rows.append([_lengths(one, place) for one, place in zip(in_sessions, (LEFT, RIGHT), strict=True)])
    return rows


def _lengths(quantity: Quantity, place: tuple[float, float]) -> Panel:
    """The share of requests above each length, of the trace and as drawn."""
    lines = _there(("line trace", "trace", quantity.trace), ("line drawn", "drawn", quantity.drawn))
    x, y = _axes([values for *_, values in lines], place, low=1.0)
    note = f"KS distance {quantity.ks:.3f}, by chance up to {quantity.ks_by_chance:.3f}"
    if math.isnan(quantity.ks):
        note = "none was drawn"
    body = _noted(x, note) + frame(x, y, unit=quantity.unit) + _curves(x, y, lines)
    medians = ", ".join(f"{name} {np.median(values):,.4g}" for _, name, values in lines)
    said = f"Median in {quantity.unit}: {medians}. {note}."
    return Panel(title=TITLES[quantity.name], said=said, left=place[0], height=HEIGHT, body=body)


def _service(service: Quantity) -> Panel:
    """The share of requests that take longer, and of those in flight that need so much longer."""
    lines = _there(("line trace", "trace, all", service.trace), ("line drawn", "drawn, all", service.drawn))
    x, y = _axes([service.trace, service.drawn, np.array([1.2 * GRACES_S[-1]])], RIGHT, low=0.1)
    left = [f"{grace_s} s {share(in_flight_longer(service.drawn, grace_s))}" for grace_s in GRACES_S]
    note = f"in flight as drawn, more than {', '.join(left)}"
    in_flight = curve(
        x,
        y,
        lambda at: np.array([in_flight_longer(service.drawn, limit_s) for limit_s in at.tolist()]),
        "line other",
    )
    # From its name down to the curves: the corner below them is the legend's.
    graces = "".join(
        svg.path(
            svg.path_line([(x(grace_s), y.end), (x(grace_s), y(surviving(service.drawn, grace_s)))]), "limit"
        )
        + svg.text(x(grace_s), y.end - 4, f"{grace_s} s", "limit-name")
        for grace_s in GRACES_S
    )
    also = ("line other", "drawn, in flight: so much more")
    body = _noted(x, note) + frame(x, y, unit="s") + graces + in_flight + _curves(x, y, lines, also=also)
    title = "Service time: share that needs longer, with grace periods"
    return Panel(title=title, said=f"{note}.", left=RIGHT[0], height=HEIGHT, body=body)


def _gaps(portrait: Portrait) -> Panel:
    """The share of gaps between arrivals that are longer, beside those of a Poisson process."""
    title = f"Gaps between {starts(portrait)}: share that is longer"
    drawn_s = np.diff(portrait.starts_s)
    trace_s = np.empty(0) if portrait.trace_clock_s else np.diff(portrait.trace_starts_s)
    if len(drawn_s) < GAPS_MIN or not drawn_s.any():
        note = svg.text(LEFT[0], 2.0, "too few to draw", "note")
        return Panel(title=title, said="Too few to draw.", left=LEFT[0], height=HEIGHT, body=note)
    mean_s = float(drawn_s.mean())
    lines = _there(("line trace", "trace", trace_s), ("line drawn", "drawn", drawn_s))
    x, y = _axes([values for *_, values in lines], LEFT, low=SHORT * mean_s)
    poisson = curve(x, y, lambda at: np.exp(-at / mean_s), "line other")
    note = f"mean {seconds(mean_s)}" + ("" if len(trace_s) else "; the trace's times do not tell")
    also = ("line other", "Poisson of that rate")
    body = _noted(x, note) + frame(x, y, unit="s") + poisson + _curves(x, y, lines, also=also)
    said = f"{note}, longest drawn {seconds(float(drawn_s.max()))}."
    return Panel(title=title, said=said, left=LEFT[0], height=HEIGHT, body=body)


def _there(*lines: _Sample) -> list[_Sample]:
    """Samples that have values."""
    return [line for line in lines if len(line[2])]


def _noted(x: svg.Scale, note: str) -> str:
    """A line below the title."""
    return svg.text(x.start, 2.0, note, "note")


def _curves(
    x: svg.Scale, y: svg.Scale, lines: Sequence[_Sample], *, also: tuple[str, str] | None = None
) -> str:
    """Shares above, of samples, and the legend in the corner that such a curve leaves free."""
    entries = [(kind, name) for kind, name, _ in lines] + ([also] if also else [])
    drawn = [curve(x, y, above(values), kind) for kind, _, values in lines]
    return "".join(drawn) + legend(x.start + 10, y.start - 12, entries)


def _axes(
    samples: Sequence[Floats], place: tuple[float, float], *, low: float
) -> tuple[svg.Scale, svg.Scale]:
    """Logarithmic axes for samples: from almost the lowest value, down to a share of less than one value."""
    lowest = max(low, min(float(np.quantile(one, 0.002)) for one in samples))
    highest = max(2 * lowest, *(float(one.max()) for one in samples))
    size = max(len(one) for one in samples)
    x = svg.Scale(low=lowest / 1.1, high=highest * 1.1, start=place[0], end=place[1], log=True)
    return x, svg.Scale(low=0.7 / max(size, 10), high=1.0, start=FLOOR, end=24.0, log=True)


def _over_time(portrait: Portrait) -> Panel:
    """Arrivals a second over the time of load: the trace's, then what was drawn, each a strip."""
    duration_s = portrait.duration_s
    x = svg.Scale(low=0.0, high=duration_s, start=WHOLE[0], end=WHOLE[1])
    step_s = max(1.0, svg.nice_step(duration_s, count=STEPS_MAX))
    strips = _strips(portrait)
    rates = [_rates(strip, step_s) for strip in strips]
    highest: dict[str, float] = {}
    for strip, heights in zip(strips, rates, strict=True):
        highest[strip.scale] = max(highest.get(strip.scale, 0.0), float(heights.max(initial=0.0)))
    parts, said = [], []
    for row, (strip, heights) in enumerate(zip(strips, rates, strict=True)):
        y = svg.Scale(low=0.0, high=highest[strip.scale] or 1.0, start=18.0 + STRIP, end=18.0)
        edges = [x(step_s * edge) for edge in range(len(heights) + 1)]
        line = svg.path(svg.path_steps(edges, [y(one) for one in heights.tolist()]), strip.kind)
        body = svg.text(x.start, 9.0, strip.name, "note") + grid(x, y) + line
        parts.append(f'<g transform="translate(0 {svg.coordinate(row * (STRIP + STRIP_GAP))})">{body}</g>')
        said.append(f"{strip.name}: at most {heights.max(initial=0.0):.3g} a second.")
    floor = len(strips) * (STRIP + STRIP_GAP) - STRIP_GAP + 18.0
    shown = svg.ticks(0.0, duration_s, count=12)
    parts += [svg.text(x(t_s), floor + 15, f"{t_s:g}", "tick x") for t_s in shown]
    parts.append(svg.text(x.end, floor + 29, "seconds of load", "tick y"))
    title = f"Arrivals a second, in steps of {step_s:g} s"
    return Panel(title=title, said=" ".join(said), left=WHOLE[0], height=floor + 30, body="".join(parts))


def _strips(portrait: Portrait) -> list[_Strip]:
    """What arrives by itself, in the trace and drawn; all requests where those are others."""
    duration_s = portrait.duration_s
    strips = []
    if len(portrait.trace_starts_s):
        until_s = min(portrait.trace_span_s, duration_s)
        ends = ", until it ends" if until_s < duration_s else ""
        strips.append(
            (f"{of_trace(portrait)}{ends}", "line past", "starts", portrait.trace_starts_s, until_s)
        )
    strips.append((f"drawn, {starts(portrait)}", "line drawn", "starts", portrait.starts_s, duration_s))
    if portrait.in_sessions:
        strips.append(("drawn, requests", "line drawn", "requests", portrait.requests_s, duration_s))
    if len(portrait.all_s) > len(portrait.requests_s):
        name = "drawn, requests of all profiles"
        strips.append((name, "line drawn", "all", portrait.all_s, duration_s))
    return [
        _Strip(name=name, kind=kind, scale=scale, times_s=times_s, until_s=until_s)
        for name, kind, scale, times_s, until_s in strips
    ]


def _rates(strip: _Strip, step_s: float) -> Floats:
    """Times a second in each whole step; a rest at the end would look like a dip."""
    steps = int(strip.until_s / step_s + 1e-9)
    counts, _ = np.histogram(strip.times_s, bins=max(steps, 1), range=(0.0, max(steps, 1) * step_s))
    return counts / step_s
