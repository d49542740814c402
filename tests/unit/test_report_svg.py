"""Drawing in text and numbers in words: small pure functions."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealegs.report import svg
from sealegs.report.interval import floor_of, interval_bar
from sealegs.report.words import duration, seconds, share, since


@given(st.floats(1e-6, 1e6), st.integers(1, 50))
def test_steps_are_round_and_about_as_many_as_asked(span: float, count: int) -> None:
    """1, 2 or 5 times a power of ten, and never more steps than asked for."""
    step = svg.nice_step(span, count=count)

    assert f"{step:e}"[0] in "125"
    assert count / 2.6 <= span / step <= count * (1 + 1e-9)


def test_ticks_lie_on_the_axis() -> None:
    """They begin at or after its start and end at or before its end."""
    assert svg.ticks(18.0, 61.0, count=5) == [20.0, 30.0, 40.0, 50.0, 60.0]


def test_a_gap_is_drawn_as_a_gap() -> None:
    """The pen is lifted where a value is missing, in steps and in lines."""
    assert svg.path_steps([0, 1, 2, 3], [5.0, None, 7.0]) == "M0 5H1M2 7H3"
    assert svg.path_line([(0, 0), (1, 1), None, (3, 3), (4, 4)]) == "M0 0L1 1M3 3L4 4"


@given(st.lists(st.floats(0, 100), min_size=1, max_size=5))
def test_labels_are_moved_apart(places: list[float]) -> None:
    """Each keeps its gap to the next and its rank."""
    moved = svg.spread(places, gap=10.0, low=0.0, high=100.0)
    order = sorted(range(len(places)), key=lambda index: places[index])

    assert [sorted(moved).index(moved[index]) for index in order] == list(range(len(places)))
    for before, after in pairwise(order):
        assert moved[after] - moved[before] >= 10.0 - 1e-9


def test_outside_stays_on_the_edge() -> None:
    """Nothing is drawn outside its panel."""
    x = svg.Scale(low=1.0, high=100.0, start=0.0, end=50.0, log=True)

    assert [x(value) for value in (0.0, 1.0, 10.0, 100.0, 1e9)] == pytest.approx([0, 0, 25, 50, 50])


def test_a_share_is_never_rounded_up() -> None:
    """One bad among many is not shown as all good."""
    assert [share(value) for value in (1.0, 0.99999, 0.985, 0.5, 0.0, None)] == [
        "100 %",
        "99.99 %",
        "98.5 %",
        "50 %",
        "0 %",
        "\N{EN DASH}",
    ]


def test_times_are_said_in_three_digits() -> None:
    """Milliseconds below a tenth, two decimals below ten, one above; moments have a sign."""
    assert [seconds(value) for value in (0.0, 0.0421, 0.5, 12.34, 60.0, float("nan"))] == [
        "0 s",
        "42 ms",
        "0.50 s",
        "12.3 s",
        "60 s",
        "\N{EN DASH}",
    ]
    assert [since(value) for value in (-2.5, 0.05, 31.5)] == ["\N{MINUS SIGN}2.5 s", "+0.05 s", "+31.5 s"]
    assert [duration(value) for value in (59.4, 192.0)] == ["59 s", "3 min 12 s"]


def test_a_bar_says_in_words_what_it_shows() -> None:
    """Bounds and target are in its label; without requests it says that."""
    decided = {"n": 100, "bound_low": 0.941, "bound_high": 0.999, "good_share": 0.98, "target": 0.95}
    none = decided | {"n": 0, "good_share": None}

    assert 'aria-label="Between 94.1 % and 99.9 % good, target 95 %."' in interval_bar(decided, floor=0.9)
    assert 'aria-label="No request to judge by."' in interval_bar(none, floor=0.9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_all_bars_begin_below_what_they_show(lows: list[float]) -> None:
    """The common start is a share below every bound and target."""
    floor = floor_of([{"n": 1, "bound_low": low, "target": 0.99} for low in lows])

    assert 0.0 <= floor <= min(lows)
