"""Which requests were being answered when the fault struck, and how far each had come."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sealegs.facts import Facts, FaultStory
from sealegs.slo import Fates

Stage = Literal["queued", "prefill", "decode"]


@dataclass(frozen=True, kw_only=True)
class InFlight:
    """Requests in flight on the fault's pods at injection, by what the engine was doing for them."""

    queued: int = 0
    prefill: int = 0
    decode: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.queued + self.prefill + self.decode


def in_flight_at(facts: Facts, fates: Fates, story: FaultStory) -> InFlight:
    """Count the requests in flight on the story's pods when the fault was injected.

    The engines' truth logs say it exactly where they share the runner's clock: on a cluster made here.
    Elsewhere the client's rows do; they cannot tell a queued request from one in prefill: both are prefill.
    """
    if story.injected_s is None:
        return InFlight()
    truth = facts.truth if facts.run.get("cluster", {}).get("owned") else ()
    stages = list(_by_truth(facts, story) if truth else _by_rows(fates, story))
    return InFlight(
        queued=stages.count("queued"), prefill=stages.count("prefill"), decode=stages.count("decode")
    )


def _by_truth(facts: Facts, story: FaultStory) -> Iterator[Stage]:
    """Stage of each request that an engine on the pods had and had not ended, by the engine's own log."""
    at_s = (story.injected_s or 0.0) + facts.run["started_monotonic_ns"] / 1e9
    for line in facts.truth:
        if line["pod"] not in story.pods or not line["received_s"] <= at_s < line["end_s"]:
            continue
        if _later(line.get("admitted_s"), at_s):
            yield "queued"
        else:
            yield "prefill" if _later(line.get("first_token_s"), at_s) else "decode"


def _by_rows(fates: Fates, story: FaultStory) -> Iterator[Stage]:
    """Stage of each request that the client had sent to the pods and not seen the end of."""
    at_s = story.injected_s or 0.0
    open_then = (fates.sent_s <= at_s) & (at_s < fates.end_s) & np.isin(fates.pod, list(story.pods))
    for first_token_s in fates.first_token_s[open_then]:
        yield "decode" if first_token_s <= at_s else "prefill"


def _later(t_s: float | None, at_s: float) -> bool:
    """Whether something had not happened yet."""
    return t_s is None or t_s > at_s
