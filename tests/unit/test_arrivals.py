"""Arrival processes keep their rate, their law and their bounds."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealegs.scenario.arrivals import (
    NEEDS,
    Arrivals,
    Times,
    constant,
    draw,
    poisson,
    weibull_power,
)

# Azure's code service on a weekday of 2024, relative to its weekly mean: a day that falls to a ninth.
DAY = np.array(
    [
        *(0.87, 0.85, 0.79, 0.64, 0.51, 0.42, 0.37, 0.31, 0.29, 0.30, 0.32, 0.48),
        *(0.89, 1.52, 2.12, 2.25, 2.14, 2.47, 2.71, 2.77, 2.54, 1.86, 1.34, 1.01),
    ]
)
TRACE_S = 1e6 + np.cumsum([0.0, 1.0, 2.0, 4.0, 8.0, 0.0, 16.0, 3.0])
EVERY = [
    Arrivals(kind="constant"),
    Arrivals(kind="poisson"),
    *(Arrivals(kind=law, cv=cv) for law in ("gamma", "weibull") for cv in (0.05, 0.5, 3.0, 13.0)),
    Arrivals(kind="on_off", on_s=4.0, off_s=10.0),
    Arrivals(kind="on_off", on_s=17.0, off_s=43.0, cv=2.2),
    Arrivals(kind="trace"),
    Arrivals(kind="ramp", to_rps=20.0),
    Arrivals(kind="ramp", to_rps=0.0),
    Arrivals(kind="step", to_rps=20.0, at_s=7.0),
    Arrivals(kind="steps", factors=(0.5, 4.0, 0.0, 1.0), step_s=7.0),
    Arrivals(kind="day"),
    Arrivals(kind="day", day_s=20.7),
]


def drawn(arrivals: Arrivals, rate_rps: float, *, duration_s: float, seed: int = 7, **more: Any) -> Times:  # noqa: ANN401
    """Times with the trace and the day at hand, as a schedule has them."""
    rng = np.random.default_rng(seed)
    return draw(arrivals, rate_rps, duration_s=duration_s, rng=rng, trace_s=TRACE_S, day=DAY, **more)


def cv_of(times_s: Times) -> float:
    """Coefficient of variation of the gaps."""
    gaps_s = np.diff(times_s)
    return float(gaps_s.std() / gaps_s.mean())


def counts_of(times_s: Times, *, duration_s: float, bins: int) -> Times:
    """Requests in each of so many equal parts of the duration."""
    counts, _ = np.histogram(times_s, bins=bins, range=(0.0, duration_s))
    return counts.astype(float)


def test_every_kind_is_tested_here() -> None:
    """The list that the tests below run through leaves no kind out."""
    assert {one.kind for one in EVERY} == set(NEEDS)


@given(
    arrivals=st.sampled_from(EVERY),
    rate_rps=st.floats(0.01, 200),
    duration_s=st.floats(0.01, 50),
    before_s=st.sampled_from([0.0, 0.3, 20.0]),
    seed=st.integers(0, 2**32),
)
def test_times_are_ordered_and_inside(
    arrivals: Arrivals, rate_rps: float, duration_s: float, before_s: float, seed: int
) -> None:
    """Whatever the kind and the rate: ascending, inside, and decided by the seed."""
    times_s = drawn(arrivals, rate_rps, duration_s=duration_s, before_s=before_s, seed=seed)
    again_s = drawn(arrivals, rate_rps, duration_s=duration_s, before_s=before_s, seed=seed)

    assert np.all(np.diff(times_s) >= 0)
    assert not len(times_s) or (times_s[0] >= -before_s and times_s[-1] < duration_s)
    assert times_s.tolist() == again_s.tolist()


@pytest.mark.parametrize("arrivals", [one for one in EVERY if one.kind != "constant"], ids=str)
def test_another_seed_gives_other_times(arrivals: Arrivals) -> None:
    """What is random draws from the generator that it was given."""
    one_s, other_s = (drawn(arrivals, 50.0, duration_s=100.0, seed=seed).tolist() for seed in (1, 2))

    assert one_s != other_s


def mean_rps(arrivals: Arrivals, rate_rps: float, *, duration_s: float) -> float:
    """The rate on average over a load: where it changes, half of the way or as long as each lasts."""
    to_rps = rate_rps if arrivals.to_rps is None else arrivals.to_rps
    if arrivals.kind == "ramp":
        return (rate_rps + to_rps) / 2
    if arrivals.factors is not None and arrivals.step_s is not None:
        *first, last = arrivals.factors
        rest = last * (duration_s / arrivals.step_s - len(first))
        return rate_rps * (sum(first) + rest) * arrivals.step_s / duration_s
    share = (arrivals.at_s or duration_s) / duration_s
    return rate_rps * share + to_rps * (1 - share)


@pytest.mark.parametrize("arrivals", EVERY, ids=str)
def test_the_mean_count_is_rate_times_duration(arrivals: Arrivals) -> None:
    """Over 1,500 short loads, within 4 standard errors, which are 5 % at most: no start biases the count."""
    duration_s = 41.4
    rng = np.random.default_rng(11)
    counts = np.array(
        [
            len(draw(arrivals, 5.0, duration_s=duration_s, rng=rng, trace_s=TRACE_S, day=DAY))
            for _ in range(1_500)
        ]
    )
    expected = mean_rps(arrivals, 5.0, duration_s=duration_s) * duration_s
    error = max(counts.std() / len(counts) ** 0.5, 1e-9)

    assert error < 0.05 * expected
    assert abs(counts.mean() - expected) < 4 * error


def test_poisson_has_its_rate_and_its_dispersion() -> None:
    """Counts a second have mean and variance equal to the rate; gaps have a coefficient of variation of 1."""
    times_s = poisson(20.0, duration_s=5_000.0, rng=np.random.default_rng(7))
    counts = counts_of(times_s, duration_s=5_000.0, bins=5_000)

    assert counts.mean() == pytest.approx(20.0, rel=0.02)
    assert counts.var() == pytest.approx(20.0, rel=0.1)
    assert cv_of(times_s) == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize(
    "arrivals",
    [
        Arrivals(kind="poisson"),
        Arrivals(kind="step", to_rps=20.0, at_s=7.0),
        Arrivals(kind="steps", factors=(0.5, 2.0, 1.0), step_s=6.0),
    ],
    ids=str,
)
def test_the_count_of_independent_users_varies_as_much_as_it_is(arrivals: Arrivals) -> None:
    """Over 2,000 loads the variance of a Poisson count is its mean, whatever the rate does, within 13 %."""
    counts = np.array([len(drawn(arrivals, 5.0, duration_s=20.0, seed=seed)) for seed in range(2_000)])

    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=4 * (2 / len(counts)) ** 0.5)


def test_constant_is_a_metronome() -> None:
    """Equal gaps from 0, and the last request before the end."""
    times_s = constant(4.0, duration_s=1.0, rng=np.random.default_rng(0))

    assert times_s.tolist() == [0.0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize(
    ("law", "cv", "rel"),
    [
        *((law, cv, 0.02) for law in ("gamma", "weibull") for cv in (0.05, 0.5, 1.0, 3.0)),
        ("gamma", 13.0, 0.1),
        # The rarest gaps make a Weibull's spread: a million of them still miss it by a tenth.
        ("weibull", 13.0, 0.25),
    ],
)
def test_renewal_gaps_have_their_spread(law: str, cv: float, rel: float) -> None:
    """The coefficient of variation of a million gaps is the one asked for."""
    times_s = drawn(Arrivals(kind=law, cv=cv), 1_000.0, duration_s=1_000.0)

    assert cv_of(times_s) == pytest.approx(cv, rel=rel)


@pytest.mark.parametrize("cv", [3.0, 13.0])
def test_gamma_and_weibull_are_two_laws(cv: float) -> None:
    """Half of a Weibull's gaps are below its median, and more of a gamma's with the same mean and spread."""
    power = weibull_power(cv)
    median_s = math.log(2) ** power / math.gamma(1 + power)
    below = {
        law: np.mean(np.diff(drawn(Arrivals(kind=law, cv=cv), 1.0, duration_s=100_000.0)) < median_s)
        for law in ("gamma", "weibull")
    }

    assert below["weibull"] == pytest.approx(0.5, abs=0.02)
    assert below["gamma"] > 0.55


def test_weibull_shapes_that_are_known() -> None:
    """Shape 1 is the exponential law; shape 1/2 has a coefficient of variation of the root of 5."""
    assert weibull_power(1.0) == pytest.approx(1.0)
    assert weibull_power(5**0.5) == pytest.approx(2.0)


def test_on_off_looks_like_the_trace_it_is_from() -> None:
    """Azure's code service of 2023: 58 bursts in 57 min, 73 % of seconds empty, dispersion 13 at 1 s.

    Bounds are a fifth to a quarter around what the trace has; a silence is a gap over 5 s, as there.
    """
    code = Arrivals(kind="on_off", on_s=17.0, off_s=43.0, cv=2.2)
    duration_s = 200_000.0
    times_s = drawn(code, 2.57, duration_s=duration_s)
    gaps_s = np.diff(times_s)
    off_s = gaps_s[gaps_s > 5]
    counts = counts_of(times_s, duration_s=duration_s, bins=200_000)

    assert len(off_s) / duration_s * 3_440 == pytest.approx(58, rel=0.2)
    assert np.quantile(off_s, [0.5, 0.9]) == pytest.approx([25, 106], rel=0.2)
    assert np.mean(counts == 0) == pytest.approx(0.73, abs=0.05)
    assert counts.var() / counts.mean() == pytest.approx(13.2, rel=0.25)


def test_gaps_inside_a_burst_are_poisson_by_default() -> None:
    """Without a cv, what is left after the silences are cut out spreads as exponential gaps do."""
    times_s = drawn(Arrivals(kind="on_off", on_s=100.0, off_s=100.0), 50.0, duration_s=10_000.0)
    gaps_s = np.diff(times_s)
    inside_s = gaps_s[gaps_s < 1.0]

    assert inside_s.mean() == pytest.approx(0.01, rel=0.02)
    assert inside_s.std() / inside_s.mean() == pytest.approx(1.0, rel=0.02)


def test_a_trace_keeps_its_gaps_and_wraps() -> None:
    """Each round has the trace's gaps, in order and ratio, and one of their mean where it begins anew.

    In which order the times are given makes no difference.
    """
    times_s = drawn(Arrivals(kind="trace"), 2.0, duration_s=400.0)
    of_trace_s = np.diff(TRACE_S)
    round_s = np.append(of_trace_s, of_trace_s.mean()) / of_trace_s.mean() / 2.0
    gaps_s = np.diff(times_s)
    starts = [np.roll(round_s, -shift) for shift in range(len(round_s))]
    cycles = [np.resize(start, len(gaps_s)) for start in starts]

    rng = np.random.default_rng(7)
    backwards_s = draw(Arrivals(kind="trace"), 2.0, duration_s=400.0, rng=rng, trace_s=TRACE_S[::-1])

    assert backwards_s.tolist() == times_s.tolist()
    assert len(times_s) == pytest.approx(800, abs=8)
    assert sum(np.allclose(gaps_s, cycle, atol=1e-6) for cycle in cycles) == 1


def test_a_ramp_rises_in_a_line() -> None:
    """From the rate to `to_rps` at the end; each tenth holds what the line says, within 4 standard errors."""
    counts = counts_of(
        drawn(Arrivals(kind="ramp", to_rps=300.0), 100.0, duration_s=1_000.0), duration_s=1_000.0, bins=10
    )
    expected = 100.0 * (100.0 + 20.0 * (np.arange(10) + 0.5))

    assert np.all(np.abs(counts - expected) < 4 * expected**0.5)


def test_a_step_has_two_rates() -> None:
    """The rate before `at_s`, `to_rps` from then on; to 0 is silence."""
    up = drawn(Arrivals(kind="step", to_rps=300.0, at_s=400.0), 100.0, duration_s=1_000.0)
    down = drawn(Arrivals(kind="step", to_rps=0.0, at_s=400.0), 100.0, duration_s=1_000.0)

    assert np.sum(up < 400.0) == pytest.approx(40_000, rel=0.02)
    assert np.sum(up >= 400.0) == pytest.approx(180_000, rel=0.01)
    assert 399.0 < down[-1] < 400.0


@pytest.mark.parametrize("day_s", [None, 500.0])
def test_a_day_follows_its_hours(day_s: float | None) -> None:
    """An hour's mean is 3/4 its own rate and 1/8 of either neighbour's, midnight's over midnight."""
    times_s = drawn(Arrivals(kind="day", day_s=day_s), 200.0, duration_s=1_000.0)
    counts = counts_of(times_s % (day_s or 1_000.0), duration_s=day_s or 1_000.0, bins=24)
    shape = 0.75 * DAY + 0.125 * (np.roll(DAY, 1) + np.roll(DAY, -1))
    expected = shape / shape.sum() * 200_000

    assert np.all(np.abs(counts - expected) < 4 * expected**0.5)


def test_what_came_before_load_does_not_move_it() -> None:
    """Ahead of load a ramp is flat, a step has not come and a day is at its last hours; 0 stays 0."""
    counts = {}
    for one in (
        Arrivals(kind="ramp", to_rps=0.0),
        Arrivals(kind="step", to_rps=0.0, at_s=10.0),
        Arrivals(kind="day"),
    ):
        times_s = drawn(one, 100.0, duration_s=240.0, before_s=100.0)
        counts[one.kind] = [
            float(np.sum((times_s >= at_s) & (times_s < at_s + 10))) for at_s in (-100, -10, 0, 230)
        ]

    day = (100 * 10 * DAY[[14, 23, 0, 23]] / DAY.mean()).tolist()
    assert counts["ramp"] == pytest.approx([1000, 1000, 979, 21], rel=0.1, abs=20)
    assert counts["step"] == pytest.approx([1000, 1000, 1000, 0], rel=0.1)
    assert counts["day"] == pytest.approx(day, rel=0.1)
