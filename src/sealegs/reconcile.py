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
    """In words, where the load process and its rows contradict each other.

    Where they agree, planned = sent + cap_refused + never_sent + holes. An attempt more is no request more.
    """
    counted = {
        "planned": len(fates.request_id),
        "sent": int((~np.isin(fates.outcome, NEVER_SENT)).sum()),
        "cap_refused": int((fates.outcome == "cap_refused").sum()),
        "never_sent": int((fates.outcome == "never_sent").sum()),
        "sent_again": int(np.maximum(facts.requests["attempts"].to_numpy() - 1, 0).sum()),
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
        f"{fates.twice} rows of requests that have one already": fates.twice > 0,
        f"{fates.unknown} rows of requests that nobody planned": fates.unknown > 0,
        f"intended times differ by up to {fates.moved_s_max:.3f} s": fates.moved_s_max > MOVED_S_MAX,
    }
    return tuple(text for text, holds in found.items() if holds)


def confirmed_by_engines(facts: Facts, fates: Fates) -> Confirmation:
    """Compare every whole answer with the engines' logs. A request tried twice has two lines: one must fit.

    Of an answer that the client broke off, the engine may have written more than was read.
    """
    whole = fates.outcome == "ok"
    finished = {
        (str(line["request_id"]), line["tokens"]) for line in facts.truth if line.get("finish") in FINISHED
    }
    known = {request_id for request_id, _ in finished}
    answered = [
        (str(request_id), tokens)
        for request_id, tokens in zip(fates.request_id[whole], fates.tokens_received[whole], strict=True)
    ]
    return Confirmation(
        answered=len(answered),
        unconfirmed=tuple(request_id for request_id, _ in answered if request_id not in known),
        different=tuple(one[0] for one in answered if one[0] in known and one not in finished),
    )
