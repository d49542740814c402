"""A number over the last nights: a value a day, marked where evidence cannot be trusted, absent in gaps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from sealegs.nightly.history import History
from sealegs.nightly.night import Digest, Night, Objective

NIGHTS_SHOWN = 60
# A share moves when it moves by this part of what its target lets be bad.
ALLOWANCE = 0.1
DURATION_CHANGE_MIN = 0.05
# The machine's own numbers jitter, and a flag of theirs takes the blame off the system.
CANARY_CHANGE_MIN = 0.25
CANARIES = {
    "echo_s_p99": "echo read within (p99)",
    "lag_s_p99": "sent late by (p99)",
    "stall_s_p99": "client kept waiting (p99)",
}

Unit = Literal["share", "seconds"]


@dataclass(frozen=True, kw_only=True)
class Series:
    """One value a day, None in gaps; `distrusted` are those of INVALID runs, shown and not counted.

    `scenario` is empty for what belongs to the night as a whole. `limit` is the target or the most allowed.
    """

    scenario: str
    name: str
    unit: Unit
    values: tuple[float | None, ...]
    distrusted: tuple[bool, ...]
    limit: float | None
    change_min: float

    @property
    def trusted(self) -> tuple[float | None, ...]:
        """The values that count."""
        return tuple(None if bad else value for value, bad in zip(self.values, self.distrusted, strict=True))

    @property
    def is_empty(self) -> bool:
        """Whether no night has a value."""
        return all(value is None for value in self.values)


def series_of(history: History) -> dict[str, tuple[Series, ...]]:
    """Scenario → its series in the history's nights: each objective of its newest run, TTFT, recovery.

    Negative controls have none: what a planted defect does to latency is nobody's trend.
    """
    if not history.recorded:
        return {}
    newest = history.recorded[-1]
    return {
        name: tuple(_of_scenario(history, run))
        for name, run in newest.counted.items()
        if not run.is_control and run.error is None
    }


def canary_series(history: History) -> tuple[Series, ...]:
    """What the load client measured of itself and of its machine: the worst of each night's runs."""
    found = []
    for name, told in CANARIES.items():
        values = tuple(_worst_canary(night, name) for night in history.nights)
        found.append(
            Series(
                scenario="",
                name=told,
                unit="seconds",
                values=values,
                distrusted=(False,) * len(values),
                limit=None,
                change_min=CANARY_CHANGE_MIN,
            )
        )
    return tuple(found)


def _of_scenario(history: History, newest: Digest) -> Iterator[Series]:
    runs = [
        night.counted.get(newest.scenario) if isinstance(night, Night) else None for night in history.nights
    ]

    def made(
        name: str, unit: Unit, of: Callable[[Digest], float | None], *, limit: float | None, change_min: float
    ) -> Series:
        return Series(
            scenario=newest.scenario,
            name=name,
            unit=unit,
            values=tuple(None if run is None else of(run) for run in runs),
            distrusted=tuple(run is not None and not run.valid for run in runs),
            limit=limit,
            change_min=change_min,
        )

    for one in newest.objectives:
        change_min = ALLOWANCE * (1 - one.target)
        yield made(one.name, "share", _share_of(one), limit=one.target, change_min=change_min)
        if one.sli == "ttft":
            name = f"{one.name} p95"
            yield made(name, "seconds", _p95_of(one.phase), limit=one.limit_s, change_min=DURATION_CHANGE_MIN)
    if newest.recovery is not None:
        limit_s = newest.recovery.limit_s
        yield made("recovery", "seconds", _recovery_s, limit=limit_s, change_min=DURATION_CHANGE_MIN)


def _share_of(objective: Objective) -> Callable[[Digest], float | None]:
    """The share of good ones of an objective that counts the same, in any run."""

    def of(run: Digest) -> float | None:
        same = (
            one for one in run.objectives if (one.name, one.meaning) == (objective.name, objective.meaning)
        )
        return next((one.good_share for one in same), None)

    return of


def _p95_of(phase: str) -> Callable[[Digest], float | None]:
    def of(run: Digest) -> float | None:
        return next((one.value_s for one in run.ttft if one.phase == phase and one.q == 0.95), None)  # noqa: PLR2004  as it was written

    return of


def _recovery_s(run: Digest) -> float | None:
    return run.recovery.recovery_s if run.recovery else None


def _worst_canary(night: object, name: str) -> float | None:
    runs = night.runs if isinstance(night, Night) else ()
    return max((run.canaries[name] for run in runs if name in run.canaries), default=None)
