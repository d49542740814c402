"""Distance, chance, burstiness and who is in flight: small functions of numbers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from sealegs.portrait.measures import burstiness, in_flight_longer, ks_by_chance, ks_distance


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=9), st.lists(st.integers(0, 9), min_size=1, max_size=9)
)
def test_the_distance_is_the_largest_there_is(one: list[int], other: list[int]) -> None:
    """By its definition, at every value, ties and all."""
    apart = [abs(np.mean([v <= at for v in one]) - np.mean([v <= at for v in other])) for at in range(10)]

    assert ks_distance(np.array(one, float), np.array(other, float)) == pytest.approx(max(apart))


def test_the_distance_is_scipy_s() -> None:
    """Of many values with ties; of none there is no distance."""
    rng = np.random.default_rng(1)
    one, other = np.floor(rng.exponential(9, 2_000)), np.floor(rng.exponential(10, 900))

    assert ks_distance(one, other) == pytest.approx(ks_2samp(one, other, method="asymp").statistic)
    assert math.isnan(ks_distance(one, np.empty(0)))


def test_chance_is_larger_where_values_come_together() -> None:
    """1.63 / sqrt(n) of independent values; as of so many sessions where those of each are equal."""
    rng = np.random.default_rng(1)
    trace, values = rng.random(5_000), rng.random(400)
    alone = ks_by_chance(values, np.arange(400), trace)
    together = ks_by_chance(np.repeat(values, 9), np.repeat(np.arange(400), 9), trace)

    assert alone == pytest.approx(1.63 / math.sqrt(400), rel=0.1)
    assert together == pytest.approx(alone)
    assert math.isnan(ks_by_chance(np.empty(0), np.empty(0, np.intp), trace))


def test_burstiness_is_that_of_the_times() -> None:
    """A metronome has none, Poisson's is 1, and a clock too coarse for gaps tells nothing of them."""
    even = burstiness(np.arange(0.05, 600, 0.1), span_s=600)
    poisson = burstiness(np.sort(np.random.default_rng(1).uniform(0, 6_000, 30_000)), span_s=6_000)
    coarse = burstiness(np.repeat(np.arange(0.0, 600, 3), 7), span_s=600, clock_s=3)

    assert (even.rate, even.gap_cv) == pytest.approx((10, 0))
    assert (*even.dispersion, *even.peak) == pytest.approx((0, 0, 1, 1))
    assert (poisson.gap_cv, *poisson.dispersion) == pytest.approx((1, 1, 1), abs=0.1)
    assert (coarse.gap_cv, coarse.dispersion[0], coarse.peak[0]) == (None, None, None)
    assert coarse.dispersion[1] is not None
    assert burstiness(np.empty(0), span_s=0.5).dispersion == (None, None)


@given(st.lists(st.floats(0.1, 500), min_size=1, max_size=40), st.floats(0, 300))
def test_who_is_in_flight_is_met_by_length(service_s: list[float], limit_s: float) -> None:
    """The share is that of the instants of service after which more than the limit follows."""
    after = sum(max(one - limit_s, 0) for one in service_s)

    assert in_flight_longer(np.array(service_s), limit_s) == pytest.approx(after / sum(service_s))
