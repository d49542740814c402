"""Change points are found where a level changed, and rarely where none did, on nights made up for it."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from sealegs.nightly.change_points import ChangePoint, Values, change_points, outlier

NIGHTS = 60
SHIFTED = 40
SD = 0.05

small = st.floats(0.001, 1000.0)
series = st.lists(st.none() | small, max_size=40)


def steady(rng: np.random.Generator, kind: str = "normal") -> Values:
    """60 nights about 1, spread 5 %: normal, heavy-tailed, or every twentieth 30 to 100 % too high."""
    if kind == "heavy-tailed":
        return np.asarray(1 + SD * rng.standard_t(3, NIGHTS) / np.sqrt(3))
    spikes = (rng.random(NIGHTS) < 0.05) * rng.uniform(0.3, 1.0, NIGHTS) if kind == "spiky" else 0.0
    return np.asarray(1 + SD * rng.normal(size=NIGHTS) + spikes)


def shifted(seed: int) -> Values:
    """60 nights about 1, of which those from night 40 on lie 20 % higher."""
    values = steady(np.random.default_rng(seed))
    values[SHIFTED:] *= 1.2
    return values


def as_nights(values: Values, *, missing: Values | None = None) -> list[float | None]:
    """The series as the nightly process has it; a night is missing where the draw is below 0.1."""
    if missing is None:
        return [float(value) for value in values]
    return [None if drawn < 0.1 else float(value) for value, drawn in zip(values, missing, strict=True)]


def where(values: Sequence[float | None]) -> list[int]:
    """First nights of the new levels."""
    return [one.index for one in change_points(values)]


def flags_of_all_nights(nights: Sequence[float | None]) -> list[int]:
    """What a reader saw on any night while the series grew; within 2 nights of another it is the same."""
    seen: list[int] = []
    for n in range(1, len(nights) + 1):
        seen += [index for index in where(nights[:n]) if all(abs(index - old) > 2 for old in seen)]
    return seen


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("kind", "missing"),
    [("normal", False), ("normal", True), ("heavy-tailed", False), ("spiky", False)],
)
def test_a_steady_series_is_rarely_flagged(kind: str, *, missing: bool) -> None:
    """Of 200 series that never change, all looks of 60 nights together flag fewer than 0.3 each."""
    rng = np.random.default_rng(10)
    flags = [
        flags_of_all_nights(as_nights(steady(rng, kind), missing=rng.random(NIGHTS) if missing else None))
        for _ in range(200)
    ]

    assert sum(map(len, flags)) / 200 <= 0.3


def test_a_fifth_more_is_flagged_by_the_fourth_night() -> None:
    """+20 % from night 40 on, 5 % noise: night 43 shows it in 95 of 100 series, a night off at most."""
    found = [where(as_nights(shifted(seed)[: SHIFTED + 4])) for seed in range(400)]

    assert np.mean([any(abs(index - SHIFTED) <= 1 for index in one) for one in found]) >= 0.95
    assert np.mean([len(one) > 1 for one in found]) <= 0.02


def test_the_pinned_series_is_flagged_on_night_42() -> None:
    """One flag, at the first shifted night, when three of them are there and not before; and it stays."""
    nights = as_nights(shifted(1))

    assert where(nights[:42]) == []
    for n in range(43, NIGHTS + 1):
        (found,) = change_points(nights[:n])
        assert (found.index, found.seen_at) == (SHIFTED, 42)
        assert found.before == pytest.approx(np.median(shifted(1)[:SHIFTED]))
        assert found.after == pytest.approx(np.median(shifted(1)[SHIFTED:n]))
        assert found.p <= 0.001


def test_a_level_that_came_and_went_is_two_flags() -> None:
    """A week of +30 % in the middle of 60 nights leaves no good single split, and is found all the same."""
    found = []
    for seed in range(100):
        values = steady(np.random.default_rng(seed))
        values[28:35] *= 1.3
        found.append(where(as_nights(values)))

    assert np.mean([one == [28, 35] for one in found]) >= 0.9


@pytest.mark.parametrize("odd", [[30], [30, 31], [58, 59], [57, 59], [20, 30, 40, 50, 59]])
def test_nights_fewer_than_a_level_are_none(odd: list[int]) -> None:
    """One or two nights of three times the latency, wherever they stand, are not a level."""
    values = steady(np.random.default_rng(3))
    values[odd] *= 3

    assert where(as_nights(values)) == []


def test_the_known_step_has_its_numbers() -> None:
    """1, 2, 3 and 11, 12, 13 around a gap: t of 10 over sqrt(2/3), 4 degrees, one place to stand."""
    (found,) = change_points([1.0, None, 2.0, 3.0, None, 11.0, 12.0, None, 13.0], p_max=0.01)

    assert found == ChangePoint(index=5, before=2.0, after=12.0, p=found.p, seen_at=8)
    assert found.p == pytest.approx(2.552e-4, rel=1e-3)


def test_p_counts_the_places_where_a_step_could_stand() -> None:
    """Twelve nights have 7 places: 7 times what scipy's t-test says of the right one."""
    before, after = [9.0, 10.0, 11.0] * 2, [14.0, 15.0, 16.0] * 2
    (found,) = change_points(before + after)

    assert found.p == pytest.approx(7 * ttest_ind(before, after).pvalue)


