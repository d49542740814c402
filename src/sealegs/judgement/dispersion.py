"""Whether requests were sent as planned: as many as were meant to be, and with the spread that was meant.

The dispersion test of a Poisson process (Cox and Lewis, The Statistical Analysis of Series of Events, 1966):
given how many there are, the counts of k equal bins are multinomial, and (k - 1) x variance / mean of the
counts is chi-squared with k - 1 degrees of freedom. Too even shows as much as too bursty.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtr, chdtrc

from sealegs.scenario.arrivals import Times

# Cochran's rule for chi-squared: 5 expected in a bin. The shortest bins it allows see short bursts best: of
# 1,000 requests with gaps of cv 1.3 they find 94 % at p 0.001, bins of 100 find 3 %; of a slow drift, less.
EXPECTED_MIN = 5
# With fewer than 50 requests, gaps of cv 2 stay unseen more often than not.
BINS_MIN = 10


@dataclass(frozen=True, kw_only=True)
class Dispersion:
    """The spread of `n` times over `bins` equal bins.

    Attributes:
        index: variance of the counts over their mean. 1 of a Poisson process, 0 of a metronome, more in
            bursts and wherever the rate changes.
        p: how often a Poisson process of a constant rate strays as far from 1, on either side.
    """

    n: int
    bins: int
    index: float
    p: float


def dispersion(times_s: Times, *, start_s: float, end_s: float) -> Dispersion | None:
    """The spread of the times from `start_s` to below `end_s`; None of fewer than 50, too few to tell."""
    inside_s = times_s[(times_s >= start_s) & (times_s < end_s)]
    n = len(inside_s)
    bins = n // EXPECTED_MIN
    if bins < BINS_MIN:
        return None
    counts, _ = np.histogram(inside_s, bins=bins, range=(start_s, end_s))
    index = float(counts.var(ddof=1) / counts.mean())
    statistic = (bins - 1) * index
    below, above = float(chdtr(bins - 1, statistic)), float(chdtrc(bins - 1, statistic))
    return Dispersion(n=n, bins=bins, index=index, p=2 * min(below, above))


def rate_error(intended_s: Times, sent_s: Times, *, start_s: float, end_s: float) -> float | None:
    """Achieved against intended rate from `start_s` to below `end_s`: 0.02 is 2 % too many.

    None when none was intended.
    NaN in `sent_s` is a request that was never sent. Who is late over an edge of the window is missing here
    and one too many there; at the lag of a sound client that is a request or two.
    """
    intended, sent = (
        int(np.count_nonzero((times_s >= start_s) & (times_s < end_s))) for times_s in (intended_s, sent_s)
    )
    return sent / intended - 1 if intended else None
