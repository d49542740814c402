"""Chaos Toolkit's side of a run: `chaos run` opens one, or joins the one that `sealegs run` has open.

An experiment names this module as its control. Opened here, a run is closed and judged when the experiment
ends, and the journal's status and the exit code of `chaos run` agree with the verdict.
"""

import json
import os
import signal
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from chaoslib.exceptions import InterruptExecution

from sealegs import evidence
from sealegs.active import environment_of
from sealegs.cluster import connect
from sealegs.doors import present
from sealegs.errors import ClusterError, ScenarioError
from sealegs.experiment import RUNNER_PID
from sealegs.judge import judge
from sealegs.kube.api import make_default
from sealegs.progress import shown
from sealegs.run import Run, open_run
from sealegs.scenario import load_scenario
from sealegs.traffic.process import die_with

EXPERIMENT_ERRORS = (ScenarioError, ClusterError, TimeoutError)

# Chaos Toolkit calls functions of a module: what lasts from one call to the next has no other place.
_block = ExitStack()
_opened: list[Run] = []
_in_method: list[bool] = []


def before_experiment_control(context: dict[str, Any], configuration: dict[str, Any]) -> None:
    """Join the runner's run, or open one and take it through its baseline.

    Raises:
        InterruptExecution: no run could be opened; says why.
    """
    del context
    if RUNNER_PID in os.environ:
        die_with(int(os.environ[RUNNER_PID]), number=signal.SIGKILL)
        return
    try:
        scenario = load_scenario(Path(str(configuration["scenario"])))
        cluster = connect(str(configuration.get("context") or "") or None)
        # No rows: Chaos Toolkit tells its own story on the same terminal.
        watch = partial(shown, out=sys.stderr, live=False)
        run = _block.enter_context(open_run(scenario, cluster, door="chaos", watch=watch))
        os.environ.update(environment_of(run.run_dir))
        make_default(cluster.kubeconfig)
        _opened.append(run)
        # The steps that follow are given this very object, with the values that the run's evidence has.
        known = {**run.api.shape.variables, **scenario.experiment_vars}
        configuration.update((name, value) for name, value in known.items() if name in configuration)
        run.baseline()
    except EXPERIMENT_ERRORS as error:
        if _opened:
            _opened[0].note_failure(error)
        raise InterruptExecution(str(error)) from error
    finally:
        unforeseen = sys.exc_info()[1]
        if isinstance(unforeseen, Exception) and not isinstance(unforeseen, InterruptExecution):
            # Chaos Toolkit hides any other error of a control and goes on, to disturb what nobody watches.
            raise InterruptExecution(repr(unforeseen)) from unforeseen


def before_method_control(context: dict[str, Any]) -> None:
    """The gate is passed. A probe of the gate that failed needs no help to end the experiment."""
    del context
    _in_method.append(True)


def after_activity_control(context: dict[str, Any], state: dict[str, Any]) -> None:
    """A step that failed ends the experiment: what follows would disturb a system in an unknown state.

    Raises:
        InterruptExecution: the step failed; its rollbacks are still played.
    """
    if state and state.get("status") == "failed" and _in_method:
        raise InterruptExecution(f"{context.get('name')} failed")


def before_rollback_control(context: dict[str, Any]) -> None:
    """From here on every step is tried, whatever became of the one before."""
    del context
    _in_method.clear()


def after_experiment_control(context: dict[str, Any], state: dict[str, Any]) -> None:
    """The run that was opened here is closed and judged; the journal agrees with the verdict."""
    del context
    if not _opened:
        return
    run = _opened[0]
    journal = json.loads(json.dumps(state, default=str))
    # Chaos Toolkit hides what a control raises: without a verdict the journal must not read as a success.
    state["status"] = "failed"
    with _block:  # errors of the environment are noted in it, and not raised
        evidence.write_json(run.run_dir / "journal.json", journal)
        if run.phase == "fault":
            run.recover()
    verdict = judge(run.run_dir)
    state["deviated"] = verdict.verdict == "FAIL"
    if verdict.verdict in {"PASS", "FAIL"}:
        state["status"] = "completed"
    present(run.run_dir, verdict, out=sys.stdout)
