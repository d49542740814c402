"""Arrivals in steps: each has its own rate, whichever they are."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sealegs.scenario.arrivals import Arrivals, draw


@given(
    factors=st.lists(st.one_of(st.just(0.0), st.floats(0.1, 4.0)), min_size=1, max_size=6),
    before_s=st.sampled_from([0.0, 15.0]),
    seed=st.integers(0, 2**32),
)
def test_each_of_the_steps_has_its_rate(factors: list[float], before_s: float, seed: int) -> None:
    """A Poisson count at its factor times the rate, and none at factor 0; ahead of load the first's rate.

    Within 6 standard errors: hypothesis looks at many of them.
    """
    steps = Arrivals(kind="steps", factors=tuple(factors), step_s=10.0)
    rng = np.random.default_rng(seed)
    times_s = draw(steps, 50.0, duration_s=10.0 * len(factors), before_s=before_s, rng=rng)
    counts = np.histogram(times_s, bins=10.0 * np.arange(len(factors) + 1))[0]
    before = int(np.sum(times_s < 0))

    expected = 500 * np.array(factors)
    assert np.all(np.abs(counts - expected) <= 6 * expected**0.5)
    assert abs(before - 50 * factors[0] * before_s) <= 6 * (50 * factors[0] * before_s) ** 0.5
