"""One run's folder into the few numbers that a night keeps of it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sealegs import evidence
from sealegs.errors import ScenarioError
from sealegs.judgement.verdict import is_as_expected
from sealegs.nightly.ledger import states_of
from sealegs.nightly.night import Bound, Budget, Digest, Invariant, Objective, Percentile, Recovery, word_of
from sealegs.nightly.shape import ShapeError, shaped
from sealegs.outputs.text import line
from sealegs.scenario.claim import Expect

REASONS_MAX, REASON_CHARACTERS_MAX = 5, 240
SHARES = (0.5, 0.95)
# What the client notes of itself; of the echo the worse of before and after the load.
CANARIES = {
    "echo_s_p99": ("canary_s_p99_before", "canary_s_p99_after"),
    "lag_s_p99": ("lag_s_p99",),
    "stall_s_p99": ("stall_s_p99",),
}


def digest(run_dir: Path, *, scenario: str, expect: Expect, attempt: int, took_s: float) -> Digest:
    """What is kept of a judged run; `expect` is how its scenario must end.

    Raises:
        ScenarioError: the folder has no ``run.json`` or ``verdict.json`` that can be read.
    """
    run, verdict = (evidence.read_json(run_dir / name) for name in ("run.json", "verdict.json"))
    if run is None or verdict is None:
        raise ScenarioError([f"{run_dir / 'verdict.json'}:1: absent or not readable: nothing to keep of it"])
    checks = verdict["validity"]["checks"]
    samples = evidence.read_lines(run_dir / "samples.jsonl").records
    try:
        return Digest(
            scenario=scenario,
            expected=word_of(expect.verdict),
            as_expected=is_as_expected(verdict["verdict"], verdict["reasons"], expect),
            attempt=attempt,
            verdict=verdict["verdict"],
            took_s=took_s,
            run_id=run_dir.name,
            reasons=tuple(line(one, most=REASON_CHARACTERS_MAX) for one in verdict["reasons"][:REASONS_MAX]),
            valid=verdict["validity"]["valid"],
            checks=len(checks),
            checks_ok=sum(check["ok"] for check in checks),
            commit=run.get("commit"),
            dirty=run.get("dirty"),
            images=dict(run.get("images") or {}),
            objectives=tuple(shaped(Objective, one) for one in verdict["objectives"]),
            invariants=tuple(shaped(Invariant, one) for one in verdict["invariants"]),
            bounds=tuple(shaped(Bound, one) for one in verdict.get("bounds") or ()),
            recovery=shaped(Recovery, verdict["recovery"]) if verdict["recovery"] else None,
            budget=shaped(Budget, verdict["budget"]) if verdict.get("budget") else None,
            ttft=tuple(_ttft(verdict)),
            counts=dict(verdict["counts"]),
            canaries=dict(_canaries(evidence.read_json(run_dir / "load-summary.json") or {})),
            states=states_of(verdict, samples),
        )
    except (ShapeError, KeyError) as error:
        raise ScenarioError([f"{run_dir / 'verdict.json'}:1: not a verdict of ours: {error}"]) from error


def _ttft(verdict: Mapping[str, Any]) -> Iterator[Percentile]:
    """Percentiles of the first token that count failures, where the verdict has them."""
    for one in verdict.get("percentiles") or ():
        kind = (one["metric"], one["since"], one["of"])
        if kind == ("ttft", "intended", "all") and one["q"] in SHARES and one["n"]:
            yield shaped(Percentile, one)


def _canaries(summary: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """What the client measured of itself, as far as it did."""
    for name, keys in CANARIES.items():
        values = [float(summary[key]) for key in keys if isinstance(summary.get(key), int | float)]
        if values:
            yield name, max(values)
