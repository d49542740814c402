"""The page's tables of claims and phases as rows of words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from sealegs.report.interval import floor_of, interval_bar
from sealegs.report.reading import Reading
from sealegs.report.words import INDICATORS, seconds, share
from sealegs.scenario.workload import ANSWERED


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
    """One phase in words."""

    name: str
    lasted: str
    planned: str
    sent: str
    ok: str
    failed: str


def objectives(reading: Reading) -> list[ObjectiveRow]:
    """Each objective as it was decided."""
    decided = reading.verdict["objectives"]
    floor = floor_of(decided)
    return [
        ObjectiveRow(
            name=one["name"],
            what=_what(one),
            phase=one["phase"],
            target=f"≥ {share(one['target'])}",
            counted=f"{one['n'] - one['bad']:,} of {one['n']:,}" + (" slices" if one.get("slice_s") else ""),
            worth=_worth(one),
            observed=share(one["good_share"]),
            bar=Markup(interval_bar(one, floor=floor)),  # noqa: S704  drawn here
            verdict=one["verdict"],
            undecided=_undecided(one),
        )
        for one in decided
    ]


def _what(objective: Mapping[str, Any]) -> str:
    """What makes a request, or a slice of them, good."""
    limit_s, slice_s = objective["limit_s"], objective.get("slice_s")
    told = INDICATORS.get(objective["sli"], objective["sli"]) + (f" ({seconds(limit_s)})" if limit_s else "")
    return f"{told}, of {share(objective['slice_share'])} in each {seconds(slice_s)}" if slice_s else told


def _worth(objective: Mapping[str, Any]) -> str:
    """How many independent requests an objective rests on, where that is not all of them, and known."""
    worth = objective.get("effective_n", objective["n"])
    what = "slices" if objective.get("slice_s") else "requests"
    return f"worth about {worth:,} independent {what}" if worth < objective["n"] else ""


def _undecided(objective: Mapping[str, Any]) -> str:
    """Why an objective is INCONCLUSIVE."""
    if objective.get("why") == "correlated":
        return "the bad ones came together"
    more = objective["more_needed"] if objective["verdict"] == "INCONCLUSIVE" else 0
    return f"{more:,} more good ones would decide" if more else ""


def phases(reading: Reading) -> list[PhaseRow]:
    """What became of each phase's requests."""
    intervals = {phase.name: phase for phase in reading.phases}
    rows = []
    for one in reading.verdict["phases"]:
        outcomes = one["outcomes"].items()
        failed = [f"{outcome} {number:,}" for outcome, number in outcomes if outcome not in ANSWERED]
        end_s = reading.ends_s(intervals[one["name"]])
        rows.append(
            PhaseRow(
                name=one["name"],
                lasted=seconds(end_s - one["start_s"]),
                planned=f"{one['planned']:,}",
                sent=f"{one['sent']:,}",
                ok=f"{one['ok']:,}",
                failed=", ".join(failed) or "none",
            )
        )
    return rows
