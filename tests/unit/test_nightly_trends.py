"""Series, flags and pictures: gaps stay gaps, what cannot be trusted does not count, flags say since when."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.made_nights import TONIGHT, Made, make_nights

from sealegs.nightly.flags import Flag, flags_of
from sealegs.nightly.history import Gap, History, read_history, record_of
from sealegs.nightly.pictures import line, picture, strip
from sealegs.nightly.series import Series, canary_series, series_of

PLACES = st.lists(st.none() | st.tuples(st.just(0), st.integers(-60, 60)), min_size=1, max_size=30).map(
    lambda places: [None if one is None else (4 * at, one[1]) for at, one in enumerate(places)]
)
P95 = "ttft-baseline p95"


def window(root: Path, nights: int = 60) -> History:
    """The last nights."""
    return read_history(root, until=TONIGHT).last(nights)


def series(root: Path, name: str, nights: int = 60) -> Series:
    """One series of the first scenario."""
    return next(one for one in series_of(window(root, nights))["scenario-01"] if one.name == name)


def flags(root: Path) -> dict[str, Flag]:
    """Name → the last flag of a series of the first scenario."""
    shown = window(root)
    found = flags_of(shown, series_of(shown)["scenario-01"], canary_series(shown))
    return {one.series.name: one for one in found}


def vertices(path: str) -> list[list[tuple[int, int]]]:
    """The lines that path data draws: their points, worked out by another reading of the same text."""
    found: list[list[tuple[int, int]]] = []
    for command, numbers in re.findall(r"([MlhA-Z])([^A-Za-z]*)", path):
        values = [int(one) for one in re.findall(r"-?\d+", numbers)]
        if command == "M":
            found.append([(values[0], values[1])])
        else:
            x, y = found[-1][-1]
            found[-1].append((x + values[0], y + (values[1] if command == "l" else 0)))
    return found


@given(places=PLACES)
def test_a_line_has_the_points_it_was_given_and_no_other(places: list[tuple[int, int] | None]) -> None:
    """Relative moves lead through every point, and the pen is up over every gap."""
    drawn = vertices(line(places))
    runs: list[list[tuple[int, int]]] = [[]]
    for place in places:
        if place is None:
            runs.append([])
        else:
            runs[-1].append(place)
    expected = [run for run in runs if run]

    assert [(one[0], one[-1]) for one in drawn] == [(run[0], run[-1]) for run in expected]
    for one, run in zip(drawn, expected, strict=True):
        assert set(one) <= set(run)
        assert [place for place in run if place in one or _is_within_level(place, run)] == run


def _is_within_level(place: tuple[int, int], run: list[tuple[int, int]]) -> bool:
    """Whether a point lies between two of its own height, so that a level line goes through it."""
    at = run.index(place)
    return 0 < at < len(run) - 1 and run[at - 1][1] == place[1] == run[at + 1][1]


@settings(deadline=None, max_examples=20)
@given(absent=st.sets(st.integers(0, 19), max_size=12))
def test_a_night_without_a_run_has_no_value(
    absent: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever nights are missing, those and only those have no value, in every series."""
    root = tmp_path_factory.mktemp("gaps")
    make_nights(root, count=20, plan=lambda _, ago: None if ago in absent - {0} else Made())

    for one in series_of(window(root, 20))["scenario-01"]:
        assert [19 - at for at, value in enumerate(one.values) if value is None] == sorted(
            absent - {0}, reverse=True
        )


def test_a_damaged_night_is_a_gap_in_every_series(tmp_path: Path) -> None:
    """What cannot be read is not carried over from the night before."""
    make_nights(tmp_path, count=10)
    record_of(tmp_path, TONIGHT - timedelta(days=3)).write_text("{")

    assert isinstance(window(tmp_path, 10).nights[-4], Gap)
    assert [value is None for value in series(tmp_path, P95, 10).values] == [False] * 6 + [True] + [False] * 3


def test_an_invalid_night_is_hollow_and_does_not_count(tmp_path: Path) -> None:
    """It is drawn as a circle; the detector does not get it, however far off it is."""
    make_nights(tmp_path, count=40, plan=lambda _, ago: Made(slow=3.0, valid=False) if ago < 5 else Made())
    one = series(tmp_path, P95, 40)

    assert one.distrusted == (False,) * 35 + (True,) * 5
    assert one.trusted[-5:] == (None,) * 5
    assert picture(one, ()).count("a2.2") == 2 * 5
    assert P95 not in flags(tmp_path)


def moved(name: str, ago: int) -> Made:
    """Slower by a third since nine nights, by another commit."""
    del name
    return Made(slow=1.33 if ago < 9 else 1.0, commit=("b" if ago < 9 else "a") * 40)


def test_a_flag_says_since_which_night_and_commit(tmp_path: Path) -> None:
    """A third slower: the night, both levels, and the range of commits and images, across a gap too."""
    make_nights(tmp_path, count=60, plan=lambda name, ago: None if ago in {9, 10} else moved(name, ago))

    flag = flags(tmp_path)[P95]

    assert window(tmp_path).days[flag.index] == TONIGHT - timedelta(days=8)
    assert 1.2 < flag.after / flag.before < 1.45
    assert flag.changed[0] == "commit aaaaaaaaaa..bbbbbbbbbb"
    assert flag.changed[1] == f"image llm-api: sealegs/llm-api:{'a' * 12} to sealegs/llm-api:{'b' * 12}"
    assert not flag.is_environment


def test_a_steady_series_has_no_flag(tmp_path: Path) -> None:
    """Sixty nights of the usual noise: nothing is flagged."""
    make_nights(tmp_path, count=60)

    assert flags(tmp_path) == {}


def test_a_flag_beside_one_of_a_canary_is_the_environments(tmp_path: Path) -> None:
    """The echo of the machine itself took twice as long since the same night: the label says so."""
    make_nights(
        tmp_path, count=60, plan=lambda name, ago: replace(moved(name, ago), canary=2.0 if ago < 9 else 1.0)
    )

    found = flags(tmp_path)

    assert found[P95].is_environment
    assert "environment" in picture(found[P95].series, [found[P95]])


def test_a_flag_is_new_once(tmp_path: Path) -> None:
    """The night that makes it certain shows it as new; the nights after do not."""

    def slow_since_50(nights: int) -> Callable[[str, int], Made]:
        return lambda _, ago: Made(slow=1.5 if nights - ago > 50 else 1.0)

    news = []
    for nights in range(50, 61):
        root = tmp_path / str(nights)
        make_nights(root, count=nights, plan=slow_since_50(nights))
        flag = flags(root).get(P95)
        news.append(flag.is_new if flag else None)

    assert news[0] is None
    assert news.count(True) == 1
    assert news[-1] is False


def test_another_limit_begins_another_series(tmp_path: Path) -> None:
    """Shares of another limit are not of the same thing: nights that counted otherwise are gaps."""
    make_nights(tmp_path, count=4)
    record = record_of(tmp_path, TONIGHT - timedelta(days=1))
    record.write_text(record.read_text().replace('"limit_s":1.0', '"limit_s":0.5'))

    assert [value is None for value in series(tmp_path, "ttft-baseline", 4).values] == [
        False,
        False,
        True,
        False,
    ]


def test_a_strip_says_its_signs_in_words() -> None:
    """Not colour alone: a sign each, and the same in words for those who do not see it."""
    drawn = strip(["PASS", "PASS", None, "FAIL", "INVALID"])

    assert re.sub(r"<[^>]+>", "", drawn) == "✓✓·✗!"
    assert 'aria-label="5 nights: 2 PASS, 1 without, 1 FAIL, 1 INVALID"' in drawn
