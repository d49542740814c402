"""Trends in words and pictures: a panel for each series, and flags told together where they came together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from sealegs.nightly.flags import Flag
from sealegs.nightly.history import History
from sealegs.nightly.pictures import picture, told
from sealegs.nightly.series import Series

P_SHOWN_MIN = 1e-9


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One series with its picture."""

    name: str
    last: str
    limit: str
    drawn: Markup


@dataclass(frozen=True, kw_only=True)
class FlagRow:
    """The flags of one scenario that share a night. `since` is the first night at the new level."""

    scenario: str
    since: str
    moved: tuple[str, ...]
    p: str
    is_environment: bool
    changed: tuple[str, ...]


def panels(group: Sequence[Series], flags: Sequence[Flag]) -> list[Panel]:
    """A scenario's series as pictures; one without any value is left out."""
    return [
        Panel(
            name=one.name,
            last=told(one.values[-1], one.unit),
            limit=f"{'≥' if one.unit == 'share' else '≤'} {told(one.limit, one.unit)}" if one.limit else "",
            drawn=Markup(picture(one, [flag for flag in flags if flag.series is one])),  # noqa: S704  drawn here
        )
        for one in group
        if not one.is_empty
    ]


def flag_rows(window: History, flags: Iterable[Flag]) -> list[FlagRow]:
    """Flags in words, the newest first."""

    def together(flag: Flag) -> tuple[int, str]:
        return -flag.index, flag.series.scenario

    rows = []
    for (at, scenario), same in groupby(sorted(flags, key=together), key=together):
        found = list(same)
        rows.append(
            FlagRow(
                scenario=scenario,
                since=window.days[-at].isoformat(),
                moved=tuple(_moved(flag) for flag in found),
                p=_p(found),
                is_environment=any(flag.is_environment for flag in found),
                changed=tuple(dict.fromkeys(line for flag in found for line in flag.changed)),
            )
        )
    return rows


def notice_rows(series: Iterable[Series]) -> list[tuple[str, str]]:
    """Scenario → its series whose last night stands out, in words."""
    found: dict[str, list[str]] = {}
    for one in series:
        found.setdefault(one.scenario, []).append(f"{one.name} {told(one.values[-1], one.unit)}")
    return [(scenario, ", ".join(names)) for scenario, names in found.items()]


def _moved(flag: Flag) -> str:
    unit = flag.series.unit
    return f"{flag.series.name} {told(flag.before, unit)} → {told(flag.after, unit)}"


def _p(flags: Iterable[Flag]) -> str:
    """The least certain of some flags."""
    p = max(flag.p for flag in flags)
    return f"p = {p:.1g}" if p >= P_SHOWN_MIN else "p < 1e-9"
