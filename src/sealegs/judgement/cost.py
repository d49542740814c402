"""What answers cost beside themselves: attempts made again, and tokens that nobody had use for."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sealegs.scenario.workload import ANSWERED


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Counts over a whole run.

    Attributes:
        attempts: how often a request was put on the wire; more than were sent is amplification.
        retried: requests that took more than one attempt.
        tokens_received: tokens that clients received, in all attempts.
        tokens_wasted: those of them that belong to no answer: of attempts that failed.
    """

    attempts: int
    retried: int
    tokens_received: int
    tokens_wasted: int


def cost_of(requests: pa.Table, attempts: pa.Table) -> Cost:
    """The cost of a run, from its rows and from the attempts that were not their last."""
    wasted = requests.filter(pc.invert(pc.is_in(requests["outcome"], pa.array(ANSWERED))))
    earlier = _sum(attempts["tokens_received"])
    return Cost(
        attempts=_sum(requests["attempts"]),
        retried=int((requests["attempts"].to_numpy() > 1).sum()),
        tokens_received=_sum(requests["tokens_received"]) + earlier,
        tokens_wasted=_sum(wasted["tokens_received"]) + earlier,
    )


def _sum(column: "pa.ChunkedArray[Any]") -> int:
    """Sum of what is known; 0 of nothing."""
    return int(pc.sum(column).as_py() or 0)
