"""Nights on disk: what is read is what was written, and what cannot be read is a gap with its reason."""

import json
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.made_nights import TONIGHT, Made, make_nights

from sealegs.nightly.history import Gap, History, read_history, read_night, record_of
from sealegs.nightly.night import Night
from sealegs.nightly.page import render

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def history(root: Path) -> History:
    """All nights up to tonight."""
    return read_history(root, until=TONIGHT)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five nights of one scenario."""
    make_nights(tmp_path, count=5)
    return tmp_path


def test_a_night_is_read_as_it_was_written(root: Path) -> None:
    """Nothing of a record is lost or changed on its way back."""
    night = read_night(record_of(root, TONIGHT))

    assert isinstance(night, Night)
    assert night.runs[0] == read_night(record_of(root, TONIGHT)).runs[0]  # type: ignore[union-attr]
    assert night.counted["scenario-01"].objectives[0].n == 520
    assert night.counted["scenario-01"].states == {"drain-with-streams": 11, "refused-eviction": 1}


def test_a_missing_night_is_a_gap_between_its_neighbours(root: Path) -> None:
    """Every day has its place: a night that is not there is not closed up, nor filled from the one before."""
    record_of(root, TONIGHT - timedelta(days=2)).unlink()
    record_of(root, TONIGHT - timedelta(days=2)).parent.rmdir()

    found = history(root)

    assert found.days == tuple(TONIGHT - timedelta(days=back) for back in (4, 3, 2, 1, 0))
    assert [isinstance(night, Gap) for night in found.nights] == [False, False, True, False, False]


def test_days_before_the_first_night_are_gaps_too(root: Path) -> None:
    """A window longer than the history begins with gaps, and ends tonight."""
    window = history(root).last(8)

    assert len(window.days) == len(window.nights) == 8
    assert [isinstance(night, Gap) and night.is_before for night in window.nights] == [True] * 3 + [False] * 5
    assert window.days[-1] == TONIGHT


def newer(document: dict[str, Any]) -> None:
    """Written by a later sealegs."""
    document["schema"] = 99


def without_runs(document: dict[str, Any]) -> None:
    """A key is gone."""
    del document["runs"]


def unknown_word(document: dict[str, Any]) -> None:
    """A verdict that nobody knows."""
    document["runs"][0]["verdict"] = "FINE"


def half_a_request(document: dict[str, Any]) -> None:
    """A count that is none."""
    document["runs"][0]["objectives"][0]["n"] = 0.5


def no_time(document: dict[str, Any]) -> None:
    """A time that is none."""
    document["started_at"] = "yesterday"


def another_night(document: dict[str, Any]) -> None:
    """A folder that was copied."""
    document["night"] = "2026-01-01"


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (newer, "newer sealegs (schema 99, this one reads 1)"),
        (without_runs, "an object with runs"),
        (unknown_word, "runs.verdict is not one of"),
        (half_a_request, "runs.objectives.n is not a whole number"),
        (no_time, "damaged"),
        (another_night, "says it is of 2026-01-01"),
    ],
)
def test_a_record_that_cannot_be_used_is_a_gap_that_says_why(
    root: Path, harm: Callable[[dict[str, Any]], None], reason: str
) -> None:
    """A harmed record, in the past or tonight, costs its own night and no other, and the page names it."""
    for day in (TONIGHT - timedelta(days=2), TONIGHT):
        record = record_of(root, day)
        document = json.loads(record.read_bytes())
        harm(document)
        record.write_text(json.dumps(document))

        night = read_night(record)

        assert isinstance(night, Gap)
        assert reason in night.why
        assert night.why in unescape(render(root).read_text())
    assert sum(isinstance(night, Gap) for night in history(root).nights) == 2


@settings(deadline=None, max_examples=50)
@given(value=PLAIN, at=st.sampled_from(["", "runs", "schema", "started_at", "objectives", "counts"]))
def test_any_document_is_a_night_or_a_gap(
    tmp_path_factory: pytest.TempPathFactory, value: object, at: str
) -> None:
    """Whatever JSON stands in a record or in one of its places, reading it raises nothing."""
    root = tmp_path_factory.mktemp("any")
    make_nights(root, count=1)
    record = record_of(root, TONIGHT)
    document = json.loads(record.read_bytes())
    if at in document:
        document[at] = value
    elif at:
        document["runs"][0][at] = value
    record.write_text(json.dumps(document if at else value))

    assert isinstance(read_night(record), Night | Gap)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"schema": NaN}'])
def test_what_is_not_json_is_a_gap(root: Path, content: bytes) -> None:
    """Torn, empty, binary or hostile bytes are damage, not an error."""
    record = record_of(root, TONIGHT)
    record.write_bytes(content)

    night = read_night(record)

    assert isinstance(night, Gap)
    assert "damaged" in night.why


def test_folders_that_are_no_nights_are_let_alone(root: Path) -> None:
    """Only folders named by a date that exists are nights."""
    for name in ("2026-02-31", "notes", "2026-11-2"):
        (record_of(root, TONIGHT).parents[1] / name).mkdir()

    assert len(history(root).recorded) == 5


def test_a_record_is_one_line_of_json(root: Path) -> None:
    """A year of records is read for each page: no byte is spent on looks."""
    content = record_of(root, TONIGHT).read_bytes()

    assert content == orjson.dumps(orjson.loads(content)) + b"\n"


def test_the_plan_of_made_nights_is_kept(tmp_path: Path) -> None:
    """The generator that these tests stand on makes what it is told: a scenario left out is not there."""
    make_nights(
        tmp_path,
        count=2,
        scenarios=2,
        plan=lambda name, ago: None if (name, ago) == ("scenario-02", 0) else Made(),
    )

    assert [len(night.runs) for night in history(tmp_path).recorded] == [3, 2]
