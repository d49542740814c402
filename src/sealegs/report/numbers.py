"""The page's tables of latencies: percentiles of each phase, and how phases differ."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sealegs.judgement import correlation
from sealegs.judgement.difference import Estimate, share_difference
from sealegs.judgement.slo import INDICATORS as IS_GOOD
from sealegs.report.reading import Reading
from sealegs.report.words import INDICATORS, MISSING, NEVER, milliseconds, points, seconds, share

QUANTILES = (0.50, 0.95, 0.99)
METRICS = {
    "ttft": "Time to first token",
    "tpot": "Time per output token",
    "e2e": "End to end",
}
DIGITS = {"tpot": 1}
CONFIDENCE = 0.99
AFTER = ("fault", "recovery")

Record = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A value and, where it is known, between what the true one lies."""

    value: str
    bounds: str = ""


@dataclass(frozen=True, kw_only=True)
class PercentileRow:
    """A phase's percentiles of one metric from one moment: of survivors, then of all requests."""

    phase: str
    since: str
    survivors: tuple[Cell, ...]
    everyone: tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True)
class ChangeRow:
    """What was seen in the baseline, and how fault and recovery differ from it."""

    what: str
    baseline: Cell
    fault: Cell
    fault_differs: Cell
    recovery: Cell
    recovery_differs: Cell


def percentiles(reading: Reading) -> list[tuple[str, list[PercentileRow]]]:
    """Each metric with its rows, in the verdict's order of phases; none in a verdict from before them."""
    found: Sequence[Record] = reading.verdict.get("percentiles", ())
    tables = []
    for metric, name in METRICS.items():
        ours = [one for one in found if one["metric"] == metric]
        rows = [
            PercentileRow(
                phase=phase,
                since=since,
                survivors=_cells([one for one in same if one["of"] == "survivors"]),
                everyone=_cells([one for one in same if one["of"] == "all"]),
            )
            for (phase, since), group in groupby(ours, key=lambda one: (one["phase"], one["since"]))
            for same in [list(group)]
        ]
        if rows:
            tables.append((name, rows))
    return tables


def _cells(found: Sequence[Record]) -> tuple[Cell, ...]:
    """One cell for each quantile."""
    by_quantile = {one["q"]: one for one in found}
    return tuple(_cell(by_quantile.get(q)) for q in QUANTILES)


def _cell(one: Record | None) -> Cell:
    """A percentile with its bounds; where a failure stands it is never reached."""
    if one is None or not one["n"]:
        return Cell(value=MISSING)
    low, value, high = (_told(one, key) for key in ("low_s", "value_s", "high_s"))
    if one["value_s"] is None:
        value = NEVER
    if one["low_s"] is not None and one["high_s"] is not None:
        return Cell(value=value, bounds=f"{low.removesuffix(' ms')} to {high}")
    if one["low_s"] is not None:
        return Cell(value=value, bounds=f"at least {low}")
    return Cell(value=value, bounds=f"at most {high}" if one["high_s"] is not None else "")


def _told(one: Record, key: str) -> str:
    """One of a percentile's times."""
    return milliseconds(one[key], digits=DIGITS.get(one["metric"], 0))


def changes(reading: Reading) -> list[ChangeRow]:
    """Shares of good requests by each limit that an objective has, then percentiles of all requests."""
    names = {phase.name for phase in reading.phases}
    if "baseline" not in names or not names.intersection(AFTER):
        return []
    limits = dict.fromkeys((one["sli"], one["limit_s"]) for one in reading.verdict["objectives"])
    return [*(_share_row(reading, sli, limit_s) for sli, limit_s in limits), *_percentile_rows(reading)]


def _share_row(reading: Reading, sli: str, limit_s: float | None) -> ChangeRow:
    """How the share of good requests differs; what went bad together counts for what it is worth."""
    good = IS_GOOD[sli](reading.fates, float("inf") if limit_s is None else limit_s)
    worth, cells = {}, {}
    for phase in ("baseline", *AFTER):
        flags = good[reading.fates.within(phase)]
        n, bad = len(flags), int((~flags).sum())
        spread = correlation.spread(flags, confidence=CONFIDENCE)
        counts = spread.effective_n / n if spread else 1.0
        worth[phase] = (bad * counts, n * counts)
        cells[phase] = Cell(value=share(1 - bad / n) if n else MISSING, bounds=f"{n - bad:,} of {n:,}")
    differs = {}
    for phase in AFTER:
        (bad_a, n_a), (bad_b, n_b) = worth["baseline"], worth[phase]
        seen = share_difference(bad_a=bad_a, n_a=n_a, bad_b=bad_b, n_b=n_b, confidence=CONFIDENCE)
        differs[phase] = _difference(seen, points, better_when_higher=True)
    what = INDICATORS[sli] + (f", at most {seconds(limit_s)}" if limit_s else "")
    return _row(what, cells, differs)


def _percentile_rows(reading: Reading) -> Iterator[ChangeRow]:
    """How percentiles of all requests differ; each side takes the far bounds of both."""
    found = {
        (one["metric"], one["q"], one["phase"]): one
        for one in reading.verdict.get("percentiles", ())
        if one["since"] == "intended" and one["of"] == "all"
    }
    for metric, q in dict.fromkeys((metric, q) for metric, q, _ in found):
        base = found.get((metric, q, "baseline"))
        cells = {phase: _cell(found.get((metric, q, phase))) for phase in ("baseline", *AFTER)}
        differs = {phase: _apart(base, found.get((metric, q, phase))) for phase in AFTER}
        yield _row(f"{METRICS[metric]}, p{q * 100:g}", cells, differs)


def _apart(a: Record | None, b: Record | None) -> Cell:
    """B's percentile less A's; never where a failure stands in B."""
    if a is None or b is None or a["value_s"] is None or not b["n"]:
        return Cell(value=MISSING)
    bounds = [
        None if None in {one[ours], other[theirs]} else one[ours] - other[theirs]
        for one, ours, other, theirs in ((b, "low_s", a, "high_s"), (b, "high_s", a, "low_s"))
    ]
    if b["value_s"] is None:
        low = bounds[0] or 0.0
        return Cell(value=NEVER, bounds=f"at least {_signed_ms(low)}: worse" if low > 0 else "")
    seen = Estimate(value=b["value_s"] - a["value_s"], low=bounds[0], high=bounds[1])
    return _difference(seen, _signed_ms, better_when_higher=False)


def _difference(seen: Estimate, told: Callable[[float], str], *, better_when_higher: bool) -> Cell:
    """A difference, its interval, and whether that shows any."""
    if seen.value is None:
        return Cell(value=MISSING)
    if seen.low is None or seen.high is None:
        return Cell(value=told(seen.value), bounds="too few to say")
    word = "none shown"
    if seen.low > 0 or seen.high < 0:
        word = "better" if (seen.low > 0) == better_when_higher else "worse"
    return Cell(value=told(seen.value), bounds=f"{told(seen.low)} to {told(seen.high)}: {word}")


def _signed_ms(value: float) -> str:
    """A difference of times with its sign."""
    return f"{value * 1e3:+,.0f} ms".replace("-", "\N{MINUS SIGN}")


def _row(what: str, cells: Mapping[str, Cell], differs: Mapping[str, Cell]) -> ChangeRow:
    """One row of what differs."""
    return ChangeRow(
        what=what,
        baseline=cells["baseline"],
        fault=cells["fault"],
        fault_differs=differs["fault"],
        recovery=cells["recovery"],
        recovery_differs=differs["recovery"],
    )
