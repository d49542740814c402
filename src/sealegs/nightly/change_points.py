"""Where a nightly series took a new level: a flag for people to look at, never a gate.

The idea is that of Hunter, now Apache Otava (Fleming et al., "Hunter: Using Change Point Detection to Hunt
for Performance Regressions", ICPE 2023): candidates are found generously, then each is held to a t-test
between the levels on its two sides. Why not Otava itself: docs/decisions/0012.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

Values = NDArray[np.float64]

# A night is cut down to so many times the noise from the nights around it; 2 costs false flags, 4 finds less.
LONE_NOISE = 3.0
# Makes a median absolute deviation the sigma of a normal.
SIGMA_PER_MAD = 1.4826
# A candidate has to explain so many variances of the noise, a t of about 3.2: below whatever passes the test.
CANDIDATE_VARIANCES = 10.0

HISTORY_NIGHTS = 14
HISTORY_NIGHTS_MIN = 7
OUTLIER_SIGMAS = 4.0
OUTLIER_SHARE = 0.1


@dataclass(frozen=True, kw_only=True)
class ChangePoint:
    """A series left one level for another.

    Attributes:
        index: first night of the new level, counted in all nights, those without a value too.
        before: median of the nights since the change point before this one, in the unit of the series.
        after: median of the nights from here to the next change point.
        p: how often a steady series of this length would show such a step anywhere: the t-test's, times the
            number of places where it could have stood (Bonferroni), at most 1.
        seen_at: first night at which enough nights of the new level were there for a flag. The flag may have
            come later: a small step takes more of them.
    """

    index: int
    before: float
    after: float
    p: float
    seen_at: int


def change_points(
    values: Sequence[float | None], *, p_max: float = 0.001, segment_min: int = 3, change_min: float = 0.05
) -> tuple[ChangePoint, ...]:
    """Change points of a series of one value a night, oldest first.

    Args:
        values: one number a night, of any unit; None is a gap, which is not filled and no night of any level.
        p_max: a change point's p is at most this.
        segment_min: a level lasts at least so many nights that have a value.
        change_min: a change is at least this share of the level before it, and at least the series' noise.

    Raises:
        ValueError: a value is not finite, or a limit makes no sense; all that is wrong, at once.
    """
    _refuse_impossible(values, p_max=p_max, segment_min=segment_min, change_min=change_min)
    nights = [night for night, value in enumerate(values) if value is not None]
    measured = np.array([value for value in values if value is not None], dtype=np.float64)
    if len(measured) < 2 * segment_min:
        return ()
    noise = _noise(measured)
    calm = _without_lone_nights(measured, noise=noise, segment_min=segment_min)
    # Without noise only medians are left in `calm`, and any step between them would be certain.
    compared = calm if noise else measured
    places = len(measured) - 2 * segment_min + 1

    # Taking a candidate away changes its two neighbours only; the others' tests are remembered.
    @cache
    def tested(start: int, cut: int, end: int) -> ChangePoint:
        return ChangePoint(
            index=nights[cut],
            before=float(np.median(measured[start:cut])),
            after=float(np.median(measured[cut:end])),
            p=min(1.0, places * _t_test_p(compared[start:cut], compared[cut:end])),
            seen_at=nights[cut + segment_min - 1],
        )

    cuts = _partition(calm, penalty=CANDIDATE_VARIANCES * noise**2, segment_min=segment_min)
    while cuts:
        edges = [0, *cuts, len(measured)]
        found = [tested(*edges[i : i + 3]) for i in range(len(cuts))]
        weak = [
            (one.p, -abs(one.after - one.before), cut)
            for one, cut in zip(found, cuts, strict=True)
            if one.p > p_max or abs(one.after - one.before) < max(change_min * abs(one.before), noise)
        ]
        if not weak:
            return tuple(found)
        cuts.remove(max(weak)[-1])
    return ()


def _noise(measured: Values) -> float:
    """Standard deviation from one night to the next, by the median of their differences.

    A difference has the variance of two nights. A step or a lone night is one or two differences of many, so
    neither counts. It is 0 where most nights equal the one before, as in counts and in shares near 1.
    """
    return float(SIGMA_PER_MAD / math.sqrt(2) * np.median(np.abs(np.diff(measured))))


def _without_lone_nights(measured: Values, *, noise: float, segment_min: int) -> Values:
    """The series about 0, with no night further than `LONE_NOISE` from the median of the nights around it.

    Of 2 x segment_min - 1 nights a level is the majority, and what is shorter is not. At the ends these are
    the first and the last such nights, or two odd ones among the last three would pass for a level.
    """
    around = np.median(np.lib.stride_tricks.sliding_window_view(measured, 2 * segment_min - 1), axis=1)
    around = np.pad(around, segment_min - 1, mode="edge")
    calm: Values = np.clip(measured, around - LONE_NOISE * noise, around + LONE_NOISE * noise)
    return calm - np.median(calm)


def _partition(calm: Values, *, penalty: float, segment_min: int) -> list[int]:
    """First nights of the levels that fit best: least squares within them plus a penalty for each.

    Optimal partitioning (Jackson et al., IEEE Signal Processing Letters 12, 2005). Splitting in two again and
    again would be simpler, but a level that came and went leaves no single split that is good.
    """
    n = len(calm)
    sums = np.concatenate([[0.0], np.cumsum(calm)])
    best = np.full(n + 1, np.inf)
    best[0] = 0.0
    opened = [0] * (n + 1)
    for end in range(segment_min, n + 1):
        sizes = np.arange(end, segment_min - 1, -1)
        # The sum of all squares is the same however they are parted, so it is left out.
        cost = best[: len(sizes)] - (sums[end] - sums[: len(sizes)]) ** 2 / sizes
        opened[end] = int(cost.argmin())
        best[end] = cost[opened[end]] + penalty
    cuts: list[int] = []
    start = opened[n]
    while start:
        cuts.insert(0, start)
        start = opened[start]
    return cuts


def _t_test_p(before: Values, after: Values) -> float:
    """Two-sided p of Student's t-test, the variance pooled over n - 2 (Otava leaves out the - 2)."""
    difference = abs(float(after.mean() - before.mean()))
    freedom = len(before) + len(after) - 2
    variance = (len(before) * before.var() + len(after) * after.var()) / freedom
    error = math.sqrt(variance * (1 / len(before) + 1 / len(after)))
    if not error:
        return 0.0 if difference else 1.0
    return 2 * float(stdtr(freedom, -difference / error))


