"""A stack of somebody else's, of other names, labels and ports: one file describes it, and no code."""

import json
import re
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from sealegs import stack, stack_choice
from sealegs.cluster import Cluster, ask
from sealegs.evidence import RUNS, read_json, read_lines
from sealegs.progress import shown
from sealegs.run import execute
from sealegs.scenario import load_scenario

pytestmark = pytest.mark.proof

ROOT = Path(__file__).parents[2]
FOREIGN = Path(__file__).parent / "foreign_stack"
QUICK = {"warmup_s": 3, "baseline_s": 20, "fault_s_max": 70, "recovery_s": 20}


@pytest.fixture
def scenario_file(cluster: Cluster, tmp_path: Path) -> Iterator[Path]:
    """pod-kill of the foreign stack, shortened, in a folder like the repository's. Ours makes room for it."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "chat").symlink_to(FOREIGN)
    for name in ("experiments", "locustfiles"):
        (tmp_path / name).symlink_to(ROOT / name)
    text = (ROOT / "scenarios" / "pod-kill.toml").read_text()
    for name, seconds in QUICK.items():
        text = re.sub(rf"^{name} = .*$", f"{name} = {seconds}", text, flags=re.MULTILINE)
    # The budget's target is of another kind: with 80 % it would be too large for a run to spend.
    text = re.sub(r"^target = (?!0\.999$).*$", "target = 0.8", text, flags=re.MULTILINE)
    text = re.sub(r'^overlay = "kind"$', 'name = "chat"', text, flags=re.MULTILINE)
    text = re.sub(
        r"^(needs = .*\n)?seed = .*$",
        'seed = 1\nneeds = ["mesh", "gpus", "budgets"]',
        text,
        flags=re.MULTILINE,
    )
    path = tmp_path / "scenarios" / "pod-kill.toml"
    path.write_text(text)
    shape = stack_choice.shape_for(load_scenario(path))
    ask(cluster, "delete", "deployments", "--all", "--namespace", stack.NAMESPACE, "--wait=false")
    yield path
    stack.remove(cluster, shape=shape)
    stack.apply(cluster)


def test_a_stack_of_other_names_needs_no_code(cluster: Cluster, scenario_file: Path, tmp_path: Path) -> None:
    """An engine of it is killed under load, seen gone and seen replaced; each role is in the evidence."""
    watch = partial(shown, out=sys.stderr, live=False)
    verdict = execute(load_scenario(scenario_file), cluster, door="pytest", watch=watch)
    run_dir = tmp_path / RUNS / verdict.run_id
    run = read_json(run_dir / "run.json") or {}
    pods = [one for one in read_lines(run_dir / "timeline.jsonl").records if one["kind"] == "pod"]
    samples = read_lines(run_dir / "samples.jsonl").records
    engines = {one["name"] for one in pods if one["app"] == "llm-inference"}
    held = {one.name: one.detail for one in verdict.validity.checks if not one.ok}

    assert verdict.verdict == "PASS", json.dumps([held, verdict.reasons], indent=1)
    assert verdict.fault is not None
    assert set(verdict.fault.target["pods"]) < engines
    assert all(name.startswith("brain-") for name in engines)
    assert {name.split("-")[0] for name in samples[0]["in_flight"]} == {"brain"}
    assert {*samples[0]["ready"]} == {"llm-inference", "llm-api"}
    assert (run["namespace"], run["stack"]["engines"]["deployment"]) == ("chat", "brain")
