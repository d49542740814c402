"""Whether the counts of a run agree with each other: the client's, its rows', and the engines'."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sealegs.judgement.facts import Facts, FaultStory
from sealegs.judgement.fates import Fates, Flags

MOVED_S_MAX = 0.001
FINISHED = ("stop", "length")
OVER = ("Succeeded", "Failed")
# An engine's log leaves its node within moments; what it wrote before is there.
LAST_WORDS_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """Requests that the client calls answered, by what the engines' logs say about them.

    `lost` of them have no line because their engine died in that moment, and with it what it had not written.
    """

    answered: int
    lost: int
    unconfirmed: tuple[str, ...]
    different: tuple[str, ...]


def disagreements(facts: Facts, fates: Fates) -> tuple[str, ...]:
    """In words, where the load process and its rows contradict each other.

    Where they agree, planned = sent + cap_refused + never_sent + holes. An attempt more is no request more.
    """
    counted = {
        "planned": len(fates.request_id),
        "sent": int(fates.sent.sum()),
        "cap_refused": int(fates.ended("cap_refused").sum()),
        "never_sent": int(fates.ended("never_sent").sum()),
        "sent_again": int(
            pc.sum(pc.max_element_wise(pc.subtract(facts.requests["attempts"], 1), 0)).as_py() or 0
        ),
    }
    claimed = counted if facts.load_summary is None else facts.load_summary
    found = {
        **{
            f"{name}: the client says {claimed.get(name)}, its rows {count}": claimed.get(name) != count
            for name, count in counted.items()
        },
        f"{facts.attempts.num_rows} earlier attempts have a line, of {counted['sent_again']}": (
            facts.attempts.num_rows != counted["sent_again"]
        ),
        f"{facts.schedule.num_rows - len(fates.request_id)} requests are planned twice": (
            facts.schedule.num_rows != len(fates.request_id)
        ),
        f"{fates.twice} rows of requests that have one already": fates.twice > 0,
        f"{fates.unknown} rows of requests that nobody planned": fates.unknown > 0,
        f"intended times differ by up to {fates.moved_s_max:.3f} s": fates.moved_s_max > MOVED_S_MAX,
    }
    return tuple(text for text, holds in found.items() if holds)


def confirmed_by_engines(facts: Facts, fates: Fates, story: FaultStory | None) -> Confirmation:
    """Compare every whole answer with the engines' logs. A request tried twice has two lines: one must fit.

    Of an answer that the client broke off, the engine may have written more than was read.
    """
    over = np.asarray(pc.is_in(facts.truth["finish"], pa.array(FINISHED)), bool)
    finished = over & (fates.lines >= 0)
    places, tokens = fates.lines[finished], facts.truth["tokens"].to_numpy()[finished]
    known, fits = np.zeros(len(fates.request_id), bool), np.zeros(len(fates.request_id), bool)
    known[places] = True
    fits[places[fates.tokens_received[places] == tokens]] = True
    whole = fates.ended("ok")
    silent = whole & ~known
    lost = silent & _with_its_engine(facts, fates, story)
    return Confirmation(
        answered=int(whole.sum()),
        lost=int(lost.sum()),
        unconfirmed=fates.ids(silent & ~lost, most=len(known)),
        different=fates.ids(whole & known & ~fits, most=len(known)),
    )


def _with_its_engine(facts: Facts, fates: Fates, story: FaultStory | None) -> Flags:
    """Which requests were over when an engine died that the fault was aimed at, so that its line may be lost.

    That is when the fault struck, or when the pod was seen gone: a drained engine lives until then.
    """
    over = np.zeros(len(fates.end_s), bool)
    if story is None or story.injected_s is None:
        return over
    died_s: dict[str, float] = {}
    for record in facts.of_kind("pod"):
        gone = record.get("event") == "deleted" or record.get("phase") in OVER or record.get("ready") is False
        if gone and record["name"] in story.pods and record["t_s"] >= story.injected_s:
            died_s.setdefault(str(record["name"]), record["t_s"])
    for pod in story.pods:
        for moment_s in {story.injected_s, died_s.get(pod, story.injected_s)}:
            over |= (np.abs(fates.end_s - moment_s) <= LAST_WORDS_S) & (fates.pod == pod)
    return over
