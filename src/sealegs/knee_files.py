"""Knees that were measured on this machine, in files, and the scenarios whose traffic is a share of one."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sealegs import mutant, stack_choice
from sealegs.cluster import own
from sealegs.cluster.cache import digest
from sealegs.cluster.places import STACK
from sealegs.errors import ClusterError, ScenarioError
from sealegs.evidence import read_json, write_json
from sealegs.judgement.goodput import of_baseline
from sealegs.knee import Knee, Step, too_small
from sealegs.scenario import Scenario, root_of
from sealegs.scenario.toml_shape import lines_of

CAPACITY = Path("reports", "capacity")
SCHEMA = 2


def fingerprint(scenario: Scenario) -> dict[str, Any]:
    """What a knee depends on: the machine's processors, the stack's files, what is sent, what is wanted."""
    yours, traffic = stack_choice.folder_of(scenario), scenario.traffic
    ours = [STACK / "base", STACK / "overlays", STACK / "images", STACK / "mutants"]
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "name": scenario.stack_name,
        "overlay": scenario.stack_overlay,
        "mutant": scenario.stack_mutant,
        "stack": digest([yours] if yours else ours),
        "profiles": dict(traffic.profiles),
        "context_tokens_max": traffic.context_tokens_max,
        "tokens_per_s": traffic.tokens_per_s,
        "whole": sorted(traffic.whole),
        "objectives": [asdict(one) for one in of_baseline(scenario.objectives)],
    }


def folder_of(scenario: Scenario, *, started: datetime) -> Path:
    """Where the evidence of a search is kept; its result is a file beside it, named alike."""
    stamp = started.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    return root_of(scenario.path) / CAPACITY / f"{stamp}-{scenario.name}"


def write(folder: Path, scenario: Scenario, knee: Knee, steps: Sequence[Step], *, context: str) -> Path:
    """Keep the result of a search on the cluster of a context; returns its file."""
    path = folder.with_name(f"{folder.name}.json")
    document = {
        "schema": SCHEMA,
        "scenario": scenario.name,
        "context": context,
        "fingerprint": fingerprint(scenario),
        "knee": asdict(knee),
        "steps": [{**asdict(one), "word": one.word, "goodput_rps": one.goodput_rps} for one in steps],
    }
    write_json(path, document)
    return path


def knee_rps(scenario: Scenario, *, context: str | None = None) -> float | None:
    """The knee of a scenario's traffic that was measured last from this machine; None where none was.

    With `context`, on the cluster of that context: another has another knee.
    """
    here = fingerprint(scenario)
    for path in sorted((root_of(scenario.path) / CAPACITY).glob("*.json"), reverse=True):
        found = read_json(path) or {}
        if context not in (None, found.get("context")):
            continue
        knee = found.get("knee")
        rate_rps = knee.get("rate_rps") if isinstance(knee, Mapping) else None
        if found.get("fingerprint") == here and isinstance(rate_rps, float | int) and rate_rps > 0:
            return float(rate_rps)
    return None


def resolved(scenario: Scenario, *, context: str | None = None) -> Scenario:
    """The scenario with a rate in place of a share of the knee, as `knee_rps` finds it.

    Raises:
        ScenarioError: no knee of this traffic was measured there, with this stack.
    """
    share = scenario.traffic.knee_share
    if share is None:
        return scenario
    knee = knee_rps(scenario, context=context)
    if knee is None:
        raise ScenarioError([_unmeasured(scenario, share, context)])
    return replace(scenario, traffic=replace(scenario.traffic, rate_rps=round(share * knee, 3)))


def require_machine(scenario: Scenario) -> None:
    """The machine is large enough for what the scenario claims, where its traffic is a share of the knee.

    Raises:
        ClusterError: it is too small; says which knee would do.
    """
    if problem := too_small(scenario):
        raise ClusterError(problem)


def _unmeasured(scenario: Scenario, share: float, context: str | None) -> str:
    """What is missing, and what makes it."""
    where = f" on {context}" if context else ""
    option = f" --context {context}" if context not in (None, own().context) else ""
    return (
        f"{scenario.path}: knee_share = {share:g} is a share of a knee that was not measured on this machine "
        f"with this stack{where}: `sealegs capacity {scenario.path}{option}` measures it"
    )


def write_copies(scenario: Scenario, run_dir: Path) -> None:
    """Copy the files of a resolved scenario to its run: beside a share of the knee stands what it was."""
    path = run_dir / "scenario.toml"
    shutil.copy(scenario.path, path)
    if scenario.experiment:
        shutil.copy(scenario.experiment, run_dir / "experiment.json")
    if scenario.mutant_file:
        shutil.copy(scenario.mutant_file, run_dir / mutant.FILE)
    if scenario.traffic.knee_share is None:
        return
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    lines.insert(lines_of(text)["traffic", "knee_share"], f"rate_rps = {scenario.traffic.rate_rps}")
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
