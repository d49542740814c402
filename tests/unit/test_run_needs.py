"""A run on a cluster that lacks what its scenario needs: it ends before any load, INVALID, and says why."""

import dataclasses
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from chaoslib.exceptions import InterruptExecution
from tests.golden.make_run import made_facts
from tests.unit import api_objects, api_server
from tests.unit.api_server import NODES

from sealegs import control, evidence, experiment, load_pods, stack
from sealegs.cluster import Cluster
from sealegs.experiment import RUNNER_PID
from sealegs.judgement.verdict import decide
from sealegs.run import execute, open_run
from sealegs.scenario import load_scenario
from sealegs.stack import StackFacts

ROOT = Path(__file__).parents[2]
LACKING = "missing: budgets (no PodDisruptionBudget selects app=llm-inference in llm-production; create one; "


@dataclass(frozen=True)
class Stage:
    """A repository whose scenario needs budgets, and a cluster that has none."""

    root: Path
    api: api_server.Cluster

    @property
    def path(self) -> Path:
        """The scenario."""
        return self.root / "scenarios" / "a.toml"

    @property
    def cluster(self) -> Cluster:
        """The cluster as a door has it."""
        return Cluster("test", self.root / "kubeconfig", "test", "http://127.0.0.1:1", owned=True)

    def kinds(self) -> list[str]:
        """The kinds of what the only run noted."""
        (run_dir,) = evidence.run_dirs(self.root)
        return [one["kind"] for one in evidence.read_lines(run_dir / "timeline.jsonl").records]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A stage on which the stack stands at once."""
    for name in ("experiments", "locustfiles"):
        (tmp_path / name).symlink_to(ROOT / name)
    text = (ROOT / "tests" / "golden" / "scenario.toml").read_text()
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "a.toml").write_text(f'needs = ["gpus", "budgets"]\n{text}')
    stands = StackFacts("kind", None, {}, {"llm-inference": 3}, "native")
    monkeypatch.setattr(stack, "apply", lambda *_, **__: stands)
    monkeypatch.setattr(load_pods, "clear", lambda _: False)
    cluster = api_server.Cluster()
    cluster.put(NODES, api_objects.node("worker-b"))
    cluster.put("", {"metadata": {"name": "version"}, "gitVersion": "v1.37.0"})
    with api_server.serving(tmp_path, cluster):
        yield Stage(tmp_path, cluster)


def test_it_is_invalid_for_that_reason(stage: Stage) -> None:
    """Nothing was begun and nothing went wrong: what is missing is the first reason and the only check."""
    verdict = execute(load_scenario(stage.path), stage.cluster)

    assert verdict.verdict == "INVALID"
    assert verdict.reasons[0].startswith(LACKING)
    assert [(one.name, one.ok) for one in verdict.validity.checks] == [("needs-met", False)]
    assert stage.kinds() == ["needs"]
    assert not (stage.root / "reports" / "runs" / verdict.run_id / "load.json").exists()


def test_chaos_run_plays_no_step_of_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control ends the experiment with the reason, and judges the run as the other doors do."""
    shown: list[Any] = []
    for name, fresh in (("_block", ExitStack()), ("_opened", []), ("_in_method", [])):
        monkeypatch.setattr(control, name, fresh)
    monkeypatch.delenv(RUNNER_PID, raising=False)
    monkeypatch.setattr(control, "connect", lambda _: stage.cluster)
    monkeypatch.setattr(control, "present", lambda _, verdict, out: shown.append((verdict, out)))
    monkeypatch.setattr(control, "make_default", lambda _: None)
    for name in ("SEALEGS_RUN_DIR", "KUBECONFIG", "KUBERNETES_CONTEXT"):
        monkeypatch.setenv(name, "")
    configuration = {"scenario": str(stage.path), "stack_namespace": "", "own": "kept"}

    with pytest.raises(InterruptExecution, match="missing: budgets"):
        control.before_experiment_control({}, configuration)
    state = {"status": "interrupted", "deviated": False}
    control.after_experiment_control({}, state)

    ((verdict, _),) = shown
    assert (verdict.verdict, state["status"], stage.kinds()) == ("INVALID", "failed", ["needs"])
    assert verdict.reasons[0].startswith(LACKING)
    assert configuration == {
        "scenario": str(stage.path),
        "stack_namespace": "llm-production",
        "own": "kept",
    }


@pytest.mark.parametrize(
    ("noted", "ok", "detail"),
    [
        ([], False, "missing: gpus (nobody looked for it), mesh (nobody looked for it)"),
        ([{"asked": ["mesh"], "missing": []}], False, "missing: gpus (nobody looked for it)"),
        ([{"asked": ["gpus", "mesh"], "missing": []}], True, "there was gpus, mesh"),
        ([{"asked": ["gpus", "mesh"], "missing": ["mesh (none)"]}], False, "missing: mesh (none)"),
    ],
)
def test_what_nobody_looked_for_is_missing(noted: list[dict[str, Any]], ok: bool, detail: str) -> None:  # noqa: FBT001
    """A run with all else in order is VALID only if its needs were looked for and were there."""
    facts = made_facts("pass")
    scenario = dataclasses.replace(facts.scenario, needs=("gpus", "mesh"))
    records = tuple({"t_s": 1.0, "kind": "needs", **one} for one in noted)
    verdict = decide(dataclasses.replace(facts, scenario=scenario, timeline=(*records, *facts.timeline)))
    (check,) = (one for one in verdict.validity.checks if one.name == "needs-met")

    assert (check.ok, check.detail) == (ok, detail)
    assert verdict.verdict == ("PASS" if ok else "INVALID")
    assert ok or verdict.reasons[0] == detail


def test_who_needs_nothing_is_not_asked() -> None:
    """A scenario without needs has no such check."""
    verdict = decide(made_facts("pass"))

    assert "needs-met" not in {one.name for one in verdict.validity.checks}


def test_the_experiments_child_is_told_the_stacks_names(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `chaos run` has them by the control; what the scenario sets goes before."""
    told: dict[str, Any] = {}

    class Played:
        ended = True

        def __init__(self, _: Path, __: Path, *, variables: dict[str, Any]) -> None:
            told.update(variables)

        def stop(self) -> None:
            """End what has ended."""

    monkeypatch.setattr(experiment, "Played", Played)
    own = dataclasses.replace(load_scenario(stage.path), experiment_vars={"stack_engines": "mine", "x": 1})
    with open_run(own, stage.cluster, door="test") as run:
        run.inject()

    assert told == {"stack_namespace": "llm-production", "stack_engines": "mine", "x": 1}


def test_the_runs_folder_says_how_the_stack_is_named(stage: Stage) -> None:
    """Whoever comes later, a step of the experiment or `sealegs heal`, reads it there."""
    verdict = execute(load_scenario(stage.path), stage.cluster)

    document = json.loads((stage.root / "reports" / "runs" / verdict.run_id / "run.json").read_text())
    assert document["namespace"] == document["stack"]["namespace"] == "llm-production"
    assert document["stack"]["engines"]["labels"] == {"app": "llm-inference"}
