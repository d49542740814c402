"""Arrival processes: when requests of an open loop are meant to be sent, known before anything starts.

Times are seconds from the start of load, ascending, all below the duration. Bursts may put several on the
same instant.
Every random process begins in its steady state, as if it had run for ever: so the mean count is rate times
duration whatever the burstiness. Begun with a whole gap instead, gaps of a coefficient of variation of 13
give 84 requests too many: (cv^2 - 1) / 2 (Cox, Renewal Theory, 1962, on the equilibrium process).
"""

from dataclasses import dataclass, fields
from typing import Annotated, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.random import Generator
from scipy.special import gamma, gammaln

from sealegs.scenario.toml_shape import Choice, Range

Times: TypeAlias = npt.NDArray[np.float64]
# When, and how many requests a second then: the rate is linear from one entry to the next.
Rates: TypeAlias = tuple[Times, Times]

# What each kind cannot do without, and what else it takes.
NEEDS: dict[str, tuple[str, ...]] = {
    "constant": (),
    "poisson": (),
    "gamma": ("cv",),
    "weibull": ("cv",),
    "on_off": ("on_s", "off_s"),
    "trace": (),
    "ramp": ("to_rps",),
    "step": ("to_rps", "at_s"),
    "steps": ("factors", "step_s"),
    "day": (),
}
TAKES: dict[str, tuple[str, ...]] = {"on_off": ("cv",), "day": ("day_s",)}
CHANGING = ("ramp", "step", "steps", "day")
# Bursts of the Azure code trace of 2023: on p50 15.5 s, p90 26.8 s, off p50 25 s, p90 106 s. A lognormal has
# sigma = ln(p90 / p50) / 1.2816, and puts the off mean at 47 s (trace: 43); an exponential's on p90 is 51 s.
ON_SIGMA = 0.43
OFF_SIGMA = 1.13


@dataclass(frozen=True, kw_only=True)
class Arrivals:
    """When requests come. Which parameters go with which kind: `NEEDS` and `TAKES`.

    Attributes:
        kind: constant (a metronome), poisson (independent users), gamma or weibull (independent gaps of that
            law), on_off (bursts), trace (the profile's own times), ramp, step, steps, day (24 hours' rates).
        cv: standard deviation of the gaps over their mean: 1 is Poisson, more is bursty. Of on_off, it is
            about the gaps inside a burst, by default 1.
        on_s: mean length of a burst.
        off_s: mean silence between two bursts.
        to_rps: the rate that a ramp ends with or a step goes to, all profiles together.
        at_s: when the step comes, from the start of load.
        factors: each step's rate in multiples of the scenario's; the last step lasts until load ends.
        step_s: how long each of the others lasts.
        day_s: how long the day lasts; by default as long as load does.
    """

    kind: Annotated[str, Choice(tuple(NEEDS))]
    cv: Annotated[float, Range(least=0.05, most=50)] | None = None
    on_s: Annotated[float, Range(least=0.1)] | None = None
    off_s: Annotated[float, Range(least=0.1)] | None = None
    to_rps: Annotated[float, Range(least=0)] | None = None
    at_s: Annotated[float, Range(above=0)] | None = None
    factors: tuple[Annotated[float, Range(least=0)], ...] | None = None
    step_s: Annotated[float, Range(above=0)] | None = None
    day_s: Annotated[float, Range(above=0)] | None = None


