"""What the page is drawn from: one run's evidence, joined and judged before."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sealegs import evidence
from sealegs.errors import ScenarioError
from sealegs.judge import read_facts
from sealegs.judgement import mesh
from sealegs.judgement.facts import Facts, FaultStory, Interval, fault_story, intervals
from sealegs.judgement.fates import Fates, Flags, fates_of


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
    def ok(self) -> Flags:
        """Requests that were answered whole and right, at a time that can be drawn: damage has taken some."""
        return self.fates.ok & ~np.isnan(self.fates.ttft_s)

    @cached_property
    def gateway(self) -> Mapping[str, mesh.Record]:
        """Request → what the mesh's gateway says of its last attempt."""
        return mesh.last_of(self.facts.mesh, self.facts.requests)

    @cached_property
    def span_s(self) -> tuple[float, float]:
        """From the first phase to the last thing seen of the run."""
        fates = self.fates
        begun_s = min(
            [phase.start_s for phase in self.phases] or [float(np.min(fates.intended_s, initial=0.0))]
        )
        last_s = (self.facts.seen_until_s, begun_s + 1.0, fates.intended_s, fates.end_s)
        return begun_s, max(float(np.nanmax(one, initial=0.0)) for one in last_s)

    @cached_property
    def seen_until_s(self) -> float:
        """Where the evidence ends; in a run that was killed that is before its plan does."""
        ended_s = float(np.nanmax(self.fates.end_s, initial=0.0))
        return max(self.facts.seen_until_s, ended_s, self.span_s[0])

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
        fates=fates_of(facts),
        phases=phases,
        story=fault_story(facts),
        verdict=verdict,
    )
