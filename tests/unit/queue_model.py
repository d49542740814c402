"""Many runs of a serving queue at once: Poisson arrivals, exponential service, log-normal prefill."""

import numpy as np
import numpy.typing as npt

SLOTS = 32
PREFILL_S, PREFILL_SIGMA = 0.1, 0.5  # median and spread; the mean service time is the unit of time
WARMUP = 400  # requests until a queue that began empty has forgotten it


def ttft_s(
    *, utilisation: float, runs: int, requests: int, seed: int, slots: int = SLOTS
) -> npt.NDArray[np.float64]:
    """Wait plus prefill of each request, a row a run; first come, first served by the slot free first."""
    rng = np.random.default_rng(seed)
    free_at = np.zeros((runs, slots))
    each = np.arange(runs)
    now = np.zeros(runs)
    wait = np.empty((requests, runs))
    for number in range(-WARMUP, requests):
        now += rng.standard_exponential(runs) / (slots * utilisation)
        slot = free_at.argmin(axis=1)
        start = np.maximum(free_at[each, slot], now)
        free_at[each, slot] = start + rng.standard_exponential(runs)
        if number >= 0:
            wait[number] = start - now
    return np.ascontiguousarray((wait + PREFILL_S * rng.lognormal(0.0, PREFILL_SIGMA, wait.shape)).T)
