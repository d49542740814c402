"""Two runs beside each other: what each showed, how they differ, and whether that says anything.

Both are judged anew from their evidence, by the same rules. Nothing is written.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from sealegs.doors import WIDTH, aligned, counted
from sealegs.judgement.difference import Estimate, quantile_bounds, share_difference
from sealegs.judgement.facts import Facts
from sealegs.judgement.fates import Fates, fates_of
from sealegs.judgement.slo import ObjectiveResult
from sealegs.judgement.verdict import Verdict, decide
from sealegs.report.words import MISSING, SIGNS, figure, seconds, share

QUANTILES = (0.50, 0.95, 0.99)
CONFIDENCE = 0.99
# What makes a request good; with another confidence or target it still counts the same.
SAME = ("sli", "phase", "limit_s")
Rows = list[tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two runs."""

    facts: Facts
    fates: Fates
    verdict: Verdict


def side_of(facts: Facts) -> Side:
    """A run, judged."""
    return Side(facts=facts, fates=fates_of(facts), verdict=decide(facts))


def comparison(a: Side, b: Side) -> Iterator[str]:
    """The two runs in lines: verdicts, why they cannot be compared if so, claims, and first tokens."""
    obstacles = incomparable(a, b)
    yield ""
    for name, side in (("A", a), ("B", b)):
        word = side.verdict.verdict
        yield f"{name}  {SIGNS[word]} {word}  {side.verdict.run_id}"
    yield ""
    for obstacle in obstacles:
        text = f"Not comparable: {obstacle}."
        yield from textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")
    yield from [""] if obstacles else []
    yield from aligned(_objectives(a, b, trusted=not obstacles), words=3)
    yield ""
    yield from aligned(_others(a, b), words=1)
    yield ""
    yield from aligned(_first_tokens(a, b), words=2)
    yield ""
    note = (
        "Each bound holds at the objective's confidence, those of first tokens at 99 %. Bounds of one run "
        "take requests for independent, a difference (pp: percentage points) counts them for what they are "
        "worth. First tokens count from the intended time; a request without one has it never. In "
        "parentheses: nothing follows from it."
    )
    yield from textwrap.wrap(note, WIDTH, initial_indent="  ", subsequent_indent="  ")


def incomparable(a: Side, b: Side) -> list[str]:
    """Why a difference between two runs would say nothing about the system, each half a sentence."""
    found = []
    for name, side in (("A", a), ("B", b)):
        failed = [check.detail for check in side.verdict.validity.checks if not check.ok]
        if failed:
            more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
            found.append(f"the evidence of {name} cannot be trusted ({failed[0]}{more})")
    ours, theirs = _conditions(a), _conditions(b)
    found += [
        f"another {what}: {ours[what]} in A, {theirs[what]} in B"
        for what in ours
        if ours[what] != theirs[what]
    ]
    if ours["commit"] == theirs["commit"] and a.facts.run.get("dirty"):
        found.append("both ran with uncommitted changes, which may not be the same")
    if not a.facts.run.get("commit") and not b.facts.run.get("commit"):
        found.append("neither says of which commit it is, which may not be the same")
    return found


def _conditions(side: Side) -> dict[str, str]:
    """What has to be the same, in words."""
    run, scenario = side.facts.run, side.facts.scenario
    commit = str(run.get("commit") or MISSING)[:12]
    variables = ", ".join(f"{key}={value}" for key, value in sorted(scenario.experiment_vars.items()))
    return {
        "scenario": scenario.name,
        "seed": str(run.get("seed", scenario.seed)),
        "profile": " and ".join(f"{name} {share:.0%}" for name, share in scenario.traffic.profiles.items()),
        "rate": f"{scenario.traffic.rate_rps:g}/s {scenario.traffic.arrivals.kind}",
        "models": _listed(scenario.traffic.model_types) or scenario.traffic.model_type,
        "asked for whole": " and ".join(sorted(scenario.traffic.whole)) or "none",
        "limit of context": f"{scenario.traffic.context_tokens_max} tokens",
        "expected pace": f"{scenario.traffic.tokens_per_s:g} tokens/s",
        "deadlines": _listed(asdict(scenario.traffic.deadlines)),
        "client policy": _listed(asdict(scenario.traffic.policy)),
        "limit in flight": str(scenario.traffic.in_flight_max),
        "load": f"from the {scenario.traffic.where} by {scenario.traffic.processes} processes",
        "length of phases": _listed(asdict(scenario.phases)),
        "stack": f"{scenario.stack_name or scenario.stack_overlay} {scenario.stack_mutant or ''}".strip(),
        "experiment": scenario.experiment.name if scenario.experiment else "none",
        "experiment's variables": variables or "none",
        "commit": f"{commit} with uncommitted changes" if run.get("dirty") else commit,
    }


def _listed(values: Mapping[str, float]) -> str:
    """Names with their numbers."""
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


def _objectives(a: Side, b: Side, *, trusted: bool) -> Rows:
    """Three rows for each objective, matched by name: A, B, and how B differs."""
    rows: Rows = [("claim", "", "", "requests", "bad", "good", "at least", "at most")]
    results = [{one.name: one for one in side.verdict.objectives} for side in (a, b)]
    for name in dict.fromkeys([*results[0], *results[1]]):
        pair = [one.get(name) for one in results]
        rows += [
            (name if run == "A" else "", run, *_numbers(one, side.verdict))
            for run, side, one in zip("AB", (a, b), pair, strict=True)
        ]
        rows.append(("", "B-A", *_differs(pair[0], pair[1], trusted=trusted)))
    return rows