def problems(arrivals: Arrivals, *, duration_s: float) -> list[tuple[str, str]]:
    """What no single key can show, each as its key and the problem; a missing key is named too."""
    kind = arrivals.kind
    needed, taken = NEEDS[kind], (*NEEDS[kind], *TAKES.get(kind, ()))
    keys = [one.name for one in fields(arrivals) if one.name != "kind"]
    given = {key for key in keys if getattr(arrivals, key) is not None}
    found = [(key, f"arrivals {kind!r} need {key}") for key in needed if key not in given]
    known = ", ".join(taken) or "none"
    found += [
        (key, f"arrivals {kind!r} have no parameter {key!r}; they take: {known}")
        for key in keys
        if key in given and key not in taken
    ]
    if kind == "step" and (arrivals.at_s or 0) >= duration_s:
        found.append(("at_s", f"the step at {arrivals.at_s:g} s never comes: load ends at {duration_s:g} s"))
    if arrivals.factors is not None and not any(arrivals.factors):
        found.append(("factors", "factors of steps: at least one that is not 0"))
    if (last_s := (len(arrivals.factors or ()) - 1) * (arrivals.step_s or 0)) >= duration_s:
        found.append(("step_s", f"the step at {last_s:g} s never comes: load ends at {duration_s:g} s"))
    return found


def draw(
    arrivals: Arrivals,
    rate_rps: float,
    *,
    duration_s: float,
    rng: Generator,
    before_s: float = 0.0,
    trace_s: Times | None = None,
    day: Times | None = None,
) -> Times:
    """Times of one run at a mean rate of `rate_rps`; `rng` decides, and nothing else.

    With `before_s` the process is already going before load starts, and the times begin at ``-before_s``: a
    ramp and steps are flat until 0, a step and a day are where they would be. `trace_s` are the times of a
    trace, in any order, `day` the relative rates of 24 hours.

    Raises:
        ValueError: a parameter, the trace or the day is missing or of no use.
    """
    kind, span_s = arrivals.kind, before_s + duration_s
    if kind in CHANGING:
        rates = _rates(arrivals, rate_rps, duration_s=duration_s, before_s=before_s, day=day)
        times_s = following(rates, rng=rng)
    elif kind == "trace":
        times_s = replay(rate_rps, trace_s=trace_s, duration_s=span_s, rng=rng)
    elif kind == "on_off":
        on_s, off_s, cv = _needed(arrivals, "on_s"), _needed(arrivals, "off_s"), arrivals.cv or 1.0
        times_s = on_off(rate_rps, on_s=on_s, off_s=off_s, cv=cv, duration_s=span_s, rng=rng)
    elif kind in ("gamma", "weibull"):
        times_s = renewal(kind, rate_rps, cv=_needed(arrivals, "cv"), duration_s=span_s, rng=rng)
    else:
        steady = {"constant": constant, "poisson": poisson}[kind]
        times_s = steady(rate_rps, duration_s=span_s, rng=rng)
    # Rounding may have put the last one on the very end.
    return np.asarray(times_s[times_s < span_s] - before_s)


def poisson(rate_rps: float, *, duration_s: float, rng: Generator) -> Times:
    """Independent users: exponential gaps of mean ``1 / rate_rps``.

    Given how many there are, the times of a Poisson process are uniform; so the count is drawn, then the
    times.
    """
    return np.sort(rng.uniform(0.0, duration_s, rng.poisson(rate_rps * duration_s)))


def constant(rate_rps: float, *, duration_s: float, rng: Generator) -> Times:
    """A metronome: equal gaps, the first request at 0."""
    del rng
    times = np.arange(np.ceil(rate_rps * duration_s)) / rate_rps
    return np.asarray(times[times < duration_s])


def renewal(law: str, rate_rps: float, *, cv: float, duration_s: float, rng: Generator) -> Times:
    """Independent gaps of mean ``1 / rate_rps``; `law` is gamma or weibull.

    Whoever looks at a random instant looks into a gap chosen in proportion to its length, at a place uniform
    in it; what is left of it is the first gap.
    """
    next_s = float(rng.random() * _gaps(law, cv, rng, 1, biased=True)[0]) / rate_rps
    parts: list[Times] = []
    while next_s < duration_s:
        count = int(rate_rps * (duration_s - next_s)) + 100
        times_s = next_s + np.cumsum(np.append(0.0, _gaps(law, cv, rng, count) / rate_rps))
        parts.append(times_s[:-1])
        next_s = float(times_s[-1])
    together_s = np.concatenate([np.empty(0), *parts])
    return np.asarray(together_s[together_s < duration_s])