@pytest.mark.parametrize(("change", "flagged"), [(0.04, False), (0.06, True), (-0.04, False), (-0.06, True)])
def test_a_change_too_small_to_matter_is_none(change: float, *, flagged: bool) -> None:
    """Without noise any step is certain; it is a flag from 5 % of the level before it on."""
    for level in (0.5, -0.5):
        assert bool(where([level] * 10 + [level * (1 + change)] * 10)) == flagged


def test_a_change_within_the_noise_is_none() -> None:
    """A step of 10 % is certain after 400 nights, yet less than from one night to the next: no flag."""
    rng = np.random.default_rng(4)
    noise = rng.normal(size=800)
    step = np.repeat([1.0, 1.1], 400)

    assert where(as_nights(step + 0.2 * noise)) == []
    assert where(as_nights(step + 0.02 * noise)) == [400]


@pytest.mark.parametrize(
    "values",
    [[], [1.0], [1.0, 2.0], [None] * 60, [0.0] * 60, [1.0] * 60, [0.1] * 60, [1.0] * 59 + [0.5]],
    ids=["none", "one", "two", "all missing", "zeros", "all good", "a tenth", "one bad night"],
)
def test_nothing_to_see_is_nothing(values: list[float | None]) -> None:
    """Series without noise, without values or too short have no change point."""
    assert change_points(values) == ()


def test_a_share_that_leaves_1_is_flagged() -> None:
    """No noise before and none after: the third night of it shows."""
    nights = [1.0] * 20 + [0.9] * 3

    assert where(nights[:22]) == []
    assert change_points(nights) == (ChangePoint(index=20, before=1.0, after=0.9, p=0.0, seen_at=22),)


def test_counts_that_are_mostly_0_are_rarely_flagged() -> None:
    """A few odd nights close together are no certainty where all the others are equal."""
    rng = np.random.default_rng(3)
    found = [where(as_nights(rng.poisson(0.3, NIGHTS).astype(float))) for _ in range(200)]

    assert sum(map(len, found)) / 200 <= 0.05


def moved(found: tuple[ChangePoint, ...], nights: list[int]) -> list[ChangePoint]:
    """The same change points, each night renamed to what it is in another series."""
    return [
        ChangePoint(
            index=nights[one.index], before=one.before, after=one.after, p=one.p, seen_at=nights[one.seen_at]
        )
        for one in found
    ]


def step_of(seed: int, size: float, at: int) -> list[float]:
    """30 nights about 1, those from `at` on about `size`."""
    noise = SD * np.random.default_rng(seed).normal(size=30)
    return [float(value) for value in noise + np.where(np.arange(30) < at, 1.0, size)]


steps = st.builds(step_of, st.integers(0, 1000), st.floats(0.5, 2.0), st.integers(3, 27))