def outlier(values: Sequence[float | None]) -> bool:
    """Whether the last night stands out from the 14 measured ones before it: a notice, no more than that.

    It does when it is further from their median, on either side, than 4 sigmas (by the median absolute
    deviation) and than 10 % of the median. No night without a value does, and none with fewer than 7 before.
    """
    measured = [value for value in values if value is not None]
    history = np.array(measured[:-1][-HISTORY_NIGHTS:])
    if len(history) < HISTORY_NIGHTS_MIN or values[-1] is None:
        return False
    median = float(np.median(history))
    sigma = SIGMA_PER_MAD * float(np.median(np.abs(history - median)))
    return abs(measured[-1] - median) > max(OUTLIER_SIGMAS * sigma, OUTLIER_SHARE * abs(median))


def _refuse_impossible(
    values: Sequence[float | None], *, p_max: float, segment_min: int, change_min: float
) -> None:
    """Values and limits that cannot be are a mistake of the caller, not a quiet series."""
    wrong = [
        f"night {night} is {value}, which is no number; a night without a value is None"
        for night, value in enumerate(values)
        if value is not None and not math.isfinite(value)
    ]
    if not 0 < p_max < 1:
        wrong.append(f"p_max is {p_max}, not between 0 and 1")
    if segment_min < 2:  # noqa: PLR2004  one night has no spread
        wrong.append(f"segment_min is {segment_min}, a level has at least 2 nights")
    if not change_min >= 0:
        wrong.append(f"change_min is {change_min}, less than nothing")
    if wrong:
        raise ValueError("; ".join(wrong))
