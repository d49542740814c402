"""Arrival processes keep their rate, their law and their bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealegs.arrivals import ARRIVALS, constant, poisson


@pytest.mark.parametrize("name", ARRIVALS)
@given(rate_rps=st.floats(0.01, 200), duration_s=st.floats(0.01, 50), seed=st.integers(0, 2**32))
def test_times_are_ordered_and_inside(name: str, rate_rps: float, duration_s: float, seed: int) -> None:
    """Whatever the rate: ascending, from 0, below the duration."""
    times_s = ARRIVALS[name](rate_rps, duration_s=duration_s, rng=np.random.default_rng(seed))

    assert np.all(np.diff(times_s) >= 0)
    assert not len(times_s) or (times_s[0] >= 0 and times_s[-1] < duration_s)


def test_poisson_has_its_rate_and_its_dispersion() -> None:
    """Counts a second have mean and variance equal to the rate; gaps have a coefficient of variation of 1."""
    times_s = poisson(20.0, duration_s=5_000.0, rng=np.random.default_rng(7))
    counts, _ = np.histogram(times_s, bins=5_000, range=(0.0, 5_000.0))
    gaps_s = np.diff(times_s)

    assert counts.mean() == pytest.approx(20.0, rel=0.02)
    assert counts.var() == pytest.approx(20.0, rel=0.1)
    assert gaps_s.std() / gaps_s.mean() == pytest.approx(1.0, rel=0.02)


def test_constant_is_a_metronome() -> None:
    """Equal gaps from 0, and the last request before the end."""
    times_s = constant(4.0, duration_s=1.0, rng=np.random.default_rng(0))

    assert times_s.tolist() == [0.0, 0.25, 0.5, 0.75]


def test_same_seed_same_times() -> None:
    """The seed decides, and only the seed."""
    first, again, other = (
        poisson(5.0, duration_s=20.0, rng=np.random.default_rng(seed)).tolist() for seed in (1, 1, 2)
    )

    assert first == again
    assert first != other
