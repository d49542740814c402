"""Percentiles against an independent implementation, the rule of verdicts, and their own properties."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import quantile_test

from sealegs import tables
from sealegs.judgement import stats
from sealegs.judgement.facts import Interval
from sealegs.judgement.fates import Fates, join
from sealegs.judgement.percentiles import CONFIDENCE, SHARES, Percentile, percentiles_of

PHASES = (
    Interval(name="warmup", start_s=0.0, end_s=10.0),
    Interval(name="baseline", start_s=10.0, end_s=20.0),
    Interval(name="fault", start_s=20.0, end_s=None),
)
DUE_S = 11.0
SENT_AFTER_S = 0.25
# What a request took until its first token; None of one that failed before it.
latencies = st.lists(st.one_of(st.none(), st.integers(1, 10**6).map(lambda us: us / 1e6)), max_size=60)


def fates(rows: Sequence[dict[str, Any]], *, injected_s: float | None = None) -> Fates:
    """What became of requests r0, r1, … by these columns; one that says nothing else is due at `DUE_S`."""
    ids = [{"request_id": f"r{number}"} for number in range(len(rows))]
    default = {"intended_s": DUE_S, "sent_s": DUE_S, "outcome": "ok", "tokens_received": 1}
    requests = [default | name | row for name, row in zip(ids, rows, strict=True)]
    planned = [{key: one[key] for key in ("request_id", "intended_s")} for one in requests]
    return join(
        pa.Table.from_pylist(planned, schema=tables.SCHEDULE),
        pa.Table.from_pylist(requests, schema=tables.REQUESTS),
        PHASES,
        injected_s=injected_s,
    )


NOTHING = fates([])


def seen(taken_s: Sequence[float | None]) -> Fates:
    """Requests that took this long, or failed after a first token that came at once."""
    took_s = np.array([1e-9 if one is None else one for one in taken_s], dtype=float)
    due_s, words = np.full(len(took_s), DUE_S), np.full(len(took_s), "baseline", dtype=object)
    return replace(
        NOTHING,
        request_id=words,
        intended_s=due_s,
        phase=words,
        outcome=np.array(["cut_rst" if one is None else "ok" for one in taken_s], dtype=object),
        sent_s=due_s + SENT_AFTER_S,
        first_token_s=due_s + took_s,
        last_token_s=due_s + took_s,
        end_s=due_s + 2 * took_s,
        tokens_received=np.ones(len(took_s)),
    )


def found(percentiles: Sequence[Percentile], **values: Any) -> list[Percentile]:  # noqa: ANN401 - any field
    """The percentiles with these values, in order."""
    return [one for one in percentiles if all(getattr(one, key) == value for key, value in values.items())]


@settings(max_examples=60, deadline=None)
@given(latencies)
def test_a_percentile_is_a_value_that_was_measured(taken_s: list[float | None]) -> None:
    """The smallest that a share q does not exceed, counted from when requests were due or sent."""
    told = percentiles_of(seen(taken_s), PHASES)
    whole = [took_s for took_s in taken_s if took_s is not None]

    for metric, since, factor, less_s in (
        ("ttft", "intended", 1, 0.0),
        ("ttft", "sent", 1, SENT_AFTER_S),
        ("e2e", "intended", 2, 0.0),
    ):
        its = found(told, phase="baseline", metric=metric, since=since, of="survivors")
        assert [one.q for one in its] == list(SHARES)
        for one in its:
            value_s = stats.quantile([factor * took_s - less_s for took_s in whole], one.q)
            assert one.value_s == (None if value_s is None else pytest.approx(value_s, abs=1e-6))
            assert one.n == len(whole)


@settings(max_examples=60, deadline=None)
@given(latencies)
def test_a_failure_takes_for_ever(taken_s: list[float | None]) -> None:
    """Of all requests, those that failed stand behind every answer, whatever they had received."""
    values = [math.inf if took_s is None else took_s for took_s in taken_s]

    for one in found(percentiles_of(seen(taken_s), PHASES), phase="run", of="all", since="intended"):
        value_s = stats.quantile(values, one.q)
        factor = 2 if one.metric == "e2e" else 1
        assert one.n == len(taken_s)
        if value_s is None or math.isinf(value_s):
            assert one.value_s is None
        else:
            assert one.value_s == pytest.approx(factor * value_s, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 2000), st.integers(0, 2**32 - 1))
def test_bounds_are_those_of_scipy(n: int, seed: int) -> None:
    """Two one-sided intervals of its `quantile_test`, which says NaN where n is too small."""
    values = np.round(np.random.default_rng(seed).lognormal(-2, 1, n), 6)

    for one in found(percentiles_of(seen(values.tolist()), PHASES), phase="run", metric="ttft", of="all"):
        if one.since == "sent":
            continue
        above: Any = quantile_test(values, p=one.q, alternative="greater")
        below: Any = quantile_test(values, p=one.q, alternative="less")
        low_s = above.confidence_interval(CONFIDENCE).low
        high_s = below.confidence_interval(CONFIDENCE).high
        assert one.low_s == (None if math.isnan(low_s) else pytest.approx(low_s, abs=2e-6))
        assert one.high_s == (None if math.isnan(high_s) else pytest.approx(high_s, abs=2e-6))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.integers(0, 30), st.sampled_from(SHARES))
def test_bounds_are_the_limits_at_which_an_objective_is_decided(good: int, failed: int, q: float) -> None:
    """Within the upper bound it passes and a hair below not; below the lower bound it fails and at it not."""
    taken_s = [number / 1000 for number in range(1, good + 1)]
    (told,) = found(
        percentiles_of(seen([*taken_s, *[None] * failed]), PHASES),
        phase="run",
        metric="ttft",
        since="intended",
        of="all",
        q=q,
    )
    n = good + failed

    def verdict(within: int) -> stats.Decision:
        return stats.decide(n=n, bad=n - within, target=q, confidence=CONFIDENCE)

    # The k-th shortest took k ms: k requests are within it, k - 1 within any limit below it.
    if told.high_s is None:
        assert verdict(good) != "PASS"
    else:
        assert verdict(round(1000 * told.high_s)) == "PASS"
        assert verdict(round(1000 * told.high_s) - 1) != "PASS"
    if told.low_s is not None:
        assert verdict(round(1000 * told.low_s) - 1) == "FAIL"
        assert verdict(round(1000 * told.low_s)) != "FAIL"
    else:
        assert verdict(0) != "FAIL" or verdict(good) == "FAIL"


@settings(max_examples=60, deadline=None)
@given(latencies)
def test_bounds_hold_their_value(taken_s: list[float | None]) -> None:
    """Low, value and high are in order, as far as they are there; a larger share is never faster."""
    told = percentiles_of(seen(taken_s), PHASES)

    for one in told:
        there = [each for each in (one.low_s, one.value_s, one.high_s) if each is not None]
        assert there == sorted(there)
    for before, after in pairwise(told):
        if before.q < after.q and before.value_s is not None and after.value_s is not None:
            assert before.value_s <= after.value_s


def test_a_pace_is_of_answers_with_two_tokens() -> None:
    """Time per token leaves the first out; a single token has no pace, nor has an answer that was cut."""
    times = {"sent_s": DUE_S, "first_token_s": 12.0, "last_token_s": 14.0, "end_s": 14.0}
    rows: list[dict[str, Any]] = [
        times | {"tokens_received": 5},
        times | {"tokens_received": 1, "last_token_s": 12.0},
        times | {"tokens_received": 3, "outcome": "cut_fin"},
    ]
    its = found(percentiles_of(fates(rows), PHASES), phase="run", metric="tpot")

    assert [(one.n, one.q, one.value_s, one.of, one.since) for one in its] == [
        (1, q, 0.5, "survivors", "sent") for q in SHARES
    ]


def test_each_phase_that_began_answers_for_its_own() -> None:
    """Warm-up is left out; a request that was open when the fault struck is the fault's, as in objectives."""
    times_s = [(5.0, 6.0), (11.0, 12.0), (12.0, 21.0), (20.5, 21.0)]
    rows = [{"intended_s": due_s, "sent_s": due_s, "end_s": end_s} for due_s, end_s in times_s]
    told = percentiles_of(fates(rows, injected_s=20.0), PHASES)

    counted = {one.phase: one.n for one in found(told, metric="e2e", of="all")}
    assert counted == {"baseline": 1, "fault": 2, "run": 3}


def test_nothing_seen_is_no_time() -> None:
    """A phase without requests has its percentiles all the same, and no number in them."""
    told = percentiles_of(seen([]), PHASES)

    assert len(told) == len(("baseline", "fault", "run")) * 7 * len(SHARES)
    assert {(one.n, one.value_s, one.low_s, one.high_s) for one in told} == {(0, None, None, None)}
