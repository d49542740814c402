"""The page's tables as rows of words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from sealegs import mesh
from sealegs.report.interval import floor_of, interval_bar
from sealegs.report.reading import Reading
from sealegs.report.words import MISSING, milliseconds, seconds, share
from sealegs.slo import HOLE
from sealegs.stats import quantile

LOST_MAX = 200
HOLES = {HOLE: "planned, and left no row"}
INDICATORS = {"success": "answered whole and right", "ttft": "first token in time"}


@dataclass(frozen=True, kw_only=True)
class ObjectiveRow:
    """One objective in words, with its bar."""

    name: str
    what: str
    phase: str
    target: str
    counted: str
    worth: str
    observed: str
    bar: Markup
    verdict: str
    undecided: str


@dataclass(frozen=True, kw_only=True)
class PhaseRow:
    """One phase in words. TTFT counts from the intended time, over requests that had a first token."""

    name: str
    lasted: str
    planned: str
    sent: str
    ok: str
    failed: str
    ttft_p50: str
    ttft_p95: str
    ttft_max: str
    sent_ttft_p95: str


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


def objectives(reading: Reading) -> list[ObjectiveRow]:
    """Each objective as it was decided."""
    decided = reading.verdict["objectives"]
    floor = floor_of(decided)
    return [
        ObjectiveRow(
            name=one["name"],
            what=INDICATORS.get(one["sli"], one["sli"])
            + (f" ({seconds(one['limit_s'])})" if one["limit_s"] else ""),
            phase=one["phase"],
            target=f"≥ {share(one['target'])}",
            counted=f"{one['n'] - one['bad']:,} of {one['n']:,}",
            worth=_worth(one),
            observed=share(one["good_share"]),
            bar=Markup(interval_bar(one, floor=floor)),  # noqa: S704  drawn here
            verdict=one["verdict"],
            undecided=_undecided(one),
        )
        for one in decided
    ]


def _worth(objective: Mapping[str, Any]) -> str:
    """How many independent requests an objective rests on, where that is not all of them, and known."""
    worth = objective.get("effective_n", objective["n"])
    return f"worth about {worth:,} independent requests" if worth < objective["n"] else ""


def _undecided(objective: Mapping[str, Any]) -> str:
    """Why an objective is INCONCLUSIVE."""
    if objective.get("why") == "correlated":
        return "the bad ones came together"
    more = objective["more_needed"] if objective["verdict"] == "INCONCLUSIVE" else 0
    return f"{more:,} more good ones would decide" if more else ""


def phases(reading: Reading) -> list[PhaseRow]:
    """What became of each phase's requests."""
    fates = reading.fates
    intervals = {phase.name: phase for phase in reading.phases}
    rows = []
    for one in reading.verdict["phases"]:
        inside = fates.within(one["name"])
        ttft_s = fates.ttft_s[inside]
        from_sent_s = (fates.first_token_s - fates.sent_s)[inside]
        had_s, sent_had_s = (values[~np.isnan(values)].tolist() for values in (ttft_s, from_sent_s))
        failed = [f"{outcome} {number:,}" for outcome, number in one["outcomes"].items() if outcome != "ok"]
        end_s = reading.ends_s(intervals[one["name"]])
        rows.append(
            PhaseRow(
                name=one["name"],
                lasted=seconds(end_s - one["start_s"]),
                planned=f"{one['planned']:,}",
                sent=f"{one['sent']:,}",
                ok=f"{one['ok']:,}",
                failed=", ".join(failed) or "none",
                ttft_p50=milliseconds(quantile(had_s, 0.50)),
                ttft_p95=milliseconds(quantile(had_s, 0.95)),
                ttft_max=milliseconds(max(had_s, default=None)),
                sent_ttft_p95=milliseconds(quantile(sent_had_s, 0.95)),
            )
        )
    return rows


def lost(reading: Reading) -> tuple[list[LostRow], int]:
    """Requests not answered whole and right, the first of them, and how many there are in all."""
    fates = reading.fates
    details = dict(
        zip(
            reading.facts.requests.column("request_id").to_pylist(),
            reading.facts.requests.select(["outcome_detail", "tokens_asked", "tokens_received"]).to_pylist(),
            strict=True,
        )
    )
    gateway = mesh.last_of(reading.facts.mesh, reading.facts.requests)
    struck_s = reading.story.injected_s if reading.story else None
    bad = np.flatnonzero(~fates.ok)
    rows = []
    for index in bad[:LOST_MAX].tolist():
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
    gateway = mesh.last_of(reading.facts.mesh, reading.facts.requests)
    return {request_id: flag for request_id, one in gateway.items() if (flag := mesh.flag_of(one))}
