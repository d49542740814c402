"""Numbers of a portrait: how far two samples are apart, how bursty times are, how long the rest takes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sealegs.scenario.arrivals import Times

Floats = npt.NDArray[np.float64]

# 1 % of the Kolmogorov distances of n independent values from what they are drawn from exceed 1.63 / sqrt(n);
# the standard error of a share of n is at most 0.5 / sqrt(n).
ERRORS = 1.63 / 0.5
# Kubernetes lets a pod finish for 30 s unless told otherwise; 60 and 120 s are what people raise it to.
GRACES_S = (30, 60, 120)
BINS_MIN = 10
GAPS_MIN = 2


@dataclass(frozen=True, kw_only=True)
class Burstiness:
    """How times lie in a span. None where there are too few of them or the span is too short.

    Attributes:
        rate: times a second.
        gap_cv: standard deviation of the gaps over their mean; 1 of a Poisson process.
        dispersion: variance of the counts in bins of 1 s and of 10 s over their mean; 1 of a Poisson process.
        peak: highest count of such a bin over the mean; it grows with the span.
    """

    rate: float
    gap_cv: float | None
    dispersion: tuple[float | None, float | None]
    peak: tuple[float | None, float | None]


def ks_distance(one: Floats, other: Floats) -> float:
    """The largest distance between the distribution functions of two samples; NaN of an empty one."""
    if not len(one) or not len(other):
        return float("nan")
    at = np.concatenate([one, other])
    shares = [np.searchsorted(np.sort(values), at, side="right") / len(values) for values in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


def ks_by_chance(drawn: Floats, session: npt.NDArray[np.intp], trace: Floats) -> float:
    """The distance that 1 % of such draws from the trace exceed, about; NaN of an empty one.

    Values of one `session` are alike and come together: their share below a value has the standard error of
    a ratio over sessions (Cochran, Sampling Techniques, 1977, section 3.12), not that of so many values.
    Without sessions this is 1.63 / sqrt(n).
    """
    if not len(drawn) or not len(trace):
        return float("nan")
    ascending = np.sort(trace)
    values = np.unique(np.quantile(trace, np.linspace(0.02, 0.98, 49)))
    shares = np.searchsorted(ascending, values, side="right") / len(trace)
    errors = [
        np.sqrt(np.square(np.bincount(session, weights=(drawn <= value) - share)).sum()) / len(drawn)
        for value, share in zip(values, shares, strict=True)
    ]
    return min(1.0, ERRORS * float(max(errors)))


def burstiness(times_s: Times, *, span_s: float, clock_s: float = 0.0) -> Burstiness:
    """How ascending times lie in a span that begins at 0.

    A clock whose steps of `clock_s` hide the gaps between them tells nothing of these, or of shorter bins.
    """
    gaps_s = np.diff(times_s)
    enough = len(gaps_s) >= GAPS_MIN and gaps_s.mean() > 0 and not clock_s
    dispersion: list[float | None] = []
    peak: list[float | None] = []
    for bin_s in (1.0, 10.0):
        bins = int(span_s / bin_s)
        counts = np.histogram(times_s, bins=bins, range=(0.0, bins * bin_s))[0] if bins else np.zeros(0)
        known = bins >= BINS_MIN and counts.any() and bin_s > clock_s
        dispersion.append(float(counts.var() / counts.mean()) if known else None)
        peak.append(float(counts.max() / counts.mean()) if known else None)
    return Burstiness(
        rate=len(times_s) / span_s,
        gap_cv=float(gaps_s.std() / gaps_s.mean()) if enough else None,
        dispersion=(dispersion[0], dispersion[1]),
        peak=(peak[0], peak[1]),
    )


def surviving(values: Floats, limit: float) -> float:
    """The share of values above a limit."""
    return float(np.mean(values > limit))


def in_flight_longer(service_s: Floats, limit_s: float) -> float:
    """Of the requests in flight at a random instant, the share that needs more than `limit_s` longer.

    A long request is met in flight in proportion to its length, at a place uniform in it, so the share is
    E[(S - limit)+] / E[S]: the equilibrium distribution of renewal theory (Cox, Renewal Theory, 1962).
    """
    return float(np.maximum(service_s - limit_s, 0.0).sum() / service_s.sum())
