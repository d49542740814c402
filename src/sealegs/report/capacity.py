"""The panels of what answered: requests in flight, replicas of each app, and what the mesh did."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from sealegs.judgement.invariants import GRANTED, REFUSED
from sealegs.report import svg
from sealegs.report.axes import SAMPLE_GAP_S_MAX, Line, grid, highest, sampled
from sealegs.report.latency import CROSS
from sealegs.report.panels import Panel
from sealegs.report.reading import Reading
from sealegs.report.words import count


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
    """Ready and pending replicas of one app, those asked for, and the fewest that its budget allows."""
    samples = reading.facts.samples
    pending = [_of(one, "pending", app) for one in samples]
    lines = (
        Line(name="wanted", kind="line soft", values=[_of(one, "desired", app) for one in samples]),
        Line(name="ready", kind="line main", values=[_of(one, "ready", app) for one in samples]),
        Line(name="budget", kind="line floor", values=_budgets(reading, app)),
        *([Line(name="pending", kind="line high", values=pending)] if any(pending) else []),
    )
    y = svg.Scale(low=0.0, high=highest(lines), start=66.0, end=10.0)
    evicted, refused = _evictions(reading, app)
    marks = [
        svg.path(svg.path_marks([(x(t_s) - 4, 0.0) for t_s in evicted], "h8l-4 7z"), "evicted"),
        svg.path(svg.path_marks([(x(t_s) - 3, 1.0) for t_s in refused], CROSS), "failed"),
    ]
    ready = [value for value in lines[1].values if value is not None]
    said = (
        f"Fewest ready {min(ready):g}, most pending {max(filter(None, pending), default=0):g}."
        if ready
        else "Not sampled."
    )
    happened = (
        f", {len(evicted)} evicted (▼), {count(len(refused), 'eviction')} refused (\N{MULTIPLICATION SIGN})"
        if evicted or refused
        else ""
    )
    body = grid(x, y) + sampled(x, y, samples, lines) + "".join(marks)
    return Panel(title=f"Replicas of {app}{happened}", said=said, height=74.0, body=body)


def mesh(reading: Reading, x: svg.Scale) -> Panel:
    """Hosts that proxies have ejected, and what they retried and refused for overflow, a second."""
    samples = reading.facts.samples
    lines = (
        Line(name="ejected", kind="line main", values=[one.get("ejections_active") for one in samples]),
        Line(name="retries", kind="line soft", values=_per_second(samples, "retries")),
        Line(name="overflow", kind="line high", values=_per_second(samples, "pending_overflow")),
    )
    title = "What the mesh did: hosts ejected, and retries and overflow a second"
    most = {line.name: max((one for one in line.values if one is not None), default=None) for line in lines}
    said = ", ".join(f"{name} at most {value or 0:g}" for name, value in most.items()) + "."
    if samples and all(value == 0 for value in most.values()):
        note = f"none ejected, none retried, no overflow in {count(len(samples), 'sample')}"
        return Panel(title=title, said=said, height=22.0, body=svg.text(x.start + 6, 14.0, note, "note"))
    y = svg.Scale(low=0.0, high=highest(lines), start=66.0, end=10.0)
    return Panel(title=title, said=said, height=74.0, body=grid(x, y) + sampled(x, y, samples, lines))


def apps_of(reading: Reading) -> list[str]:
    """Apps that were sampled, those with an eviction first."""
    apps = {app for one in reading.facts.samples for app in one.get("desired", {})}
    return sorted(apps, key=lambda app: (not any(_evictions(reading, app)), app))


def _per_second(samples: Sequence[Mapping[str, Any]], name: str) -> list[float | None]:
    """How fast a counter grew up to each sample; None after a gap, and where it began anew."""
    rates: list[float | None] = [None] * len(samples)
    for index, (before, after) in enumerate(pairwise(samples)):
        passed_s = after["t_s"] - before["t_s"]
        grown = after.get(name, math.nan) - before.get(name, math.nan)
        # A comparison with NaN is false.
        if grown >= 0 and 0 < passed_s <= SAMPLE_GAP_S_MAX:
            rates[index + 1] = grown / passed_s
    return rates


def _evictions(reading: Reading, app: str) -> tuple[list[float], list[float]]:
    """When evictions of an app's pods were granted, and when refused."""
    app_of = {one["name"]: one.get("app") for one in reading.facts.of_kind("pod")}
    ours = [one for one in reading.facts.of_kind("eviction") if app_of.get(one.get("pod")) == app]
    granted = [one["t_s"] for one in ours if one.get("status") in GRANTED]
    return granted, [one["t_s"] for one in ours if one.get("status") == REFUSED]


def _budgets(reading: Reading, app: str) -> list[float | None]:
    """How many an app's budget wants healthy, at each sample; None before it was seen."""
    changes = [one for one in reading.facts.of_kind("pdb") if one.get("app") == app]
    wanted = [None, *(float(one["desired_healthy"]) for one in changes)]
    times_s = [one["t_s"] for one in reading.facts.samples]
    return [wanted[at] for at in np.searchsorted([one["t_s"] for one in changes], times_s, side="right")]


def _of(sample: Mapping[str, Any], field: str, app: str) -> float | None:
    """One app's number in a sample."""
    value = sample.get(field, {}).get(app)
    return None if value is None else float(value)


def _total(by_pod: Mapping[str, float] | None) -> float | None:
    """All pods together; None when they were not sampled."""
    return None if by_pod is None else float(sum(by_pod.values()))
