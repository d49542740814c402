"""The panels of the timeline: what load asked, what failed, how fast, how full, how many were ready."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sealegs.report import svg
from sealegs.report.axes import Line, binned, edges_of, grid, highest, stepped
from sealegs.report.heat import Floats, columns_of, key, levels_of, over_time, picture
from sealegs.report.reading import Reading
from sealegs.report.words import count, seconds

CLASSES_MAX = 8
CLASS_ROW = 16.0
STROKES_MAX = 400


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel: `body` is drawn from its own top; `said` is the same in words for who cannot see it.

    `lines` have a value for each step of time, and `name` says in a table what of.
    """

    title: str
    said: str
    height: float
    body: str
    name: str = ""
    lines: Sequence[Line] = ()


def rates(reading: Reading, x: svg.Scale) -> Panel:
    """Arrivals as they were planned and answers that were whole, a second."""
    edges = edges_of(x)
    step_s = edges[1] - edges[0]
    fates = reading.fates
    planned = np.histogram(fates.intended_s, edges)[0] / step_s
    whole = np.histogram(fates.end_s[reading.ok], edges)[0] / step_s
    # Nobody counted answers after the evidence ends: that is a gap, not none.
    counted = [
        value if edge < reading.seen_until_s else None
        for edge, value in zip(edges, whole.tolist(), strict=False)
    ]
    y = svg.Scale(low=0.0, high=max(float(planned.max()), float(whole.max()), 1.0), start=96.0, end=8.0)
    lines = (
        Line(name="planned", kind="line soft", values=planned.tolist()),
        Line(name="answered", kind="line main", values=counted),
    )
    body = grid(x, y) + stepped(x, y, edges, lines)
    title = f"Requests per second, planned and answered whole, in steps of {step_s:g} s"
    said = f"{count(len(fates.request_id), 'request')} planned, {int(reading.ok.sum())} answered whole."
    return Panel(title=title, said=said, height=104.0, body=body, name="requests/s", lines=lines)


def failures(reading: Reading, x: svg.Scale) -> Panel:
    """Each failed request as a stroke at its end, a row for each class; many of them as shades of counts."""
    fates = reading.fates
    bad = ~reading.ok
    outcomes = fates.outcome[bad]
    when_s = np.where(np.isnan(fates.end_s), fates.intended_s, fates.end_s)[bad]
    classes = Counter(outcomes).most_common()
    shown = classes[:CLASSES_MAX]
    body = []
    for row, (outcome, number) in enumerate(shown):
        y = 8.0 + row * CLASS_ROW
        body.append(svg.path(f"M{svg.coordinate(x.start)} {y + 10}H{svg.coordinate(x.end)}", "grid"))
        body.append(svg.text(x.end + 8, y + 9, f"{outcome} {number:,}", "name bad"))
    height = max(len(shown), 1) * CLASS_ROW + 10.0
    times = [when_s[outcomes == outcome] for outcome, _ in shown]
    if len(when_s) <= STROKES_MAX:
        body += [_strokes(one, x, 8.0 + row * CLASS_ROW) for row, one in enumerate(times)]
    else:
        body.append(_shaded(times, x, height))
        height += 20.0
    if not classes:
        body.append(svg.text(x.start + 6, 18.0, "no request failed", "note"))
    others = sum(number for _, number in classes[CLASSES_MAX:])
    rest = (
        f"; {count(others, 'request')} of {len(classes) - len(shown)} more classes not drawn"
        if others
        else ""
    )
    said = ", ".join(f"{outcome} {number:,}" for outcome, number in classes) or "None."
    return Panel(
        title=f"Failed requests, by class, at the moment they ended{rest}",
        said=said,
        height=height,
        body="".join(body),
        name="requests",
        lines=(Line(name="failed", kind="", values=_counted(when_s, x)),),
    )


def _counted(when_s: Floats, x: svg.Scale) -> list[float | None]:
    """How many moments lie in each step."""
    return [float(number) for number in over_time(when_s, edges_of(x))]


def _strokes(when_s: Floats, x: svg.Scale, y: float) -> str:
    """A stroke for each moment."""
    return svg.path(svg.path_marks([(x(t_s), y) for t_s in when_s.tolist()], "v10"), "failed")


def _shaded(times: list[Floats], x: svg.Scale, height: float) -> str:
    """A row of shades for each class, and what they count."""
    edges = columns_of(x, requests=sum(map(len, times)))
    counts = [over_time(one, edges)[np.newaxis] for one in times]
    levels = levels_of(np.concatenate(counts))
    strips = [
        picture(
            f"failed-{row}",
            one,
            x,
            edges,
            top=8.0 + row * CLASS_ROW,
            height=10.0,
            levels=levels,
            kind="heat bad",
        )
        for row, one in enumerate(counts)
    ]
    words = f"failed in {edges[1] - edges[0]:g} s:"
    return "".join(strips) + key(x.start, height, levels, kind="heat bad", words=words)


def lag(reading: Reading, x: svg.Scale) -> Panel:
    """How late the load machine itself sent."""
    fates = reading.fates
    lag_s = fates.sent_s - fates.intended_s
    edges = edges_of(x)
    lines = tuple(
        Line(name=name, kind=kind, values=[None if one is None else one * 1e3 for one in values])
        for name, kind, values in (
            ("p50", "line main", binned(fates.intended_s, lag_s, edges, q=0.50)),
            ("highest", "line high", binned(fates.intended_s, lag_s, edges, q=1.0)),
        )
    )
    y = svg.Scale(low=0.0, high=highest(lines), start=54.0, end=10.0)
    worst_s = float(np.nanmax(lag_s, initial=0.0))
    return Panel(
        title="Sending lag in milliseconds: sent less intended time, the load machine's own lateness",
        said=f"At most {seconds(worst_s)}.",
        height=62.0,
        body=grid(x, y) + stepped(x, y, edges, lines),
        name="lag, ms",
        lines=lines,
    )
