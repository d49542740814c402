"""The page's tables of lost requests: why each was lost, and each of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sealegs.judgement import mesh
from sealegs.judgement.facts import rows_about
from sealegs.judgement.fates import HOLE
from sealegs.judgement.losses import UNEXPLAINED
from sealegs.report.reading import Reading
from sealegs.report.words import MISSING, share

LOST_MAX = 200
HOLES = {HOLE: "planned, and left no row"}
DETAILS = ("request_id", "outcome_detail", "tokens_asked", "tokens_received")


@dataclass(frozen=True, kw_only=True)
class CauseRow:
    """Why some requests were lost."""

    cause: str
    meaning: str
    count: str
    share: str
    request_ids: str


@dataclass(frozen=True, kw_only=True)
class LostRow:
    """One request that was not answered whole and right."""

    request_id: str
    intended: str
    phase: str
    outcome: str
    mesh: str
    tokens: str
    pod: str
    at_injection: bool


def causes(verdict: Mapping[str, Any]) -> list[CauseRow]:
    """Each cause, most frequent first, then what has none, also where that is nothing.

    None at all in a verdict from before causes were told.
    """
    losses = verdict.get("losses")
    if losses is None:
        return []
    found = [one for one in losses["causes"] if one["cause"] != UNEXPLAINED]
    rest = [one for one in losses["causes"] if one["cause"] == UNEXPLAINED]
    nothing = {"cause": UNEXPLAINED, "meaning": "no evidence tells why", "count": 0, "request_ids": ()}
    return list(_cause_rows([*found, *(rest or [nothing])], lost=losses["lost"]))


def _cause_rows(found: list[Mapping[str, Any]], *, lost: int) -> Iterator[CauseRow]:
    for one in found:
        ids, more = one["request_ids"], one["count"] - len(one["request_ids"])
        yield CauseRow(
            cause=one["cause"],
            meaning=one["meaning"],
            count=f"{one['count']:,}",
            share=share(one["count"] / lost) if lost else MISSING,
            request_ids=", ".join(ids) + (f" and {more:,} more" if more else ""),
        )


def lost(reading: Reading) -> tuple[list[LostRow], int]:
    """Requests not answered whole and right, the first of them, and how many there are in all."""
    fates = reading.fates
    bad = np.flatnonzero(~reading.ok)
    shown = bad[:LOST_MAX].tolist()
    told_of = reading.facts.requests.select(list(DETAILS))
    details = {row["request_id"]: row for row in rows_about(told_of, map(str, fates.request_id[shown]))}
    gateway = reading.gateway
    struck_s = reading.story.injected_s if reading.story else None
    rows = []
    for index in shown:
        request_id = str(fates.request_id[index])
        outcome = str(fates.outcome[index])
        detail = details.get(request_id, {})
        told = detail.get("outcome_detail") or HOLES.get(outcome)
        received, asked = detail.get("tokens_received"), detail.get("tokens_asked")
        in_flight = struck_s is not None and fates.sent_s[index] <= struck_s < fates.end_s[index]
        rows.append(
            LostRow(
                request_id=request_id,
                intended=f"{fates.intended_s[index]:.2f}",
                phase=str(fates.phase[index]) or MISSING,
                outcome=f"{outcome}: {told}" if told else outcome,
                mesh=mesh.told(gateway[request_id]) if request_id in gateway else "",
                tokens=MISSING if asked is None else f"{received or 0} of {asked}",
                pod=str(fates.pod[index]) or MISSING,
                at_injection=bool(in_flight),
            )
        )
    return rows, len(bad)


def flags(reading: Reading) -> dict[str, str]:
    """Request → the flags that the gateway put on it; requests without any are not in it."""
    return {request_id: flag for request_id, one in reading.gateway.items() if (flag := mesh.flag_of(one))}
