"""A load process's part of a schedule."""

import math
from collections.abc import Collection, Sequence
from dataclasses import fields

import pyarrow as pa

from sealegs.traffic.client.exchange import Planned


def share_of(schedule: pa.Table, *, worker: int, processes: int, whole: Collection[str]) -> list[Planned]:
    """A process's part of a schedule, in the order of the intended times: every N-th session whole.

    Answers to the profiles in `whole` are asked for whole, all others as streams.
    """
    rows = schedule.sort_by("intended_s")
    columns = [one.name for one in fields(Planned) if one.name != "stream"]
    streamed = [profile not in whole for profile in rows["profile"].to_pylist()]
    asked = zip(rows.select(columns).to_pylist(), streamed, strict=True)
    planned = [Planned(**row, stream=stream) for row, stream in asked]
    number = {session: place for place, session in enumerate(dict.fromkeys(one.session for one in planned))}
    return [one for one in planned if number[one.session] % processes == worker]


def in_flight_mean(planned: Sequence[Planned], tokens_per_s: float) -> int:
    """How many answers are under way on average, by Little's law."""
    if len(planned) < 2:  # noqa: PLR2004  one request has no rate
        return len(planned)
    lasts_s = planned[-1].intended_s - planned[0].intended_s
    answers_s = sum(one.output_tokens for one in planned) / tokens_per_s
    return math.ceil(answers_s / lasts_s) if lasts_s else len(planned)
