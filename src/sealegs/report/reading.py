"""What the page is drawn from: one run's evidence, joined and judged before."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sealegs import evidence
from sealegs.errors import ScenarioError
from sealegs.facts import Facts, FaultStory, Interval, fault_story, intervals
from sealegs.judge import read_facts
from sealegs.slo import Fates, fates_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """One judged run. `verdict` is the document of ``verdict.json``: repeated here, not decided."""

    run_dir: Path
    facts: Facts
    fates: Fates
    phases: tuple[Interval, ...]
    story: FaultStory | None
    verdict: dict[str, Any]

    @cached_property
    def span_s(self) -> tuple[float, float]:
        """From the first phase to the last thing seen of the run."""
        fates = self.fates
        begun_s = [phase.start_s for phase in self.phases] or fates.intended_s.tolist() or [0.0]
        last_s: list[float] = [
            self.facts.seen_until_s,
            *fates.intended_s.tolist(),
            *fates.end_s[~np.isnan(fates.end_s)].tolist(),
        ]
        return min(begun_s), max(*last_s, min(begun_s) + 1.0)

    @cached_property
    def seen_until_s(self) -> float:
        """Where the evidence ends; in a run that was killed that is before its plan does."""
        ended_s: list[float] = self.fates.end_s[~np.isnan(self.fates.end_s)].tolist()
        return max(self.facts.seen_until_s, *ended_s, self.span_s[0])

    def ends_s(self, phase: Interval) -> float:
        """When a phase ended, or where the evidence does."""
        return max(self.seen_until_s, phase.start_s) if phase.end_s is None else phase.end_s


def read(run_dir: Path) -> Reading:
    """Read a run that has been judged.

    Raises:
        ScenarioError: the folder is not a run, or has no verdict yet.
    """
    verdict = evidence.read_json(run_dir / "verdict.json")
    if not isinstance(verdict, dict):
        path = run_dir / "verdict.json"
        raise ScenarioError(
            [f"{path}:1: absent or not readable: judge the run first, `sealegs judge {run_dir}`"]
        )
    facts = read_facts(run_dir)
    phases = intervals(facts)
    return Reading(
        run_dir=run_dir,
        facts=facts,
        fates=fates_of(facts.schedule, facts.requests, phases),
        phases=phases,
        story=fault_story(facts),
        verdict=verdict,
    )
