"""The page of a night: one file, from the records of this night and of those before it and nothing else."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from sealegs.errors import ScenarioError
from sealegs.nightly import ledger, rows
from sealegs.nightly.changes import changes_of, failing
from sealegs.nightly.flags import flags_of, notices_of
from sealegs.nightly.freshness import freshness_of
from sealegs.nightly.history import NIGHTS, Gap, History, dates, moment, read_history
from sealegs.nightly.night import Night
from sealegs.nightly.panels import flag_rows, notice_rows, panels
from sealegs.nightly.pictures import tally
from sealegs.nightly.series import NIGHTS_SHOWN, Series, canary_series, series_of
from sealegs.report.words import MISSING, SIGNS, count, duration, seconds, share

PAGE = "index.html"
PAGES_KEPT = 60


def render(root: Path, *, night: date | None = None, now: datetime | None = None) -> Path:
    """Draw a night's page, the newest one's by default, and the list of all nights; returns the page.

    The same records give the same bytes: ages count to `now`, which is the night's own end by default. Pages
    are kept for a while and records for good, for pages are most of the bytes and can be drawn again.

    Raises:
        ScenarioError: there is no such night's folder.
    """
    there = list(dates(root))
    if not there or (night is not None and night not in there):
        wanted = night or "any night"
        raise ScenarioError(
            [f"{root / NIGHTS}:1: no folder of {wanted} here: `sealegs nightly run` makes one"]
        )
    everything = read_history(root, until=max(there))
    shown = everything.until(night or max(there))
    page = root / NIGHTS / shown.days[-1].isoformat() / PAGE
    page.write_text(_drawn("page", _shown(shown, root=root, now=now)), encoding="utf-8")
    _forget(root, before=everything.last(PAGES_KEPT).days[0])
    (root / NIGHTS / PAGE).write_text(_drawn("list", _listed(everything, root=root)), encoding="utf-8")
    return page


def _forget(root: Path, *, before: date) -> None:
    """Pages of older nights are gone. Their records stay, and `render` draws any of them again."""
    for day in dates(root):
        if day < before:
            (root / NIGHTS / day.isoformat() / PAGE).unlink(missing_ok=True)


def _drawn(template: str, values: dict[str, Any]) -> str:
    """A template filled in."""
    here, run_page = files(__package__), files("sealegs.report")
    names = ("page", "list", "parts")
    environment = Environment(
        loader=DictLoader({name: (here / f"{name}.html.j2").read_text(encoding="utf-8") for name in names}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(seconds=seconds, share=share)
    # The colours and tables of the page of a run, and what only this page has.
    style = "".join((place / "page.css").read_text(encoding="utf-8") for place in (run_page, here))
    return environment.get_template(template).render(values, signs=SIGNS, style=Markup(style))  # noqa: S704  ours


def _shown(history: History, *, root: Path, now: datetime | None) -> dict[str, Any]:
    """Everything that the page prints."""
    tonight, day = history.tonight, history.days[-1]
    night = tonight if isinstance(tonight, Night) else _unread(day)
    window = history.last(NIGHTS_SHOWN)
    series, canaries = series_of(window), canary_series(window)
    ours = [one for group in series.values() for one in group]
    flags = flags_of(window, ours, canaries)
    at = now or moment(night.seen_at)
    checks, wrong = rows.false_alarms(night)
    controls = rows.scenario_rows(history, night, root=root, controls=True)
    return {
        "night": night,
        "word": "INVALID" if isinstance(tonight, Gap) else night.word,
        "unread": tonight.why if isinstance(tonight, Gap) else "",
        "tally": tally([one.counts_as for one in night.counted.values() if not one.is_control]),
        "lasted": _lasted(night),
        "at": f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "freshness": freshness_of(history, now=at),
        "stacks": _stacks(night),
        "before": history.before,
        "changes": changes_of(history),
        "new_flags": flag_rows(window, (one for one in flags if one.is_new)),
        "flags": flag_rows(window, flags),
        "notices": notice_rows(notices_of(_unexplained(ours, night))),
        "scenarios": rows.scenario_rows(history, night, root=root, controls=False),
        "controls": controls,
        "caught": sum(one.word == "PASS" for one in controls),
        "strip_nights": rows.STRIP_NIGHTS,
        "nights_shown": NIGHTS_SHOWN,
        "trends": {name: panels(group, flags) for name, group in sorted(series.items())},
        "canaries": panels(canaries, flags),
        "ledger": ledger.entries(history.recorded),
        "unseen_nights_max": ledger.UNSEEN_NIGHTS_MAX,
        "decided": checks,
        "wrong": f"{wrong:.2g}",
        "series": len(ours),
        "gaps": _gaps(window),
    }


def _unexplained(series: Iterable[Series], night: Night) -> Iterator[Series]:
    """The series but those of claims that fail tonight: that stands on the page already."""
    for one in series:
        run = night.counted.get(one.scenario)
        if run is None or one.name not in failing(run):
            yield one


def _unread(day: date) -> Night:
    """What stands for a night whose record cannot be used."""
    ended = datetime.combine(day, time.max, tzinfo=UTC).replace(microsecond=0)
    return Night(
        schema=1, night=day.isoformat(), started_at=ended.isoformat(), ended_at=ended.isoformat(), runs=()
    )


def _lasted(night: Night) -> str:
    """How long a night took."""
    if night.ended_at is None:
        return "not seen to end"
    return duration((moment(night.ended_at) - moment(night.started_at)) / timedelta(seconds=1))


def _stacks(night: Night) -> list[str]:
    """The commits and images that a night's runs were of, each once."""
    found: dict[str, None] = {}
    for run in night.runs:
        if run.run_id is not None:
            dirty = " with uncommitted changes" if run.dirty else ""
            found[f"commit {(run.commit or MISSING)[:12]}{dirty}"] = None
    images = {
        f"{name} {value}" for run in night.runs if not run.is_control for name, value in run.images.items()
    }
    return [*found, *sorted(images)]


def _gaps(window: History) -> list[tuple[str, str]]:
    """Reason → the days of gaps since the first night, in words."""
    found: dict[str, list[str]] = {}
    for day, night in zip(window.days, window.nights, strict=True):
        if isinstance(night, Gap) and not night.is_before:
            found.setdefault(night.why, []).append(day.isoformat())
    return [(why, ", ".join(days)) for why, days in found.items()]


def _listed(history: History, *, root: Path) -> dict[str, Any]:
    """Every night, the newest first."""
    nights: list[dict[str, Any]] = []
    for day, night in zip(reversed(history.days), reversed(history.nights), strict=True):
        page = Path(day.isoformat(), PAGE)
        named = {"name": day.isoformat(), "href": page.as_posix() if (root / NIGHTS / page).is_file() else ""}
        if isinstance(night, Gap):
            nights.append(named | {"word": None, "told": night.why})
        else:
            words = [one.counts_as for one in night.counted.values()]
            nights.append(named | {"word": night.word, "told": tally(words)})
    return {"nights": nights, "counted": count(len(history.recorded), "night")}
