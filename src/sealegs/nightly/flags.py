"""Where a series moved to another level, and since which commit. A flag asks for a look; it gates nothing.

The detector is `sealegs.nightly.change_points`. A flag beside one of a canary, a night more or less, is the
environment's until somebody shows otherwise.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sealegs.nightly.change_points import ChangePoint, change_points, outlier
from sealegs.nightly.history import Gap, History
from sealegs.nightly.night import Digest
from sealegs.nightly.series import Series
from sealegs.report.words import MISSING

NEAR_NIGHTS = 1
COMMIT_CHARACTERS = 10


@dataclass(frozen=True, kw_only=True)
class Flag:
    """A series at another level since the night of `index`.

    `is_new` says that last night did not show it yet. `changed` is what of the suite and the stack differs
    between that night and the last one with a value before it, a line each.
    """

    series: Series
    index: int
    before: float
    after: float
    p: float
    is_new: bool
    is_environment: bool
    changed: tuple[str, ...]


def flags_of(history: History, series: Iterable[Series], canaries: Sequence[Series]) -> tuple[Flag, ...]:
    """The flags of some series and of the canaries, in their order."""
    suspects = [point.index for one in canaries for point in _points(one)]
    return tuple(
        Flag(
            series=one,
            index=point.index,
            before=point.before,
            after=point.after,
            p=point.p,
            is_new=not any(_is_near(point.index, old.index) for old in _points(one, without=1)),
            is_environment=any(_is_near(point.index, index) for index in suspects),
            changed=tuple(_changed(history, one, point.index)),
        )
        for one in (*series, *canaries)
        for point in _points(one)
    )


def notices_of(series: Iterable[Series]) -> tuple[Series, ...]:
    """Series whose last night stands out, and is beyond all that was seen: a notice, three make a level.

    Recovery is known to a slice of time only, so that the usual spread of a series may be nothing.
    """
    return tuple(one for one in series if outlier(one.trusted) and _is_beyond(one.trusted))


def _is_beyond(values: Sequence[float | None]) -> bool:
    """Whether the last value is above or below every one before it."""
    *before, last = [value for value in values if value is not None]
    return not min(before) <= last <= max(before)


def _points(series: Series, *, without: int = 0) -> tuple[ChangePoint, ...]:
    """Where a series changed its level, by all nights or without the last ones."""
    values = series.trusted[: len(series.values) - without]
    return change_points(values, change_min=series.change_min)


def _is_near(one: int, other: int) -> bool:
    return abs(one - other) <= NEAR_NIGHTS


def _changed(history: History, series: Series, index: int) -> Iterator[str]:
    """What differs between a night and the last one before it that has a value."""
    earlier = (at for at in range(index - 1, -1, -1) if series.trusted[at] is not None)
    at = next(earlier, None)
    before, after = (None if at is None else _run_at(history, series, at), _run_at(history, series, index))
    if before is None or after is None:
        return
    if before.commit != after.commit:
        yield f"commit {_short(before)}..{_short(after)}"
    else:
        yield f"the same commit {_short(after)}{', with uncommitted changes' if after.dirty else ''}"
    for name in sorted(before.images.keys() | after.images.keys()):
        old, new = (run.images.get(name, MISSING) for run in (before, after))
        if old != new:
            yield f"image {name}: {old} to {new}"


def _run_at(history: History, series: Series, index: int) -> Digest | None:
    """The run that a series has its value of; for what belongs to the whole night, its first one."""
    night = history.nights[index]
    if isinstance(night, Gap):
        return None
    return night.counted.get(series.scenario) or next(iter(night.runs), None)


def _short(run: Digest) -> str:
    return (run.commit or MISSING)[:COMMIT_CHARACTERS]
