"""What answers cost beside themselves: attempts made again, and tokens that nobody had use for."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sealegs.workload import ANSWERED


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
    outcome = requests["outcome"].to_numpy()
    tokens = requests["tokens_received"].to_numpy()
    tries = requests["attempts"].to_numpy()
    earlier = int(attempts["tokens_received"].to_numpy().sum())
    return Cost(
        attempts=int(tries.sum()),
        retried=int((tries > 1).sum()),
        tokens_received=int(tokens.sum()) + earlier,
        tokens_wasted=int(tokens[~np.isin(outcome, ANSWERED)].sum()) + earlier,
    )
