"""Mutants and kill matrices, made small."""

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from sealegs.judgement.verdict import Word
from sealegs.kill_matrix import Cell
from sealegs.mutant import FILE, MUTANTS, Mutant
from sealegs.scenario import load_scenario
from sealegs.scenario.claim import Expect

MUTANT = "engine-aborts"
GOLDEN = Path(__file__).parents[1] / "golden"
TEXT = """\
title = "An engine that aborts its streams at SIGTERM"
defect = "The engine ends every answer where it is when SIGTERM comes (INF-08)."
scenario = "drain"
kills = ["no-truncated-stream"]
may_kill = ["success-fault", "budget"]

[phases]
baseline_s = 40
"""


def mutants_house(root: Path, *names: str) -> Path:
    """A folder with the scenario ``drain`` and mutants of it, by default one; returns it."""
    for name in ("locustfiles/chat.py", "experiments/gpu-node-drain.json"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text('{"method": [{}]}')
    (root / "scenarios").mkdir(exist_ok=True)
    shutil.copy(GOLDEN / "scenario.toml", root / "scenarios" / "drain.toml")
    for name in names or (MUTANT,):
        (root / MUTANTS / name).mkdir(parents=True)
        (root / MUTANTS / name / FILE).write_text(TEXT)
    return root


def made_mutant(
    name: str = MUTANT,
    *,
    kills: Iterable[str] = ("no-truncated-stream",),
    may_kill: Iterable[str] = (),
    expect: Expect | None = None,
) -> Mutant:
    """A mutant of the golden runs' scenario that was never a file."""
    scenario = load_scenario(GOLDEN / "scenario.toml", name="drain", files_exist=False)
    return Mutant(
        name=name,
        title=name,
        defect=f"What {name} does.",
        scenario=replace(scenario, expect=expect or Expect(verdict="FAIL")),
        kills=frozenset(kills),
        may_kill=frozenset(may_kill),
    )


def made_cell(
    name: str = MUTANT, *, verdict: Word = "FAIL", started_at: str = "2026-11-26T02:00:00Z", **claims: Word
) -> Cell:
    """What was seen of a mutant; a claim's name has underscores for its hyphens."""
    return Cell(
        mutant=name,
        scenario="drain",
        started_at=started_at,
        took_s=200.0,
        verdict=verdict,
        claims={claim.replace("_", "-"): word for claim, word in claims.items()},
        reasons=("the first reason",),
        run_id=f"run-of-{name}",
        commit="0123456789abcdef",
        dirty=False,
    )
