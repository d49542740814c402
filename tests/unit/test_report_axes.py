"""What panels share: quantiles of steps, samples and their gaps, and lines of very many samples."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sealegs.judgement.stats import quantile
from sealegs.report import svg
from sealegs.report.axes import SAMPLE_COLUMNS_MAX, Line, binned, sampled, telling

VALUES = st.floats(0, 1e3) | st.just(float("nan"))
X = svg.Scale(low=0.0, high=100.0, start=0.0, end=1000.0)
Y = svg.Scale(low=0.0, high=10.0, start=100.0, end=0.0)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 99.9), VALUES), max_size=60), st.sampled_from([0.5, 0.95, 1.0]))
def test_a_step_has_the_quantile_of_what_lies_in_it(pairs: list[tuple[float, float]], q: float) -> None:
    """Whatever the order in which values come; a step without any has none."""
    edges = [0.0, 10.0, 50.0, 100.0]
    times_s, values = (
        (np.array(column, dtype=float) for column in zip(*pairs, strict=True)) if pairs else ([], [])
    )
    seen = binned(np.array(times_s), np.array(values), edges, q=q)

    for (start, end), found in zip(((0, 10), (10, 50), (50, 100)), seen, strict=True):
        inside = [value for t_s, value in pairs if start <= t_s < end and not np.isnan(value)]
        assert found == quantile(inside, q)


@settings(deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=30), st.integers(900, 5000))
def test_no_peak_and_no_dip_of_many_samples_is_lost(values: list[float], number: int) -> None:
    """The lowest and the highest of all are still there, and the line is bounded however many there were."""
    steps = np.resize(np.array(values), number)
    edges, kept = telling(np.arange(number + 1, dtype=float), steps)

    assert len(edges) == len(kept) + 1
    assert len(kept) <= 2 * SAMPLE_COLUMNS_MAX
    assert (np.diff(edges) > 0).all()
    assert np.isnan(kept).all() == np.isnan(steps).all()
    if not np.isnan(steps).all():
        assert (np.nanmin(kept), np.nanmax(kept)) == (np.nanmin(steps), np.nanmax(steps))


def test_few_samples_are_drawn_as_they_are() -> None:
    """Nothing is left out before it has to be."""
    edges, values = np.arange(11.0), np.arange(10.0)

    assert telling(edges, values)[1].tolist() == values.tolist()


def test_a_missing_sample_is_a_gap() -> None:
    """A value holds for a second when the next sample is late, and a sample without a value is a gap too."""
    samples = [{"t_s": t_s} for t_s in (0.0, 1.0, 10.0, 11.0)]
    line = Line(name="ready", kind="line main", values=[2.0, 2.0, 2.0, None])
    drawn = sampled(X, Y, samples, [line])

    assert 'd="M0 80H20M100 80H110"' in drawn


def test_without_samples_a_panel_says_so() -> None:
    """An empty panel would look like zero."""
    assert "nothing was sampled" in sampled(X, Y, [], [Line(name="ready", kind="line main", values=[])])
