"""An experiment played by a Chaos Toolkit of its own, beside the runner."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sealegs.active import environment_of
from sealegs.evidence import read_json
from sealegs.waiting import TIMEOUTS, wait_until

RUNNER_PID = "SEALEGS_RUNNER_PID"
LOG = Path("logs", "chaos.log")
LOOK_EVERY_S = 0.1
CHAOS = (sys.executable, "-c", "from chaostoolkit.cli import cli; cli()")


class Played:
    """A Chaos Toolkit at work on a run's experiment."""

    def __init__(
        self, run_dir: Path, experiment: Path, *, variables: Mapping[str, str | int | float | bool]
    ) -> None:
        """Start it. It ends when the runner does, however that ends; its undo is on disk."""
        run_dir = run_dir.resolve()
        # No settings of the user's own: what is run is what the run's folder says.
        options = ["--no-version-check", "--settings", str(run_dir / "none.yaml")]
        options += ["--log-file", str(run_dir / "logs" / "chaos-debug.log")]
        words = ["--journal-path", str(run_dir / "journal.json")]
        words += [word for key, value in variables.items() for word in ("--var", _variable(key, value))]
        told = environment_of(run_dir) | {RUNNER_PID: str(os.getpid())}
        with (run_dir / LOG).open("ab") as log:
            self._child = subprocess.Popen(
                [*CHAOS, *options, "run", *words, str(experiment.resolve())],
                cwd=run_dir,
                env=os.environ | told,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,  # Ctrl-C is the runner's to hear
            )

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._child.poll() is not None

    def stop(self) -> None:
        """It has ended, with its rollbacks played if it was still at work.

        Raises:
            TimeoutError: the rollbacks took too long; they were cut.
        """
        if self.ended:
            return
        self._child.send_signal(signal.SIGUSR1)
        try:
            wait_until(
                lambda: self.ended,
                ready=bool,
                limit_s=TIMEOUTS.rollbacks_s,
                every_s=LOOK_EVERY_S,
                what="Chaos Toolkit to play its rollbacks",
            )
        finally:
            self._child.kill()
            self._child.wait()


def failures(run_dir: Path) -> Iterator[str]:
    """What of an experiment did not go as written, by its journal, a line each."""
    journal = read_json(run_dir / "journal.json")
    if journal is None:
        yield f"Chaos Toolkit left no journal, see {run_dir / LOG}"
        return
    told = list(_told(journal))
    if not told and journal.get("status") != "completed":
        told = [f"the experiment ended as {journal.get('status')}, see {run_dir / LOG}"]
    yield from told


def _told(journal: Mapping[str, Any]) -> Iterator[str]:
    """What the journal says of its gate and of each step, where that did not go well."""
    before = (journal.get("steady_states") or {}).get("before") or {}
    if before.get("steady_state_met") is False:
        yield f"the gate was not passed: {', '.join(_missed(before))}"
    for step in (*journal.get("run", ()), *journal.get("rollbacks", ())):
        if step.get("status") != "succeeded":
            yield f"{step['activity']['name']}: {_reason(step)}"


def _missed(state: Mapping[str, Any]) -> Iterator[str]:
    for probe in state.get("probes", ()):
        if not probe.get("tolerance_met"):
            said = _reason(probe) if probe.get("status") == "failed" else probe.get("output")
            yield f"{probe['activity']['name']} said {said}"


def _reason(step: Mapping[str, Any]) -> str:
    """The last line of a step's exception: what was raised, without where."""
    lines = [str(line).strip() for line in step.get("exception") or () if str(line).strip()]
    if not lines:
        return str(step.get("status", "was cut off"))
    return lines[-1].partition(": ")[2] or lines[-1]


def _variable(key: str, value: str | float | bool) -> str:  # noqa: FBT001  a scenario's value
    """A variable as the command line takes it, with its type."""
    kind = {int: ":int", float: ":float"}.get(type(value), "")
    return f"{key}{kind}={value}"
