"""The panels of the timeline: what load asked, what failed, how fast, how full, how many were ready."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sealegs.invariants import GRANTED, REFUSED
from sealegs.report import svg
from sealegs.report.axes import Line, binned, edges_of, grid, highest, sampled, stepped
from sealegs.report.reading import Reading
from sealegs.report.words import count, seconds
from sealegs.stats import quantile

CLASSES_MAX = 8
CLASS_ROW = 16.0
CROSS = "l6 6m0 -6l-6 6"


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel: `body` is drawn from its own top; `said` is the same in words for who cannot see it."""

    title: str
    said: str
    height: float
    body: str


def all_panels(reading: Reading, x: svg.Scale) -> list[Panel]:
    """Every panel of a run, from what was asked to what it ran on."""
    return [
        rates(reading, x),
        failures(reading, x),
        first_tokens(reading, x),
        load(reading, x),
        *(replicas(reading, x, app) for app in _apps(reading)),
    ]


def rates(reading: Reading, x: svg.Scale) -> Panel:
    """Arrivals as they were planned and answers that were whole, a second."""
    edges = edges_of(x)
    step_s = edges[1] - edges[0]
    fates = reading.fates
    planned = np.histogram(fates.intended_s, edges)[0] / step_s
    whole = np.histogram(fates.end_s[fates.ok], edges)[0] / step_s
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
    said = f"{count(len(fates.request_id), 'request')} planned, {int(fates.ok.sum())} answered whole."
    return Panel(title=title, said=said, height=104.0, body=body)


def failures(reading: Reading, x: svg.Scale) -> Panel:
    """Each failed request as a stroke at its end, a row for each class."""
    fates = reading.fates
    bad = ~fates.ok
    when_s = np.where(np.isnan(fates.end_s), fates.intended_s, fates.end_s)
    classes = Counter(fates.outcome[bad]).most_common(CLASSES_MAX)
    body = []
    for row, (outcome, number) in enumerate(classes):
        y = 8.0 + row * CLASS_ROW
        marks = [(x(float(t_s)), y) for t_s in when_s[bad & (fates.outcome == outcome)]]
        body.append(svg.path(f"M{svg.coordinate(x.start)} {y + 10}H{svg.coordinate(x.end)}", "grid"))
        body.append(svg.path(svg.path_marks(marks, "v10"), "failed"))
        body.append(svg.text(x.end + 8, y + 9, f"{outcome} {number}", "name bad"))
    height = max(len(classes), 1) * CLASS_ROW + 10.0
    if not classes:
        body.append(svg.text(x.start + 6, 18.0, "no request failed", "note"))
    said = ", ".join(f"{outcome} {number}" for outcome, number in classes) or "None."
    return Panel(
        title="Failed requests, by class, at the moment they ended",
        said=said,
        height=height,
        body="".join(body),
    )


def first_tokens(reading: Reading, x: svg.Scale) -> Panel:
    """Time to first token of every request from its intended time, on a logarithmic axis."""
    fates = reading.fates
    ttft_s = fates.ttft_s
    got = ~np.isnan(ttft_s)
    limits = [one for one in reading.verdict["objectives"] if one["sli"] == "ttft" and one["limit_s"]]
    values = [*ttft_s[got].tolist(), *(one["limit_s"] for one in limits)] or [0.01, 10.0]
    y = svg.Scale(low=max(min(values), 1e-3) / 1.2, high=max(values) * 1.2, start=176.0, end=24.0, log=True)
    dots = [
        (x(float(t_s)), y(float(value)))
        for t_s, value in zip(fates.intended_s[got], ttft_s[got], strict=True)
    ]
    lost = [(x(float(t_s)) - 3, 9.0) for t_s in fates.intended_s[~got]]
    edges = edges_of(x)
    lines = (
        Line(name="p50", kind="line main", values=binned(fates.intended_s, ttft_s, edges, q=0.50)),
        Line(name="p95", kind="line high", values=binned(fates.intended_s, ttft_s, edges, q=0.95)),
    )
    body = [grid(x, y, values=_decades(y)), svg.path(svg.path_marks(dots, "h0"), "dot")]
    body.append(stepped(x, y, edges, lines))
    body += [_limit(reading, x, y, one) for one in limits]
    if lost:
        body.append(svg.path(svg.path_marks(lost, CROSS), "failed"))
        body.append(svg.text(x.end + 8, 16.0, f"none came {len(lost)}", "name bad"))
    median_s = quantile(ttft_s[got].tolist(), 0.5)
    said = f"Median {seconds(median_s)}; {count(len(lost), 'request')} never had one."
    title = "Time to first token in seconds, from the intended time, each request a dot"
    return Panel(title=title, said=said, height=184.0, body="".join(body))