@given(steps | st.lists(small, max_size=40), st.data())
@settings(max_examples=60, deadline=None)
def test_gaps_change_nothing_but_the_count_of_nights(values: list[float], data: st.DataObject) -> None:
    """Missing nights put anywhere make no flag, take none and leave every number of it."""
    gaps = data.draw(st.lists(st.integers(0, 3), min_size=len(values), max_size=len(values)))
    nights: list[float | None] = []
    places: list[int] = []
    for value, gap in zip(values, gaps, strict=True):
        nights += [None] * gap + [value]
        places.append(len(nights) - 1)

    assert list(change_points(nights)) == moved(change_points(values), places)


@given(steps, st.floats(0.001, 1000.0))
@settings(max_examples=60, deadline=None)
def test_the_unit_changes_nothing_but_the_levels(values: list[float], unit: float) -> None:
    """Seconds or milliseconds: the same nights and p, levels in the new unit."""
    found = change_points(values)
    scaled = change_points([unit * value for value in values])

    assert [(one.index, one.seen_at) for one in scaled] == [(one.index, one.seen_at) for one in found]
    for one, other in zip(found, scaled, strict=True):
        assert (other.p, other.before, other.after) == pytest.approx(
            (one.p, unit * one.before, unit * one.after), rel=1e-6
        )


@given(steps | st.lists(small, max_size=40))
@settings(max_examples=60, deadline=None)
def test_the_sign_changes_nothing_but_the_levels(values: list[float]) -> None:
    """What is found of a rise is found of the same fall."""
    mirrored = change_points([-value for value in values])

    assert [(one.index, -one.before, -one.after, one.p) for one in mirrored] == [
        (one.index, one.before, one.after, one.p) for one in change_points(values)
    ]


@given(series | steps, st.integers(2, 6))
@settings(max_examples=60, deadline=None)
def test_a_flag_keeps_its_limits(values: list[float | None], segment_min: int) -> None:
    """Every level has its nights, every step its size and p, and `seen_at` is the last night it needs."""
    found = change_points(values, segment_min=segment_min)
    edges = [0, *(one.index for one in found), len(values)]

    for start, one, end in zip(edges, found, edges[2:], strict=False):
        before = [value for value in values[start : one.index] if value is not None]
        after = [value for value in values[one.index : end] if value is not None]
        assert (one.before, one.after) == (np.median(before), np.median(after))
        assert min(len(before), len(after)) >= segment_min
        assert abs(one.after - one.before) >= 0.05 * abs(one.before)
        assert 0 <= one.p <= 0.001
        needed = [value for value in values[one.index : one.seen_at + 1] if value is not None]
        assert len(needed) == segment_min
        assert values[one.seen_at] is not None


def test_all_that_is_wrong_is_said_at_once() -> None:
    """A value that is no number and limits without sense are the caller's mistakes."""
    with pytest.raises(ValueError, match=r"night 1 is nan.*night 2 is inf.*p_max.*segment_min.*change_min"):
        change_points([1.0, float("nan"), float("inf")], p_max=0.0, segment_min=1, change_min=-0.1)


TEN = [9.0, 10.0, 11.0, 10.0, 9.5, 10.5, 10.0]


@pytest.mark.parametrize(
    ("values", "odd"),
    [
        ([*TEN, 13.5], True),
        ([*TEN, 6.5], True),
        ([*TEN, 12.5], False),
        ([*TEN, 13.5, None], False),
        ([None, *TEN, None, 13.5], True),
        ([*TEN[:6], 13.5], False),
        ([1.0] * 14 + [1.09], False),
        ([1.0] * 14 + [1.11], True),
        ([0.0] * 14 + [0.0], False),
        ([5.0] * 30 + [1.0] * 14 + [5.0], True),
        ([None] * 30, False),
        ([], False),
    ],
)
def test_a_night_stands_out_or_not(values: list[float | None], *, odd: bool) -> None:
    """Beyond 4 sigmas, here 4 x 1.4826 x 0.5 = 2.97, and beyond 10 %; 14 nights count, 7 are needed."""
    assert outlier(values) == odd