def _numbers(one: ObjectiveResult | None, verdict: Verdict) -> tuple[str, ...]:
    """What one run showed of an objective."""
    if one is None:
        return ("not claimed", *[MISSING] * 5)
    shares = (share(one.good_share), share(one.bound_low), share(one.bound_high))
    return (counted(one.verdict, verdict), f"{one.n:,}", f"{one.bad:,}", *shares)


def _differs(a: ObjectiveResult | None, b: ObjectiveResult | None, *, trusted: bool) -> tuple[str, ...]:
    """How an objective's share of good differs, and whether the interval shows it."""
    if a is None or b is None or any(getattr(a, key) != getattr(b, key) for key in SAME):
        return ("not the same claim", "", "", MISSING, MISSING, MISSING)
    # The surer of the two: no difference is shown that either would not believe.
    confidence = max(a.confidence, b.confidence)
    # Requests that go bad together are worth fewer independent ones: the same share of so many.
    bad_a, bad_b = (one.bad * one.effective_n / one.n if one.n else 0.0 for one in (a, b))
    seen = share_difference(
        bad_a=bad_a, n_a=a.effective_n, bad_b=bad_b, n_b=b.effective_n, confidence=confidence
    )
    told = shown(seen)
    points = (_points(one) for one in (seen.value, seen.low, seen.high))
    return (told if trusted else f"({told})", "", "", *points)


def shown(difference: Estimate) -> str:
    """What an interval of a difference of shares of good shows."""
    if difference.low is None or difference.high is None:
        return "no requests"
    if difference.low > 0:
        return "better"
    return "worse" if difference.high < 0 else "none shown"


def _others(a: Side, b: Side) -> Rows:
    """What has no share: invariants, bounds, recovery, budget, and what requests were lost to."""
    rows: Rows = [("", "A", "B")]
    pairs = [{law.name: law for law in side.verdict.invariants} for side in (a, b)]
    for name in dict.fromkeys([*pairs[0], *pairs[1]]):
        cells = []
        for side, laws in zip((a, b), pairs, strict=True):
            law = laws.get(name)
            # A counter-example stays one, also in a run that cannot be trusted.
            word = law and (law.verdict if law.verdict == "FAIL" else counted(law.verdict, side.verdict))
            cells.append(f"{word}, {law.violations:,} violations" if law else MISSING)
        rows.append((name, *cells))
    rows += _bounds(a, b)
    for name, cell in (("recovery", _recovery), ("error budget spent", _budget)):
        cells = [cell(side.verdict) for side in (a, b)]
        rows += [(name, *cells)] if set(cells) != {MISSING} else []
    lost = [{one.cause: one.count for one in side.verdict.losses.causes} for side in (a, b)]
    causes = sorted({*lost[0], *lost[1]})
    return [*rows, *((f"lost: {one}", *(f"{its.get(one, 0):,}" for its in lost)) for one in causes)]


def _bounds(a: Side, b: Side) -> Rows:
    """Each bound of either side, with the number that was measured."""
    pairs = [{one.name: one for one in side.verdict.bounds} for side in (a, b)]
    rows: Rows = []
    for name in dict.fromkeys([*pairs[0], *pairs[1]]):
        cells = []
        for side, its in zip((a, b), pairs, strict=True):
            one = its.get(name)
            cells.append(f"{counted(one.verdict, side.verdict)}, {figure(one.value)}" if one else MISSING)
        rows.append((name, *cells))
    return rows


def _recovery(verdict: Verdict) -> str:
    """How long it took."""
    one = verdict.recovery
    return f"{counted(one.verdict, verdict)}, {seconds(one.recovery_s)}" if one else MISSING


def _budget(verdict: Verdict) -> str:
    """How much of a period's budget was spent."""
    one = verdict.budget
    if one is None:
        return MISSING
    spent = MISSING if one.spent is None else f"{one.spent:.3%}"
    return f"{counted(one.verdict, verdict)}, {spent}"


def _first_tokens(a: Side, b: Side) -> Rows:
    """Time to first token of each phase, in milliseconds with its bounds."""
    rows: Rows = [
        ("first token, ms", "", "requests", *(f"p{q * 100:.0f} [at least, most]" for q in QUANTILES))
    ]
    phases = dict.fromkeys(one.name for side in (a, b) for one in side.verdict.phases)
    for phase in phases:
        for run, side in (("A", a), ("B", b)):
            waited_s = first_token_waits(side.fates, phase)
            cells = (_milliseconds(waited_s, q) for q in QUANTILES)
            rows.append((phase if run == "A" else "", run, f"{len(waited_s):,}", *cells))
    return rows


def first_token_waits(fates: Fates, phase: str) -> list[float]:
    """How long each request of a phase waited for its first token; infinite where none came.

    To leave those out would make a run look faster for what it failed to answer.
    """
    waited_s = fates.ttft_s[fates.within(phase)]
    waits: list[float] = np.where(np.isnan(waited_s), np.inf, waited_s).tolist()
    return waits


def _milliseconds(values: Sequence[float], q: float) -> str:
    """A quantile with its bounds."""
    seen = quantile_bounds(values, q, confidence=CONFIDENCE)
    value, low, high = (
        MISSING if one is None else "never" if np.isinf(one) else f"{one * 1e3:,.0f}"
        for one in (seen.value, seen.low, seen.high)
    )
    return f"{value} [{low}, {high}]"


def _points(value: float | None) -> str:
    """A difference of shares with its sign."""
    return MISSING if value is None else f"{value * 100:+.2f} pp".replace("-", "\N{MINUS SIGN}")