def _gaps(law: str, cv: float, rng: Generator, count: int, *, biased: bool = False) -> Times:
    """Gaps of mean 1; `biased` by their length, their density times it.

    That adds 1 to a gamma's shape. A Weibull gap is E^(1/c) with E exponential: a gamma whose shape of 1 then
    grows by 1/c.
    """
    if law == "gamma":
        shape = cv**-2
        return rng.standard_gamma(shape + biased, count) / shape
    power = weibull_power(cv)
    return np.asarray(rng.standard_gamma(1 + power * biased, count) ** power / gamma(1 + power))


def weibull_power(cv: float) -> float:
    """1/c of the Weibull law with that coefficient of variation, by bisection.

    The moments are E[x^k] = gamma(1 + k/c); so 1 + cv^2 = gamma(1 + 2/c) / gamma(1 + 1/c)^2, rising in 1/c.
    """
    low, high = 0.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        below = gammaln(1 + 2 * middle) - 2 * gammaln(1 + middle) < np.log1p(cv**2)
        low, high = (middle, high) if below else (low, middle)
    return (low + high) / 2


def on_off(
    rate_rps: float, *, on_s: float, off_s: float, cv: float, duration_s: float, rng: Generator
) -> Times:
    """Bursts and silence in turn, of lognormal lengths; gamma gaps inside a burst. `rate_rps` is over both.

    The clock of the gaps stands still in silence: a gap that a burst's end cuts goes on in the next.
    """
    starts_s, ends_s = _bursts(on_s, off_s, duration_s=duration_s, rng=rng)
    clock_s = np.append(0.0, np.cumsum(ends_s - starts_s))
    inside_rps = rate_rps * (on_s + off_s) / on_s
    times_s = renewal("gamma", inside_rps, cv=cv, duration_s=float(clock_s[-1]), rng=rng)
    burst = np.searchsorted(clock_s[1:], times_s, side="right")
    return np.asarray(times_s + (starts_s - clock_s[:-1])[burst])


