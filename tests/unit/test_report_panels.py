"""Panels of runs that are not like most: very many requests or failures, a mesh that did something."""

import dataclasses
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.golden.make_run import make_run

from sealegs.judge import judge
from sealegs.judgement.fates import Fates
from sealegs.report import svg
from sealegs.report.capacity import mesh
from sealegs.report.latency import DOTS_MAX, first_tokens
from sealegs.report.panels import CLASSES_MAX, STROKES_MAX, failures
from sealegs.report.reading import Reading, read
from sealegs.report.timeline import timeline

X = svg.Scale(low=20.0, high=212.0, start=52.0, end=868.0)
BYTES_MAX = 150_000
TIMES = 100


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Reading:
    """A run in which the drained engine cut its streams."""
    run_dir = make_run(tmp_path_factory.mktemp("runs"), case="fail-truncated")
    judge(run_dir)
    return read(run_dir)


def chosen(fates: Fates, places: npt.NDArray[np.int64]) -> Fates:
    """The fates at some places, over and over if they are."""
    names = [field.name for field in dataclasses.fields(Fates)]
    arrays: dict[str, Any] = {
        name: value[places] for name in names if isinstance(value := getattr(fates, name), np.ndarray)
    }
    return dataclasses.replace(fates, **arrays)


def with_fates(reading: Reading, fates: Fates) -> Reading:
    """The same run with other requests."""
    return dataclasses.replace(reading, fates=fates)


def test_a_run_of_very_many_requests_is_drawn_in_bounds(reading: Reading) -> None:
    """A hundred times the requests, a third of them failed in a dozen ways: the drawing does not grow."""
    fates = chosen(reading.fates, np.repeat(np.arange(len(reading.fates.outcome)), TIMES))
    fates.outcome[::3] = "ok"
    fates.outcome[1::3] = [f"http_{number % 12}" for number in range(len(fates.outcome[1::3]))]
    many = with_fates(reading, fates)
    drawn = timeline(many).drawing

    assert len(drawn) < BYTES_MAX
    assert f"failed {int((~many.ok).sum()):,}" in drawn


def test_many_failures_are_counted_in_shades(reading: Reading) -> None:
    """Few are strokes, one for each; many are a picture for each class; classes too many are said."""
    fates = chosen(reading.fates, np.repeat(np.flatnonzero(~reading.ok), TIMES))
    few, many = failures(reading, X), failures(with_fates(reading, fates), X)
    fates.outcome[:] = [f"kind_{number % 11:02d}" for number in range(len(fates.outcome))]
    kinds = failures(with_fates(reading, fates), X)

    assert few.body.count("v10") == int((~reading.ok).sum()) <= STROKES_MAX
    assert "<image" not in few.body
    assert many.body.count("<image") == 1
    assert "v10" not in many.body
    assert kinds.body.count("<image") == CLASSES_MAX
    assert "3 more classes not drawn" in kinds.title
    assert "kind_10" in kinds.said


def test_few_requests_are_dots_and_many_a_map(reading: Reading) -> None:
    """Each request that was answered has its dot, until they would lie on each other."""
    few = with_fates(reading, chosen(reading.fates, np.arange(DOTS_MAX)))
    dots, shades = first_tokens(few, X), first_tokens(reading, X)

    assert dots_of(dots.body) == [int(few.ok.sum())]
    assert dots_of(shades.body) == []
    assert shades.body.count("<image") == 1


def dots_of(body: str) -> list[int]:
    """How many dots each path of dots has."""
    return [data.count("h0") for data in re.findall(r'class="dot" d="([^"]*)"', body)]


def test_where_too_many_failed_the_percentile_has_failed(reading: Reading) -> None:
    """p95 leaves the axis for the row of failures; no request is left out to keep it low."""
    panel = first_tokens(reading, X)
    p50, p95 = panel.lines

    assert any(value is not None and np.isinf(value) for value in p95.values)
    assert not any(value is not None and np.isinf(value) for value in p50.values)
    assert "V10H" in panel.body


def test_a_mesh_that_did_nothing_says_so_in_a_line(reading: Reading) -> None:
    """A flat line at none for three things is told, not drawn."""
    assert "none ejected, none retried, no overflow in 212 samples" in mesh(reading, X).body


def test_counters_are_drawn_as_rates_with_their_gaps(reading: Reading) -> None:
    """Grown by four in two seconds is two a second; after a gap or a new start nothing is known."""
    counted = [(1.0, 0), (2.0, 3), (4.0, 7), (9.0, 9), (10.0, 1), (11.0, 1)]
    samples = tuple(
        {"t_s": t_s, "retries": retries, "pending_overflow": 0, "ejections_active": 1}
        for t_s, retries in counted
    )
    facts = dataclasses.replace(reading.facts, samples=samples)
    panel = mesh(
        dataclasses.replace(reading, facts=facts), svg.Scale(low=0.0, high=20.0, start=0.0, end=200.0)
    )
    [retries] = re.findall(r'class="line soft" d="([^"]*)"', panel.body)

    assert panel.said == "ejected at most 1, retries at most 3, overflow at most 0."
    # 3 a second from the second sample, 2 from the third on for its second, and none from the last.
    assert retries == "M20 10H40V28.7H50M110 66H120"
