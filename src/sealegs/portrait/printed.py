"""A portrait in numbers, for a terminal or a pipe; and the profiles there are."""

import math
import textwrap
from collections.abc import Iterator

import numpy as np

from sealegs.data import read_trace
from sealegs.doors import WIDTH, aligned
from sealegs.portrait.measures import (
    GRACES_S,
    Burstiness,
    Floats,
    burstiness,
    in_flight_longer,
    surviving,
)
from sealegs.portrait.sitting import Portrait
from sealegs.portrait.words import alike, how_drawn, of_trace, origin, starts
from sealegs.profiles import sessions_of, trace_of
from sealegs.report.words import MISSING, share
from sealegs.scenario.workload import PROFILES

LEVELS = (1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9)
NOTE = (
    "KS: the largest distance between the two distributions; by chance: what 1 % of draws exceed. Service "
    "time: the output at one constant speed, a floor without waiting and prefill. IDC: variance over mean of "
    "the counts in bins of that length, 1 of a Poisson process. Peaks grow with the time watched. In flight: "
    "of the requests that run at a random instant, where long ones are met more often, those that need so "
    "much longer; a grace period of that length cuts them."
)
Rows = list[tuple[str, ...]]


def printed(portrait: Portrait) -> Iterator[str]:
    """The portrait in lines: where it is from, lengths and times, arrivals, and the tail of service."""
    yield ""
    yield portrait.profile
    for line in (origin(portrait), how_drawn(portrait)):
        yield from textwrap.wrap(line, WIDTH, initial_indent="  ", subsequent_indent="    ")
    yield ""
    yield from aligned(_quantiles(portrait), words=1)
    yield ""
    yield from textwrap.wrap(alike(portrait), WIDTH, initial_indent="  ", subsequent_indent="  ")
    yield ""
    yield from aligned(_arrivals(portrait), words=1)
    yield ""
    yield from aligned(_tail(portrait), words=1)
    yield ""
    yield from textwrap.wrap(NOTE, WIDTH, initial_indent="  ", subsequent_indent="  ")


def listed() -> Iterator[str]:
    """The profiles: how many requests in how many sessions, median lengths, and where each is from."""
    rows: Rows = [("profile", "source, licence", "requests", "sessions", "prompt p50", "output p50")]
    for name in PROFILES:
        table = read_trace(name)
        trace, told = trace_of(table), table.schema.metadata or {}
        source, licence = (told.get(key, b"unknown").decode() for key in (b"source", b"licence"))
        counts = (f"{len(trace):,}", f"{len(sessions_of(trace)):,}")
        medians = (f"{np.median(one):,.0f}" for one in (trace.prompt_tokens, trace.output_tokens))
        rows.append((name, f"{source.split()[0]}, {licence}", *counts, *medians))
    yield from aligned(rows)


def _quantiles(portrait: Portrait) -> Rows:
    """A row for each level, two columns for each quantity; in the last rows how far apart they are."""
    both = [values for one in portrait.quantities for values in (one.trace, one.drawn)]
    # Name and unit stand over two columns, and read as one heading.
    rows: Rows = [
        ("", *(word for one in portrait.quantities for word in (one.name, one.unit))),
        ("", *["trace", "drawn"] * len(portrait.quantities)),
    ]
    rows += [(f"p{level:g}", *(_level(values, level) for values in both)) for level in (*LEVELS, 100)]
    rows[-1] = ("max", *rows[-1][1:])
    rows.append(("mean", *(_number(float(values.mean())) if len(values) else MISSING for values in both)))
    rows.append(("KS", *(cell for one in portrait.quantities for cell in ("", _distance(one.ks)))))
    chance = (cell for one in portrait.quantities for cell in ("", _distance(one.ks_by_chance)))
    rows.append(("by chance", *chance))
    return rows


def _distance(value: float) -> str:
    return MISSING if math.isnan(value) else f"{value:.3f}"


def _level(values: Floats, level: float) -> str:
    return _number(float(np.percentile(values, level))) if len(values) else MISSING


def _number(value: float) -> str:
    """A length or time in three digits, and all of those before the point."""
    return f"{value:,.0f}" if value == round(value) or value >= 100 else f"{value:.3g}"  # noqa: PLR2004  three digits


def _arrivals(portrait: Portrait) -> Rows:
    """A row for each kind of times: the trace's at the rate drawn, then what was drawn."""
    rows: Rows = [
        ("arrivals", "times", "per s", "gap CV", "IDC 1 s", "IDC 10 s", "peak/mean 1 s", "peak/mean 10 s")
    ]
    if len(trace_s := portrait.trace_starts_s):
        clock_s = portrait.trace_clock_s * portrait.stretched
        seen = burstiness(trace_s, span_s=portrait.trace_span_s, clock_s=clock_s)
        rows.append((of_trace(portrait), f"{len(trace_s):,}", *_burst(seen)))
    else:
        rows.append((of_trace(portrait), *[""] * 7))
    shown = [(f"drawn, {starts(portrait)}", portrait.starts_s)]
    if portrait.in_sessions:
        shown.append(("drawn, requests", portrait.requests_s))
    if len(portrait.all_s) > len(portrait.requests_s):
        shown.append(("drawn, requests of all profiles", portrait.all_s))
    rows += [
        (name, f"{len(times_s):,}", *_burst(burstiness(times_s, span_s=portrait.duration_s)))
        for name, times_s in shown
    ]
    return rows


def _burst(seen: Burstiness) -> Iterator[str]:
    """The cells of one row of the arrivals."""
    for value in (seen.rate, seen.gap_cv, *seen.dispersion, *seen.peak):
        yield MISSING if value is None else f"{value:.3g}"


def _tail(portrait: Portrait) -> Rows:
    """Shares of requests that last longer than the usual grace periods, of all and of those in flight."""
    service = portrait.quantities[2]
    sides = (("trace", service.trace), ("drawn", service.drawn))
    rows: Rows = [("service time", *(f"> {grace_s} s" for grace_s in GRACES_S))]
    for name, values in sides:
        rows.append((f"{name}, all", *(share(surviving(values, grace_s)) for grace_s in GRACES_S)))
    for name, values in sides:
        left = (share(in_flight_longer(values, grace_s)) for grace_s in GRACES_S)
        rows.append((f"{name}, in flight: more", *left))
    return rows