def _bursts(on_s: float, off_s: float, *, duration_s: float, rng: Generator) -> tuple[Times, Times]:
    """Starts and ends of the bursts, cut to the duration; begun in a length-biased burst or silence."""
    begins_on = rng.random() < on_s / (on_s + off_s)
    on, off = (on_s, ON_SIGMA), (off_s, OFF_SIGMA)
    now, then = (on, off) if begins_on else (off, on)
    left_s = rng.random() * _lognormal(*now, rng, 1, biased=True)
    edges_s = np.append(0.0, left_s) if begins_on else left_s
    while edges_s[-1] < duration_s:
        count = int(duration_s / (on_s + off_s)) + 10
        lengths_s = np.column_stack([_lognormal(*then, rng, count), _lognormal(*now, rng, count)]).ravel()
        edges_s = np.append(edges_s, edges_s[-1] + np.cumsum(lengths_s))
    edges_s = np.minimum(edges_s[: len(edges_s) // 2 * 2], duration_s)
    return edges_s[0::2], edges_s[1::2]


def _lognormal(mean: float, sigma: float, rng: Generator, count: int, *, biased: bool = False) -> Times:
    """Lengths of that mean; length-biased, a lognormal is one of a mu higher by sigma squared."""
    return rng.lognormal(np.log(mean) + (biased - 0.5) * sigma**2, sigma, count)


def replay(rate_rps: float, *, trace_s: Times | None, duration_s: float, rng: Generator) -> Times:
    """A trace's own times, stretched to the rate, from a random instant of it; its end meets its start.

    No trace tells the gap between its last request and its first: the mean of the others stands for it, so
    that one gap in each round is ours.

    Raises:
        ValueError: fewer than two times, or all the same.
    """
    ordered_s = np.sort(np.empty(0) if trace_s is None else trace_s)
    count = len(ordered_s)
    if not count or not ordered_s[-1] > ordered_s[0]:
        raise ValueError("arrivals 'trace' need a trace of two times or more that are not all the same")
    round_s = count / rate_rps
    # Of the count gaps of a round, count - 1 are the trace's.
    once_s = (ordered_s - ordered_s[0]) / (ordered_s[-1] - ordered_s[0]) * round_s * (count - 1) / count
    rounds = np.arange(int(duration_s / round_s) + 2) * round_s
    times_s = (rounds[:, None] + once_s).ravel() - rng.uniform(0.0, round_s)
    return np.asarray(times_s[(times_s >= 0) & (times_s < duration_s)])


def following(rates: Rates, *, rng: Generator) -> Times:
    """A Poisson process whose rate changes over time: linear between the entries of `rates`.

    As in `poisson`, given their number the times are independent, here with the rate as their density: each
    is where the area under the rate reaches a uniform share of the whole.
    """
    at_s, rps = rates
    areas = np.diff(at_s) * (rps[:-1] + rps[1:]) / 2
    reached = np.append(0.0, np.cumsum(areas))
    # Shares above 0, not below 1: nothing is then drawn where the rate is 0.
    wanted = reached[-1] * (1.0 - rng.random(rng.poisson(reached[-1])))
    piece = np.searchsorted(reached, wanted, side="left") - 1
    area, low = wanted - reached[piece], rps[piece]
    slope = (rps[piece + 1] - low) / (at_s[piece + 1] - at_s[piece])
    # low x + slope x^2 / 2 = area, solved in the form that also holds for slope 0.
    root = np.sqrt(np.maximum(low**2 + 2 * slope * area, 0.0))
    return np.sort(at_s[piece] + 2 * area / (low + root))


def _rates(
    arrivals: Arrivals, rate_rps: float, *, duration_s: float, before_s: float, day: Times | None
) -> Rates:
    """The rate over time of ramp, step, steps and day; its times count from `before_s` ahead of load."""
    span_s = before_s + duration_s
    if arrivals.kind == "ramp":
        to_rps = _needed(arrivals, "to_rps")
        return np.array([0.0, before_s, span_s]), np.array([rate_rps, rate_rps, to_rps])
    if arrivals.kind == "step":
        to_rps, step_s = _needed(arrivals, "to_rps"), min(before_s + _needed(arrivals, "at_s"), span_s)
        return np.array([0.0, step_s, step_s, span_s]), np.array([rate_rps, rate_rps, to_rps, to_rps])
    if arrivals.kind == "steps":
        if not (factors := arrivals.factors):
            raise ValueError("arrivals 'steps' need factors")
        ends_s = before_s + _needed(arrivals, "step_s") * np.arange(1, len(factors))
        at_s = np.concatenate([[0.0], np.repeat(np.minimum(ends_s, span_s), 2), [span_s]])
        return at_s, np.repeat(factors, 2) * rate_rps
    if day is None or not np.all(day >= 0) or not np.any(day > 0):
        raise ValueError("arrivals 'day' need the relative rates of its hours, none negative, not all 0")
    hour_s = (day_s := arrivals.day_s or duration_s) / len(day)
    # An hour's rate is its mean, so it belongs to the middle of the hour.
    middles_s = before_s + (np.arange(-before_s // hour_s, duration_s // hour_s + 1) + 0.5) * hour_s
    inside_s = middles_s[(middles_s > 0) & (middles_s < span_s)]
    at_s = np.concatenate([[0.0], inside_s, [span_s]])
    of_day_s = (np.arange(len(day)) + 0.5) * hour_s
    return at_s, np.interp(at_s - before_s, of_day_s, day / day.mean() * rate_rps, period=day_s)


def _needed(arrivals: Arrivals, key: str) -> float:
    """A parameter that the kind cannot do without."""
    value: float | None = getattr(arrivals, key)
    if value is None:
        raise ValueError(f"arrivals {arrivals.kind!r} need {key}")
    return value
