"""Rows of requests made by hand, and what becomes of them."""

from typing import Any

import pyarrow as pa

from sealegs import tables
from sealegs.judgement.facts import Interval
from sealegs.judgement.fates import Fates, join

PHASES = (
    Interval(name="warmup", start_s=0.0, end_s=10.0),
    Interval(name="baseline", start_s=10.0, end_s=20.0),
    Interval(name="fault", start_s=20.0, end_s=30.0),
    Interval(name="recovery", start_s=30.0, end_s=None),
)


def planned(*times_s: float) -> pa.Table:
    """A schedule of requests r0, r1, … at these times."""
    rows = [{"request_id": f"r{number}", "intended_s": t_s} for number, t_s in enumerate(times_s)]
    return pa.Table.from_pylist(rows, schema=tables.SCHEDULE)


def row(request_id: str, intended_s: float, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any column
    """The row of a request that was answered half a second after its time, but for the changes."""
    good = {
        "request_id": request_id,
        "intended_s": intended_s,
        "sent_s": intended_s,
        "first_token_s": intended_s + 0.5,
        "end_s": intended_s + 1.0,
        "outcome": "ok",
        "tokens_received": 10,
        "pod": "a",
    }
    return good | changes


def fates(schedule: pa.Table, *rows: dict[str, Any]) -> Fates:
    """What became of a schedule by these rows."""
    return join(schedule, pa.Table.from_pylist(list(rows), schema=tables.REQUESTS), PHASES)