def load(reading: Reading, x: svg.Scale) -> Panel:
    """Requests in flight as the client counts them, in the engines, and in the engines' queues."""
    samples = reading.facts.samples
    lines = (
        Line(name="client", kind="line soft", values=[one.get("load_in_flight") for one in samples]),
        Line(name="engines", kind="line main", values=[_total(one.get("in_flight")) for one in samples]),
        Line(name="queued", kind="line high", values=[_total(one.get("queue")) for one in samples]),
    )
    y = svg.Scale(low=0.0, high=highest(lines), start=80.0, end=8.0)
    title = "Requests in flight: at the client, in the engines, and queued in them"
    said = f"At most {highest(lines):g} at once."
    return Panel(title=title, said=said, height=88.0, body=grid(x, y) + sampled(x, y, samples, lines))


def replicas(reading: Reading, x: svg.Scale, app: str) -> Panel:
    """Ready replicas of one app against those asked for and the fewest that its budget allows."""
    samples = reading.facts.samples
    floors = [
        (one["t_s"], one["desired_healthy"]) for one in reading.facts.of_kind("pdb") if one.get("app") == app
    ]
    lines = (
        Line(name="wanted", kind="line soft", values=[_of(one, "desired", app) for one in samples]),
        Line(name="ready", kind="line main", values=[_of(one, "ready", app) for one in samples]),
        Line(name="budget", kind="line floor", values=[_at(floors, one["t_s"]) for one in samples]),
    )
    y = svg.Scale(low=0.0, high=highest(lines), start=54.0, end=10.0)
    evicted, refused = _evictions(reading, app)
    marks = [
        svg.path(svg.path_marks([(x(t_s) - 4, 0.0) for t_s in evicted], "h8l-4 7z"), "evicted"),
        svg.path(svg.path_marks([(x(t_s) - 3, 1.0) for t_s in refused], CROSS), "failed"),
    ]
    ready = [value for value in lines[1].values if value is not None]
    said = f"Fewest ready {min(ready):g}." if ready else "Not sampled."
    happened = (
        f", {len(evicted)} evicted (▼), {count(len(refused), 'eviction')} refused (\N{MULTIPLICATION SIGN})"
        if evicted or refused
        else ""
    )
    body = grid(x, y) + sampled(x, y, samples, lines) + "".join(marks)
    return Panel(title=f"Replicas of {app}{happened}", said=said, height=62.0, body=body)


def _decades(y: svg.Scale) -> list[float]:
    """1, 2 and 5 times the powers of ten on a logarithmic axis."""
    round_values = [factor * 10.0**exponent for exponent in range(-4, 4) for factor in (1, 2, 5)]
    return [value for value in round_values if y.low <= value <= y.high]


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


def _evictions(reading: Reading, app: str) -> tuple[list[float], list[float]]:
    """When evictions of an app's pods were granted, and when refused."""
    app_of = {one["name"]: one.get("app") for one in reading.facts.of_kind("pod")}
    ours = [one for one in reading.facts.of_kind("eviction") if app_of.get(one.get("pod")) == app]
    granted = [one["t_s"] for one in ours if one.get("status") in GRANTED]
    return granted, [one["t_s"] for one in ours if one.get("status") == REFUSED]


def _apps(reading: Reading) -> list[str]:
    """Apps that were sampled, those with an eviction first."""
    apps = {app for one in reading.facts.samples for app in one.get("desired", {})}
    return sorted(apps, key=lambda app: (not any(_evictions(reading, app)), app))


def _of(sample: Mapping[str, Any], field: str, app: str) -> float | None:
    """One app's number in a sample."""
    value = sample.get(field, {}).get(app)
    return None if value is None else float(value)


def _total(by_pod: Mapping[str, float] | None) -> float | None:
    """All pods together; None when they were not sampled."""
    return None if by_pod is None else float(sum(by_pod.values()))


def _at(changes: list[tuple[float, float]], t_s: float) -> float | None:
    """The last value set by a moment."""
    return next((value for when_s, value in reversed(changes) if when_s <= t_s), None)
