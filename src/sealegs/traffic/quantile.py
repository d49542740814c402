"""Quantiles of numbers that are kept in order, for where sorting them each second would cost too much."""

from collections.abc import Sequence


def quantile_of(ascending: Sequence[float], share: float) -> float | None:
    """A quantile as a value that occurred, to the microsecond; None of no values."""
    if not ascending:
        return None
    return round(ascending[min(len(ascending) - 1, int(share * len(ascending)))], 6)
