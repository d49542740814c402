"""Which requests were being answered when the fault struck, and how far each had come."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sealegs.judgement.facts import Facts, FaultStory, Places, rows_about
from sealegs.judgement.fates import Fates


@dataclass(frozen=True, kw_only=True)
class InFlight:
    """Requests in flight where the fault struck, by what the engine was doing for them."""

    queued: int = 0
    prefill: int = 0
    decode: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.queued + self.prefill + self.decode

    def __add__(self, other: "InFlight") -> "InFlight":
        return InFlight(
            queued=self.queued + other.queued,
            prefill=self.prefill + other.prefill,
            decode=self.decode + other.decode,
        )


def in_flight_at(facts: Facts, fates: Fates, story: FaultStory) -> InFlight:
    """Count the requests in flight on the story's pods when the fault was injected.

    Those on all pods where its target says ``every_stream``: what it struck, as a gateway, answers nothing
    itself and has every answer pass through it, or steers what does.

    The engines' truth logs say it exactly where they share the runner's clock: on a cluster made here. An
    engine that was killed leaves no line about what it had in flight: of requests that have no line at all
    the client's rows tell, as they do of all on other clusters. They name no pod before an answer began, and
    cannot tell a queued request from one in prefill: both are prefill.
    """
    if story.injected_s is None:
        return InFlight()
    open_then = (fates.sent_s <= story.injected_s) & (story.injected_s < fates.end_s)
    there = np.isin(fates.pod, list(story.pods)) | bool(story.target.get("every_stream"))
    rows = np.flatnonzero(open_then & there)
    if not (facts.run.get("cluster") or {}).get("owned"):
        return _by_rows(fates, rows, at_s=story.injected_s)
    ids = [str(one) for one in fates.request_id[rows]]
    named = {line["request_id"] for line in rows_about(facts.truth.select(["request_id"]), ids)}
    known = np.array([one in named for one in ids], bool)
    return _by_truth(facts, story, at_s=story.injected_s) + _by_rows(
        fates, rows[~known], at_s=story.injected_s
    )


def _by_truth(facts: Facts, story: FaultStory, *, at_s: float) -> InFlight:
    """Stages of the requests that engines on the pods had and had not ended, by their own logs."""
    then_s = at_s + facts.run["started_monotonic_ns"] / 1e9
    had = pc.and_(pc.less_equal(facts.truth["received_s"], then_s), pc.greater(facts.truth["end_s"], then_s))
    if not story.target.get("every_stream"):
        had = pc.and_(had, pc.is_in(facts.truth["pod"], pa.array(sorted(story.pods), pa.string())))
    lines = facts.truth.filter(had)
    # What did not come has no time, and no comparison with that holds.
    admitted, begun = (lines[name].to_numpy() <= then_s for name in ("admitted_s", "first_token_s"))
    return InFlight(
        queued=int((~admitted).sum()),
        prefill=int((admitted & ~begun).sum()),
        decode=int((admitted & begun).sum()),
    )


def _by_rows(fates: Fates, rows: Places, *, at_s: float) -> InFlight:
    """Stages of some requests, by what the client had seen of their answers."""
    decode = int((fates.first_token_s[rows] <= at_s).sum())
    return InFlight(prefill=len(rows) - decode, decode=decode)
