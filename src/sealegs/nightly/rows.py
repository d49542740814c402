"""The tables of a night as rows of words: scenarios and their claims, negative controls, false alarms due."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from sealegs.evidence import RUNS
from sealegs.judgement.verdict import WORST_FIRST, Word
from sealegs.nightly.history import NIGHTS, History
from sealegs.nightly.night import Digest, Night, Objective, claims
from sealegs.nightly.pictures import strip
from sealegs.report.interval import floor_of, interval_bar
from sealegs.report.words import MISSING, allowed, count, duration, figure, seconds, share

STRIP_NIGHTS = 14
ORDINALS = {1: "1st", 2: "2nd", 3: "3rd"}


@dataclass(frozen=True, kw_only=True)
class TryRow:
    """One run of a scenario; `href` is empty where its page is not there any more."""

    name: str
    word: Word
    href: str
    why: str


@dataclass(frozen=True, kw_only=True)
class ClaimRow:
    """One claim of a scenario in words."""

    name: str
    what: str
    limit: str
    counted: str
    observed: str
    bar: Markup
    strip: Markup
    word: Word


@dataclass(frozen=True, kw_only=True)
class ScenarioRow:
    """One scenario: the run that counts, those before it, and its claims, the worst first."""

    anchor: str
    name: str
    word: Word
    must: str
    tries: tuple[TryRow, ...]
    reasons: tuple[str, ...]
    evidence: str
    took: str
    strip: Markup
    floor: float
    claims: tuple[ClaimRow, ...]
    hold: str


def scenario_rows(history: History, night: Night, *, root: Path, controls: bool) -> list[ScenarioRow]:
    """The scenarios, or the negative controls, of a night, the worst first."""
    recent = history.last(STRIP_NIGHTS)
    chosen = [name for name, run in night.counted.items() if run.is_control == controls]
    chosen.sort(key=lambda name: (WORST_FIRST.index(night.counted[name].counts_as), name))
    return [
        _scenario(
            recent, night.tries[name], root=root, anchor=f"{'control' if controls else 'scenario'}-{number}"
        )
        for number, name in enumerate(chosen, 1)
    ]


def _scenario(recent: History, tries: Sequence[Digest], *, root: Path, anchor: str) -> ScenarioRow:
    """One scenario's runs of a night in words."""
    run = tries[-1]
    then = [night.counted.get(run.scenario) if isinstance(night, Night) else None for night in recent.nights]
    past = [None if one is None else dict(claims(one)) for one in then]
    judged = [_bar_of(one) for one in run.objectives]
    floor = floor_of(judged)
    laws = [one for one in run.invariants if one.verdict == "PASS" and run.valid]
    rows = (
        [] if run.is_control else list(_claims(run, floor=floor, past=past, hold={one.name for one in laws}))
    )
    return ScenarioRow(
        anchor=anchor,
        name=run.scenario,
        word=run.counts_as,
        must=f"must be {run.expected}, is {run.verdict}" if run.is_control else "",
        tries=tuple(_try(one, root=root) for one in tries),
        reasons=() if run.as_expected else (*run.reasons, *filter(None, (run.error,))),
        evidence=f"{run.checks_ok} of {count(run.checks, 'check')}" if run.checks else "no evidence",
        took=duration(run.took_s),
        strip=Markup(strip([None if one is None else one.counts_as for one in then])),  # noqa: S704  drawn here
        floor=floor,
        claims=tuple(sorted(rows, key=lambda one: WORST_FIRST.index(one.word))),
        hold=", ".join(one.name for one in laws),
    )


def _try(run: Digest, *, root: Path) -> TryRow:
    page = RUNS / (run.run_id or "") / "report.html"
    is_there = run.run_id is not None and (root / page).is_file()
    return TryRow(
        name=f"{ORDINALS.get(run.attempt, run.attempt)} try",
        word=run.verdict,
        href=Path(os.path.relpath(page, NIGHTS / "date")).as_posix() if is_there else "",
        why=run.error or (run.reasons[0] if run.reasons else ""),
    )


def _bar_of(one: Objective) -> dict[str, Any]:
    """An objective as bars are drawn from."""
    return {
        "n": one.n,
        "good_share": one.good_share,
        "bound_low": one.bound_low,
        "bound_high": one.bound_high,
        "target": one.target,
    }


def _claims(
    run: Digest, *, floor: float, past: Sequence[Mapping[str, Word] | None], hold: set[str]
) -> Iterator[ClaimRow]:
    """Each claim of a run but the invariants that hold."""
    counted = dict(claims(run))

    def made(name: str, what: str, *, limit: str, number: str, observed: str, bar: str = "") -> ClaimRow:
        return ClaimRow(
            name=name,
            what=what,
            limit=limit,
            counted=number,
            observed=observed,
            bar=Markup(bar),  # noqa: S704  drawn here
            strip=Markup(strip([None if then is None else then.get(name) for then in past])),  # noqa: S704  drawn here
            word=counted[name],
        )

    for law in run.invariants:
        if law.name not in hold:
            violations = count(law.violations, "violation")
            yield made(law.name, "invariant", limit="no violation", number="", observed=violations)
    for one in run.objectives:
        slices = f" slices of {seconds(one.slice_s)}" if one.slice_s else ""
        within = f" within {seconds(one.limit_s)}" if one.limit_s else ""
        yield made(
            one.name,
            "" if one.name == f"{one.sli}-{one.phase}" else f"{one.sli}, {one.phase}",
            limit=f"≥ {share(one.target)}{within}",
            number=f"{one.n - one.bad:,} of {one.n:,}{slices}",
            observed=share(one.good_share),
            bar=interval_bar(_bar_of(one), floor=floor),
        )
    for bound in run.bounds:
        limits = allowed(bound.at_least, bound.at_most)
        yield made(bound.name, "bound", limit=limits, number="", observed=figure(bound.value))
    if (recovery := run.recovery) is not None:
        limit = f"≤ {seconds(recovery.limit_s)}"
        yield made("recovery", "", limit=limit, number="", observed=seconds(recovery.recovery_s))
    if (budget := run.budget) is not None:
        spans = f"{spent(budget.spent_low)} to {spent(budget.spent_high)}"
        limit = f"≤ {spent(budget.spent_max)} of the period's"
        yield made("budget", "", limit=limit, number=spans, observed=spent(budget.spent))


def spent(value: float | None) -> str:
    """A share of an error budget, which may be small, or more than all of it."""
    return MISSING if value is None else f"{value * 100:.3g} %"


def false_alarms(night: Night) -> tuple[int, float]:
    """How many objectives were decided, and how many wrong words are due if each stands at its target."""
    decided = [one for run in night.counted.values() if not run.is_control for one in run.objectives]
    return len(decided), sum(1 - one.confidence for one in decided)
