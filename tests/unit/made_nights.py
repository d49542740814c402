"""Nights made up from a seed, for tests of what reads them: the same words give the same records."""

import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sealegs.judgement.stats import decide, good_share_bounds
from sealegs.judgement.verdict import Word
from sealegs.nightly.history import write_night
from sealegs.nightly.night import SCHEMA, Budget, Digest, Invariant, Night, Objective, Percentile, Recovery

TONIGHT = date(2026, 11, 26)
PHASES = ("baseline", "fault", "recovery", "run")
LIMITS_S = {"baseline": 1.0, "fault": 2.5, "recovery": 1.0, "run": 2.5}
CONFIDENCE = 0.99


@dataclass(frozen=True, kw_only=True)
class Made:
    """How one run of one night is to be: `loss` is the share of bad requests, `slow` times the usual TTFT."""

    loss: float = 0.002
    slow: float = 1.0
    valid: bool = True
    canary: float = 1.0
    commit: str = "0" * 40


@cache
def objective(name: str, sli: str, phase: str, *, n: int, bad: int, target: float = 0.95) -> Objective:
    """An objective as it is decided."""
    bounds = good_share_bounds(n=n, bad=bad, confidence=CONFIDENCE)
    return Objective(
        name=name,
        sli=sli,
        phase=phase,
        limit_s=LIMITS_S[phase] if sli == "ttft" else None,
        target=target,
        confidence=CONFIDENCE,
        n=n,
        bad=bad,
        bound_low=round(bounds.low, 6),
        bound_high=round(bounds.high, 6),
        verdict=decide(n=n, bad=bad, target=target, confidence=CONFIDENCE),
    )


def _lost(rng: random.Random, n: int, share: float) -> int:
    """About so many of n, with the spread of independent losses."""
    return min(n, max(0, round(rng.gauss(n * share, math.sqrt(n * share)))))


def digest(scenario: str, made: Made, rng: random.Random, *, day: date, attempt: int = 1) -> Digest:
    """One run, as a night keeps it."""
    objectives = tuple(
        objective(f"{sli}-{phase}", sli, phase, n=n, bad=_lost(rng, n, made.loss))
        for sli in ("success", "ttft")
        for phase, n in zip(PHASES, (520, 560, 610, 1690), strict=True)
    )
    words = {one.verdict for one in objectives}
    word: Word = "FAIL" if "FAIL" in words else "INCONCLUSIVE" if "INCONCLUSIVE" in words else "PASS"
    if not made.valid:
        word = "INVALID"
    ttft_s = {phase: (0.22 + 0.06 * (phase == "fault")) * made.slow for phase in PHASES}
    return Digest(
        scenario=scenario,
        expected="PASS",
        as_expected=word == "PASS",
        attempt=attempt,
        verdict=word,
        took_s=round(rng.uniform(220, 260), 1),
        run_id=f"{day:%Y%m%d}T0200{attempt:02d}Z-{scenario}-s1",
        reasons=() if word == "PASS" else (f"ttft-fault: told of {scenario}",),
        valid=made.valid,
        checks=27,
        checks_ok=27 if made.valid else 26,
        commit=made.commit,
        dirty=False,
        images={"llm-api": f"sealegs/llm-api:{made.commit[:12]}", "llm-inference": "sealegs/llm-inference:1"},
        objectives=objectives,
        invariants=tuple(
            Invariant(name=name, verdict="PASS", violations=0)
            for name in ("no-truncated-stream", "no-foreign-token", "pdb-honoured")
        ),
        recovery=Recovery(verdict="PASS", recovery_s=rng.choice((5.0, 10.0, 10.0, 15.0)), limit_s=60.0),
        budget=Budget(verdict="PASS", spent=0.001, spent_low=0.0005, spent_high=0.004, spent_max=0.01),
        ttft=tuple(
            Percentile(phase=phase, q=q, value_s=round(base_s * (1 + 2 * (q > 0.9)) * rng.gauss(1, 0.05), 6))
            for phase, base_s in ttft_s.items()
            for q in (0.5, 0.95)
        ),
        counts={"planned": 1690, "sent": 1690, "ok": 1688, "attempts": 1690, "retried": 0, "truncated": 0},
        canaries={
            "echo_s_p99": round(0.0005 * made.canary * rng.gauss(1, 0.04), 6),
            "lag_s_p99": round(0.0008 * rng.gauss(1, 0.1), 6),
            "stall_s_p99": round(0.0011 * rng.gauss(1, 0.1), 6),
        },
        states={"drain-with-streams": 11, "refused-eviction": 1},
    )


def control(name: str, *, day: date, verdict: Word = "FAIL", as_expected: bool = True) -> Digest:
    """A negative control that must end as FAIL."""
    made = digest(name, Made(), random.Random(1), day=day)  # noqa: S311  a model's dice
    return replace(
        made,
        expected="FAIL",
        as_expected=as_expected,
        verdict=verdict,
        reasons=("no-truncated-stream: 2 streams ended without their end: r1, r2",),
    )


def night_of(day: date, runs: tuple[Digest, ...]) -> Night:
    """A night that began at two and ended three hours later."""
    return Night(
        schema=SCHEMA,
        night=day.isoformat(),
        started_at=f"{day.isoformat()}T02:00:00Z",
        ended_at=f"{day.isoformat()}T05:00:00Z",
        runs=runs,
    )


def days_until(last: date, count: int) -> Iterator[date]:
    """Days in a row, oldest first."""
    yield from (last - timedelta(days=back) for back in range(count - 1, -1, -1))


def make_nights(
    root: Path,
    *,
    count: int,
    scenarios: int = 1,
    seed: int = 1,
    plan: Callable[[str, int], Made | None] = lambda _scenario, _ago: Made(),
) -> None:
    """Write nights up to tonight: `plan` says how a scenario's run is, so many nights ago; None is no run."""
    rng = random.Random(seed)  # noqa: S311  a model's dice
    names = [f"scenario-{number:02d}" for number in range(1, scenarios + 1)]
    for ago, day in zip(range(count - 1, -1, -1), days_until(TONIGHT, count), strict=True):
        asked: Mapping[str, Made | None] = {name: plan(name, ago) for name in names}
        runs = [digest(name, made, rng, day=day) for name, made in asked.items() if made is not None]
        write_night(root, night_of(day, (*runs, control("engine-aborts-on-term", day=day))))


def document(night: Night) -> dict[str, Any]:
    """A night as its record has it."""
    return asdict(night)
