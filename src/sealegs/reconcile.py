"""Whether the counts of a run agree with each other: the client's, its rows', and the engines'."""

from dataclasses import dataclass

import numpy as np

from sealegs.facts import Facts
from sealegs.slo import NEVER_SENT, Fates

MOVED_S_MAX = 0.001
FINISHED = ("stop", "length")


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """Requests that the client calls answered, by what the engines' logs say about them."""

    answered: int
    unconfirmed: tuple[str, ...]
    different: tuple[str, ...]


def disagreements(facts: Facts, fates: Fates) -> tuple[str, ...]:
    """In words, where the load process and its rows contradict each other."""
    sent = int((~np.isin(fates.outcome, NEVER_SENT)).sum())
    claimed = (facts.load_summary or {}).get("sent", sent)
    found = {
        f"the client sent {claimed}, its rows say {sent}": claimed != sent,
        f"{fates.twice} rows of requests that have one already": fates.twice > 0,
        f"{fates.unknown} rows of requests that nobody planned": fates.unknown > 0,
        f"intended times differ by up to {fates.moved_s_max:.3f} s": fates.moved_s_max > MOVED_S_MAX,
    }
    return tuple(text for text, holds in found.items() if holds)


def confirmed_by_engines(facts: Facts, fates: Fates) -> Confirmation:
    """Compare every answer with the engines' logs. A request tried twice has two lines: one must fit."""
    finished = {
        (str(line["request_id"]), line["tokens"]) for line in facts.truth if line.get("finish") in FINISHED
    }
    known = {request_id for request_id, _ in finished}
    answered = [
        (str(request_id), tokens)
        for request_id, tokens in zip(
            fates.request_id[fates.ok], fates.tokens_received[fates.ok], strict=True
        )
    ]
    return Confirmation(
        answered=len(answered),
        unconfirmed=tuple(request_id for request_id, _ in answered if request_id not in known),
        different=tuple(one[0] for one in answered if one[0] in known and one not in finished),
    )
