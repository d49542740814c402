"""Arrival processes: when requests of an open loop are meant to be sent, known before anything starts.

Times are seconds from the start of load, ascending, all below the duration.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Times: TypeAlias = npt.NDArray[np.float64]


def poisson(rate_rps: float, *, duration_s: float, rng: np.random.Generator) -> Times:
    """Independent users: exponential gaps of mean ``1 / rate_rps``.

    Given how many there are, the times of a Poisson process are uniform; so the count is drawn, then the
    times.
    """
    return np.sort(rng.uniform(0.0, duration_s, rng.poisson(rate_rps * duration_s)))


def constant(rate_rps: float, *, duration_s: float, rng: np.random.Generator) -> Times:
    """A metronome: equal gaps, the first request at 0."""
    del rng
    times = np.arange(np.ceil(rate_rps * duration_s)) / rate_rps
    return np.asarray(times[times < duration_s])


ARRIVALS: dict[str, Callable[..., Times]] = {"poisson": poisson, "constant": constant}
