"""Changes to a run's facts, for tests that differ from a made-up run in one thing."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from tests.golden.case import BASELINE_AT_S, FAULT_AT_S

from sealegs.judgement.facts import Facts
from sealegs.judgement.verdict import Verdict

Change = Callable[[Facts], Facts]


def requests_where(facts: Facts, chosen: Callable[[dict[str, Any]], bool], **values: Any) -> Facts:  # noqa: ANN401
    """The facts with some columns of the chosen request rows changed."""
    rows = [one | values if chosen(one) else one for one in facts.requests.to_pylist()]
    return dataclasses.replace(facts, requests=pa.Table.from_pylist(rows, schema=facts.requests.schema))


def without_rows(facts: Facts, chosen: Callable[[dict[str, Any]], bool]) -> Facts:
    """The facts without the chosen request rows."""
    rows = [one for one in facts.requests.to_pylist() if not chosen(one)]
    return dataclasses.replace(facts, requests=pa.Table.from_pylist(rows, schema=facts.requests.schema))


def with_row(facts: Facts, of: str, **values: Any) -> Facts:  # noqa: ANN401 - any column
    """The facts with a second row of a request, in which some columns differ."""
    (row,) = (one for one in facts.requests.to_pylist() if one["request_id"] == of)
    more = pa.Table.from_pylist([row | values], schema=facts.requests.schema)
    return dataclasses.replace(facts, requests=pa.concat_tables([facts.requests, more]))


def without_records(facts: Facts, **values: Any) -> Facts:  # noqa: ANN401 - any field of a record
    """The facts without the timeline records that have these values."""
    kept = tuple(one for one in facts.timeline if not one.items() >= values.items())
    return dataclasses.replace(facts, timeline=kept)


def with_record(facts: Facts, **record: Any) -> Facts:  # noqa: ANN401 - any record
    """The facts with one more timeline record."""
    timeline = sorted((*facts.timeline, record), key=lambda one: one["t_s"])
    return dataclasses.replace(facts, timeline=tuple(timeline))


def samples_where(facts: Facts, chosen: Callable[[dict[str, Any]], bool], **values: Any) -> Facts:  # noqa: ANN401
    """The facts with some fields of the chosen samples changed."""
    samples = tuple(dict(one) | values if chosen(dict(one)) else one for one in facts.samples)
    return dataclasses.replace(facts, samples=samples)


def with_truth(facts: Facts, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Facts:
    """The facts with each line of the engines as `change` makes it; without those that it makes None."""
    lines = [line for one in facts.truth.to_pylist() if (line := change(one)) is not None]
    return dataclasses.replace(facts, truth=pa.Table.from_pylist(lines, schema=facts.truth.schema))


def is_(request_id: str) -> Callable[[dict[str, Any]], bool]:
    """Chooses one request."""
    return lambda row: bool(row["request_id"] == request_id)


def in_baseline(row: dict[str, Any]) -> bool:
    """Chooses the baseline's requests."""
    return bool(BASELINE_AT_S <= row["intended_s"] < FAULT_AT_S)


def check(verdict: Verdict, name: str) -> bool:
    """Whether a validity check passed."""
    (found,) = (one.ok for one in verdict.validity.checks if one.name == name)
    return found


def invariant(verdict: Verdict, name: str) -> tuple[str, tuple[str, ...]]:
    """An invariant's verdict and the requests it cites."""
    (found,) = ((one.verdict, one.request_ids) for one in verdict.invariants if one.name == name)
    return found
