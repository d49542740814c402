"""What was recorded comes back as promtool reads it."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

HOME = Path(__file__).parents[2] / "stack" / "monitoring"
Made = Any  # a module loaded from a file: nothing states its types
START_S, STEP_S = 1_790_000_000.0, 5


@pytest.fixture(scope="module")
def record() -> Iterator[Any]:
    """The program, which is run by path and not part of the package."""
    sys.path.insert(0, str(HOME))
    yield importlib.import_module("record")
    sys.path.remove(str(HOME))


def expanded(values: str) -> list[str | None]:
    """Samples of promtool's notation, as its documentation has it; a gap and a series' end are None."""
    samples: list[str | None] = []
    for word in values.split():
        value, _, more = word.partition("x")
        if value == "_":
            samples += [None] * int(more)
        else:
            samples += [None if value == "stale" else value] * (int(more or 0) + 1)
    return samples


@given(samples=st.lists(st.sampled_from([None, "0", "1", "2.5", "NaN", "+Inf"]), min_size=1, max_size=40))
def test_every_sample_stands_where_it_was(record: Made, samples: list[str | None]) -> None:
    """Expanding the recorded values gives the samples back, each at its step."""
    there = [[START_S + STEP_S * at, value] for at, value in enumerate(samples) if value is not None]
    matrix = [{"metric": {"__name__": "up", "job": "a"}, "values": there}]
    end_s = START_S + STEP_S * (len(samples) - 1)

    (series,) = record.input_series(matrix, start_s=START_S, end_s=end_s, step_s=STEP_S)

    assert expanded(series["values"]) == samples


def test_a_series_that_ends_says_so(record: Made) -> None:
    """A gap after a value begins with its end, one before any value does not, and quotes are kept."""
    labels = {"__name__": "kube_pod_status_phase", "pod": "a", "phase": 'the "last"'}
    matrix = [{"metric": labels, "values": [[START_S + 5, "1"], [START_S + 10, "1"]]}]

    (series,) = record.input_series(matrix, start_s=START_S, end_s=START_S + 20, step_s=STEP_S)

    assert series == {
        "series": 'kube_pod_status_phase{phase="the \\"last\\"",pod="a"}',
        "values": "_x1 1x1 stale _x1",
    }
