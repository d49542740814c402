"""What Chaos Toolkit is told by the suite's control: when to stop, and how a run ended."""

import signal
from contextlib import ExitStack, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from chaoslib.exceptions import InterruptExecution

from sealegs import control, evidence
from sealegs.errors import ClusterError, ScenarioError
from sealegs.experiment import RUNNER_PID

FAILED = {"status": "failed"}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A control that has seen nothing yet."""
    monkeypatch.setattr(control, "_block", ExitStack())
    monkeypatch.setattr(control, "_opened", [])
    monkeypatch.setattr(control, "_in_method", [])
    monkeypatch.delenv(RUNNER_PID, raising=False)


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (ScenarioError(["a.toml:1: missing 'seed'"]), "a.toml:1: missing 'seed'"),
        (ClusterError("no cluster here"), "^no cluster here$"),
        (ValueError("a mistake of ours"), "^ValueError"),
    ],
)
def test_a_run_that_cannot_be_opened_ends_the_experiment(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, said: str
) -> None:
    """Whatever it was: Chaos Toolkit goes on after any other error, and would disturb what nobody watches."""

    def fail(_: Path) -> None:
        raise raised

    monkeypatch.setattr(control, "load_scenario", fail)

    with pytest.raises(InterruptExecution, match=said):
        control.before_experiment_control({}, {"scenario": "a.toml"})


def test_steps_are_given_what_the_scenario_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The run's evidence has the scenario's values and the stack's names: the steps have no others."""
    scenario = SimpleNamespace(experiment_vars={"landed_limit_s": 80, "of_another": 1})
    run = SimpleNamespace(
        run_dir=tmp_path,
        api=SimpleNamespace(shape=SimpleNamespace(variables={"stack_engines": "mine"})),
        baseline=lambda: None,
    )
    monkeypatch.setattr(control, "load_scenario", lambda _: scenario)
    monkeypatch.setattr(control, "connect", lambda _: SimpleNamespace(kubeconfig=tmp_path))
    monkeypatch.setattr(control, "open_run", lambda *_, **__: nullcontext(run))
    monkeypatch.setattr(control, "environment_of", lambda _: {})
    monkeypatch.setattr(control, "make_default", lambda _: None)
    configuration = {"scenario": "a.toml", "landed_limit_s": 60, "hold_s": 5, "stack_engines": "theirs"}

    control.before_experiment_control({}, configuration)

    assert configuration == {
        "scenario": "a.toml",
        "landed_limit_s": 80,
        "hold_s": 5,
        "stack_engines": "mine",
    }


def test_an_experiment_without_a_scenario_is_ended() -> None:
    """One that names none cannot be judged, and is not played."""
    with pytest.raises(InterruptExecution, match="scenario"):
        control.before_experiment_control({}, {})


def test_a_runners_child_asks_to_die_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Joining a run opens none; the kernel is asked to kill this process when the runner ends."""
    asked: list[tuple[int, int]] = []
    monkeypatch.setenv(RUNNER_PID, "4242")
    monkeypatch.setattr(control, "die_with", lambda pid, *, number: asked.append((pid, number)))

    control.before_experiment_control({}, {})

    assert asked == [(4242, signal.SIGKILL)]


def test_only_a_failed_step_of_the_method_ends_the_method() -> None:
    """A probe of the gate ends the experiment by itself, with its reason; every rollback is tried."""
    control.after_activity_control({"name": "gate"}, FAILED)
    control.before_method_control({})
    control.after_activity_control({"name": "drain"}, {"status": "succeeded"})
    with pytest.raises(InterruptExecution, match="drain failed"):
        control.after_activity_control({"name": "drain"}, FAILED)
    control.before_rollback_control({})
    control.after_activity_control({"name": "uncordon"}, FAILED)


def ended(run_dir: Path, monkeypatch: pytest.MonkeyPatch, *, status: str = "completed") -> dict[str, Any]:
    """The journal's state after the control has seen the experiment of an opened run end."""
    monkeypatch.setattr(control, "_opened", [SimpleNamespace(run_dir=run_dir, phase="end")])
    state = {"status": status, "deviated": False}
    control.after_experiment_control({}, state)
    return state


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("PASS", {"status": "completed", "deviated": False}),
        ("FAIL", {"status": "completed", "deviated": True}),
        ("INVALID", {"status": "failed", "deviated": False}),
        ("INCONCLUSIVE", {"status": "failed", "deviated": False}),
    ],
)
@pytest.mark.parametrize("status", ["completed", "interrupted"])
def test_the_journal_agrees_with_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str, word: str, state: dict[str, Any]
) -> None:
    """PASS is a success, FAIL a deviation, and what decides nothing a failure, however the steps went."""
    shown: list[Any] = []
    monkeypatch.setattr(control, "judge", lambda _: SimpleNamespace(verdict=word))
    monkeypatch.setattr(control, "present", lambda *told, out: shown.append((*told, out)))

    assert ended(tmp_path, monkeypatch, status=status) == state

    assert [(run_dir, verdict.verdict) for run_dir, verdict, _ in shown] == [(tmp_path, word)]
    assert evidence.read_json(tmp_path / "journal.json") == {"status": status, "deviated": False}


def test_without_a_verdict_the_experiment_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chaos Toolkit hides what a control raises: a run that could not be judged must not exit with 0."""
    state = {"status": "completed", "deviated": False}
    monkeypatch.setattr(control, "_opened", [SimpleNamespace(run_dir=tmp_path, phase="end")])

    with pytest.raises(ScenarioError):
        control.after_experiment_control({}, state)

    assert state["status"] == "failed"


def test_a_runners_child_judges_nothing() -> None:
    """Its runner does: the journal stays as Chaos Toolkit wrote it."""
    state = {"status": "completed", "deviated": False}

    control.after_experiment_control({}, state)

    assert state == {"status": "completed", "deviated": False}
