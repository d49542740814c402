"""The nights on disk: ``reports/nightly/<date>/night.json``, read once for a page.

A night that is not there, or whose record cannot be used, is a gap with its reason: not filled, not fatal.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path

import orjson

from sealegs.nightly.night import SCHEMA, Night
from sealegs.nightly.shape import shaped

NIGHTS = Path("reports", "nightly")
RECORD = "night.json"
DAYS_MAX = 366

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A day without a night that can be used; `is_before` any night was recorded."""

    why: str
    is_before: bool = False


@dataclass(frozen=True, kw_only=True)
class History:
    """Every day from the first night on record to the one that is shown, oldest first."""

    days: tuple[date, ...]
    nights: tuple[Night | Gap, ...]

    @property
    def tonight(self) -> Night | Gap:
        """The night that is shown."""
        return self.nights[-1]

    @cached_property
    def recorded(self) -> tuple[Night, ...]:
        """The nights that can be used, oldest first."""
        return tuple(night for night in self.nights if isinstance(night, Night))

    @cached_property
    def before(self) -> Night | None:
        """The last one that can be used before the one that is shown."""
        earlier = (night for night in reversed(self.nights[:-1]) if isinstance(night, Night))
        return next(earlier, None)

    def until(self, day: date) -> "History":
        """The days up to one of them."""
        count = self.days.index(day) + 1
        return History(days=self.days[:count], nights=self.nights[:count])

    def last(self, count: int) -> "History":
        """The last days only; days before the first night are gaps."""
        missing = count - len(self.days)
        first = self.days[0]
        added = tuple(first - timedelta(days=back) for back in range(missing, 0, -1))
        none = (Gap(why="before the first night", is_before=True),) * len(added)
        return History(days=(*added, *self.days)[-count:], nights=(*none, *self.nights)[-count:])


def read_history(root: Path, *, until: date) -> History:
    """The nights under ``root/reports/nightly`` up to a date, a year of them at most."""
    since = until - timedelta(days=DAYS_MAX - 1)
    there = {day for day in dates(root) if since <= day <= until}
    first = min(there, default=until)
    days = tuple(first + timedelta(days=number) for number in range((until - first).days + 1))
    nights = tuple(
        read_night(record_of(root, day)) if day in there else Gap(why="no night was recorded") for day in days
    )
    return History(days=days, nights=nights)


def dates(root: Path) -> Iterator[date]:
    """The dates that have a night's folder."""
    for path in sorted((root / NIGHTS).glob("*")):
        if _DATE.fullmatch(path.name) and path.is_dir():
            try:
                yield date.fromisoformat(path.name)
            except ValueError:
                continue  # the 31st of a short month is nobody's night


def record_of(root: Path, day: date) -> Path:
    """Where a night's record lies."""
    return root / NIGHTS / day.isoformat() / RECORD


def write_night(root: Path, night: Night) -> None:
    """Put a night's record on disk at once, in one line: a year of them is read for each page."""
    record = record_of(root, date.fromisoformat(night.night))
    record.parent.mkdir(parents=True, exist_ok=True)
    part = record.with_name(f".{RECORD}.part")
    part.write_bytes(orjson.dumps(asdict(night)) + b"\n")
    part.replace(record)


def read_night(path: Path) -> Night | Gap:
    """A night's record, or why it cannot be used."""
    try:
        document = orjson.loads(path.read_bytes())
        return _night(document, name=path.parent.name)
    except FileNotFoundError:
        return Gap(why=f"{RECORD} is absent")
    except OSError as error:
        return Gap(why=f"{RECORD} cannot be read: {error.strerror}")
    except ValueError as error:  # not JSON, another shape, or no time where one should be
        return Gap(why=f"{RECORD} is damaged: {error}")


def _night(document: object, *, name: str) -> Night | Gap:
    """A night out of its document.

    Raises:
        ValueError: it does not have a night's shape.
    """
    schema = document.get("schema") if isinstance(document, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        return Gap(why=f"{RECORD} is of a newer sealegs (schema {schema}, this one reads {SCHEMA})")
    night = shaped(Night, document)
    moment(night.started_at)
    moment(night.seen_at)
    if night.night != name:
        return Gap(why=f"{RECORD} says it is of {night.night}")
    return night


def moment(text: str) -> datetime:
    """A time of a record. ValueError when it is none."""
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)
