"""Percentiles of a run's latencies: values that were measured, each with the bounds of the true percentile.

The value is the one at rank ceil(q n), nothing is interpolated. The bounds are order statistics too, by the
rule of `stats`: that a share q of requests is within the upper bound would be a PASS, that it is
within any limit below the lower bound a FAIL. They assume nothing about how latencies are distributed, only
that requests do not influence each other: see `correlation`. Percentiles decide nothing.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from sealegs.judgement import stats
from sealegs.judgement.facts import Interval
from sealegs.judgement.fates import MEASURED, Fates, Floats

SHARES = (0.5, 0.95, 0.99)
CONFIDENCE = 0.99

Metric = Literal["ttft", "tpot", "e2e"]
Since = Literal["intended", "sent"]
Of = Literal["survivors", "all"]


@dataclass(frozen=True, kw_only=True)
class Percentile:
    """One percentile of one metric in one phase; its time counts from when the request was due, or was sent.

    `of` ``survivors`` it is of the n requests that were answered and have the metric; of ``all`` it is of
    the n requests of the phase, and one that failed took for ever. None is a time that nobody saw: there were
    too few requests, or a failure stands there. Each bound holds by itself at confidence 0.99.
    """

    phase: str
    metric: Metric
    since: Since
    of: Of
    n: int
    q: float
    value_s: float | None
    low_s: float | None
    high_s: float | None


def percentiles_of(fates: Fates, phases: Sequence[Interval]) -> tuple[Percentile, ...]:
    """Percentiles of each measured phase that began, and of the run."""
    began = list(dict.fromkeys(phase.name for phase in phases if phase.name in MEASURED))
    measured = _metrics(fates)
    return tuple(
        one
        for phase, its in (*((name, [name]) for name in began), ("run", began))
        for inside in [fates.within(*its)]
        for metric, since, values_s in measured
        for one in _percentiles(phase, metric, since, values_s[inside & fates.ok], n_all=int(inside.sum()))
    )


def _metrics(fates: Fates) -> tuple[tuple[Metric, Since, Floats], ...]:
    """What is measured of each request; NaN where it has none of it."""
    return (
        ("ttft", "intended", fates.ttft_s),
        ("ttft", "sent", fates.first_token_s - fates.sent_s),
        ("tpot", "sent", fates.tpot_s),
        ("e2e", "intended", fates.e2e_s),
    )


def _percentiles(
    phase: str, metric: Metric, since: Since, answered_s: Floats, *, n_all: int
) -> Iterator[Percentile]:
    """The percentiles of a metric: of those that have it, and of all, where failures stand behind them."""
    ordered_s = np.sort(answered_s[~np.isnan(answered_s)])
    counts: dict[Of, int] = {"survivors": len(ordered_s)}
    # An answer that never came has no pace, not an infinite one.
    if metric != "tpot":
        counts["all"] = n_all
    for of, n in counts.items():
        for q in SHARES:
            low_s, value_s, high_s = (_at(ordered_s, rank) for rank in _ranks(n, q))
            yield Percentile(
                phase=phase,
                metric=metric,
                since=since,
                of=of,
                n=n,
                q=q,
                value_s=value_s,
                low_s=low_s,
                high_s=high_s,
            )


@cache
def _ranks(n: int, q: float) -> tuple[int, int, int]:
    """Ranks, from 1, of the lower bound, the value and the upper bound among n; 0 where n is too small."""
    most = stats.bad_max(n=n, target=q, confidence=CONFIDENCE)
    fewest = bisect_left(
        range(n + 1),
        True,  # noqa: FBT003  the first count at which it holds
        key=lambda bad: stats.decide(n=n, bad=bad, target=q, confidence=CONFIDENCE) == "FAIL",
    )
    return n - fewest + 1, math.ceil(q * n), 0 if most is None else n - most


def _at(ordered_s: Floats, rank: int) -> float | None:
    """The value at a rank, from 1; None where there is none, or only failures stand behind the values."""
    return round(float(ordered_s[rank - 1]), 6) if 0 < rank <= len(ordered_s) else None
