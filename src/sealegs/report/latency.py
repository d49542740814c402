"""The panels of how fast answers came: first tokens as dots or as a map of counts, and the pace after."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sealegs.report import svg
from sealegs.report.axes import Line, binned, edges_of, grid, highest, quantile_of, stepped
from sealegs.report.heat import columns_of, key, levels_of, over_time, picture
from sealegs.report.panels import STROKES_MAX, Panel
from sealegs.report.reading import Reading
from sealegs.report.words import seconds

CROSS = "l6 6m0 -6l-6 6"
DOTS_MAX = 600
ROWS_HIGH = 32
TOP, BOTTOM = 36.0, 196.0
FAILED_AT = 10.0  # the row above the axis
ALL_DECADES_MAX = 9


def first_tokens(reading: Reading, x: svg.Scale) -> Panel:
    """Time to first token from the intended time, on a logarithmic axis; what failed is a row on top.

    p50 and p95 are of all requests, and one that failed took for ever: where too many did, so does the line.
    """
    fates, ok = reading.fates, reading.ok
    ttft_s = fates.ttft_s
    limits = [one for one in reading.verdict["objectives"] if one["sli"] == "ttft" and one["limit_s"]]
    values = np.append(ttft_s[ok], [one["limit_s"] for one in limits])
    low_s, high_s = (values.min(), values.max()) if len(values) else (0.01, 10.0)
    y = svg.Scale(low=max(low_s, 1e-3) / 1.2, high=high_s * 1.2, start=BOTTOM, end=TOP, log=True)
    few = len(ttft_s) <= DOTS_MAX
    edges = edges_of(x)
    waited_s = np.where(ok, ttft_s, np.inf)
    lines = tuple(
        Line(name=name, kind=kind, values=binned(fates.intended_s, waited_s, edges, q=q))
        for name, kind, q in (("p50", "line main", 0.50), ("p95", "line high", 0.95))
    )
    body = [grid(x, y, values=_decades(y)), svg.text(x.start - 6, FAILED_AT + 4, "failed", "tick y")]
    body.append(_dots(reading, x, y) if few else _map(reading, x, y))
    body.append(_over(x, y, edges, lines))
    body += [_limit(reading, x, y, one) for one in limits]
    failed_s = fates.intended_s[~ok]
    if len(failed_s):
        body.append(svg.text(x.end + 8, FAILED_AT + 4, f"failed {len(failed_s):,}", "name bad"))
    if len(failed_s) <= STROKES_MAX:
        crosses = [(x(t_s) - 3, FAILED_AT - 3) for t_s in failed_s.tolist()]
        body.append(svg.path(svg.path_marks(crosses, CROSS), "failed"))
    median_s = quantile_of(ttft_s[ok], 0.5)
    shown = "each request a dot" if few else "requests counted in cells"
    return Panel(
        name="TTFT, s",
        title=f"Time to first token in seconds, from the intended time, {shown}; p50 and p95 of all requests",
        said=f"Median of those answered {seconds(median_s)}; {len(failed_s):,} failed.",
        height=BOTTOM + (8.0 if few else 30.0),
        body="".join(body),
        lines=lines,
    )


def _dots(reading: Reading, x: svg.Scale, y: svg.Scale) -> str:
    """A dot for each request that was answered."""
    intended_s, ttft_s = (
        values[reading.ok].tolist() for values in (reading.fates.intended_s, reading.fates.ttft_s)
    )
    dots = [(x(t_s), y(value)) for t_s, value in zip(intended_s, ttft_s, strict=True)]
    return svg.path(svg.path_marks(dots, "h0"), "dot")


def _map(reading: Reading, x: svg.Scale, y: svg.Scale) -> str:
    """Counts of answered requests by time and time to first token, and of failed ones in a row above."""
    intended_s, ok = reading.fates.intended_s, reading.ok
    edges = columns_of(x, requests=len(intended_s))
    heights = np.geomspace(y.low, y.high, ROWS_HIGH + 1)
    inside_s = np.clip(reading.fates.ttft_s[ok], y.low, y.high)
    # The picture's first row is its top, the slowest.
    cells = np.histogram2d(inside_s, intended_s[ok], (heights, edges))[0][::-1].astype(np.int64)
    failed = over_time(intended_s[~ok], edges)[np.newaxis]
    levels = levels_of(np.concatenate((cells, failed)))
    drawn = picture("first-tokens", cells, x, edges, top=TOP, height=BOTTOM - TOP, levels=levels, kind="heat")
    if failed.sum() > STROKES_MAX:
        drawn += picture(
            "failed", failed, x, edges, top=FAILED_AT - 5, height=10.0, levels=levels, kind="heat bad"
        )
    words = f"requests in {edges[1] - edges[0]:g} s by {heights[1] / heights[0] - 1:.0%}:"
    return drawn + key(x.start, BOTTOM + 12, levels, kind="heat", words=words)


def _over(x: svg.Scale, y: svg.Scale, edges: list[float], lines: tuple[Line, ...]) -> str:
    """Lines on what is behind them; where a value is infinite they run in the row on top."""

    def height(value: float | None) -> float | None:
        return None if value is None else FAILED_AT if np.isinf(value) else y(value)

    places = [x(edge) for edge in edges]
    drawn, ends = [], []
    for line in lines:
        heights = [height(value) for value in line.values]
        data = svg.path_steps(places, heights)
        drawn += [svg.path(data, "under"), svg.path(data, line.kind)]
        ends.append(next((one for one in reversed(heights) if one is not None), y.start))
    names = svg.spread(ends, gap=13.0, low=y.end, high=y.start)
    return "".join(drawn) + "".join(
        svg.text(x.end + 8, place + 4, line.name, f"name {line.kind.split()[-1]}")
        for line, place in zip(lines, names, strict=True)
    )


def paces(reading: Reading, x: svg.Scale) -> Panel:
    """Time per output token of the answers that began in each step."""
    fates = reading.fates
    tpot_s = fates.tpot_s
    edges = edges_of(x)
    lines = tuple(
        Line(name=name, kind=kind, values=_in_ms(binned(fates.first_token_s, tpot_s, edges, q=q)))
        for name, kind, q in (("p50", "line main", 0.50), ("p95", "line high", 0.95))
    )
    y = svg.Scale(low=0.0, high=highest(lines), start=74.0, end=10.0)
    median_s, high_s = (quantile_of(tpot_s, q) for q in (0.5, 0.95))
    return Panel(
        name="TPOT, ms",
        title="Time per output token in milliseconds, of answers with a second token, when they began",
        said=f"p50 {seconds(median_s)}, p95 {seconds(high_s)}.",
        height=82.0,
        body=grid(x, y) + stepped(x, y, edges, lines),
        lines=lines,
    )


def _in_ms(values: list[float | None]) -> list[float | None]:
    """Seconds as milliseconds."""
    return [None if value is None else value * 1e3 for value in values]


def _decades(y: svg.Scale) -> list[float]:
    """1, 2 and 5 times the powers of ten on a logarithmic axis; the powers alone where those are too many."""
    powers = [10.0**exponent for exponent in range(-4, 5)]
    round_values = [factor * power for power in powers for factor in (1, 2, 5)]
    shown = [value for value in round_values if y.low <= value <= y.high]
    return shown if len(shown) <= ALL_DECADES_MAX else [one for one in powers if y.low <= one <= y.high]


def _limit(reading: Reading, x: svg.Scale, y: svg.Scale, objective: Mapping[str, Any]) -> str:
    """The limit of an objective across its phase."""
    limit_s = objective["limit_s"]
    rules = [
        svg.path(
            svg.path_line([(x(phase.start_s), y(limit_s)), (x(reading.ends_s(phase)), y(limit_s))]), "limit"
        )
        + svg.text(x(phase.start_s) + 4, y(limit_s) - 4, f"limit {limit_s:g} s", "limit-name")
        for phase in reading.phases
        if phase.name == objective["phase"]
    ]
    return "".join(rules)
