"""A real Chaos Toolkit at work on a run: it ends, it is stopped, it dies with its runner."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sealegs.evidence import read_json, write_json
from sealegs.experiment import Played, failures
from sealegs.waiting import wait_until

pytestmark = pytest.mark.load

ROOT = Path(__file__).parents[2]
LIMIT_S = 60.0
Step = dict[str, Any]

RUNNER = """
import sys
from pathlib import Path
from sealegs.experiment import Played
from sealegs.waiting import wait_until
played = Played(Path(sys.argv[1]), Path(sys.argv[1], "experiment.json"), variables={})
wait_until(lambda: played.ended, ready=bool, limit_s=60, every_s=0.05, what="the experiment to end")
"""


def process(name: str, script: str, **fields: Any) -> Step:  # noqa: ANN401  an activity's own keys
    """A step that runs a script in the run's folder."""
    provider = {"type": "process", "path": "sh", "arguments": ["-c", script], "timeout": LIMIT_S}
    return {"type": "action", "name": name, "provider": provider, **fields}


def python(name: str, func: str, arguments: Mapping[str, Any], **fields: Any) -> Step:  # noqa: ANN401  as above
    """A step that calls a function of Python's own."""
    module, _, short = func.rpartition(".")
    provider = {"type": "python", "module": module, "func": short, "arguments": dict(arguments)}
    return {"type": "action", "name": name, "provider": provider, **fields}


def write(run_dir: Path, *method: Step, gate: Step | None = None) -> Path:
    """An experiment with the suite's control, whose rollback leaves a file."""
    experiment: dict[str, Any] = {
        "version": "1.0.0",
        "title": "a tiny experiment",
        "description": "disturbs nothing",
        "configuration": {"word": "unset", "count": 0},
        "controls": [{"name": "sealegs", "provider": {"type": "python", "module": "sealegs.control"}}],
        "runtime": {"hypothesis": {"strategy": "before-method-only"}, "rollbacks": {"strategy": "always"}},
        "method": list(method),
        "rollbacks": [
            python("fails", "os.rmdir", {"path": "no"}),
            process("roll back", "echo done > rolled-back"),
        ],
    }
    if gate is not None:
        probe = {**gate, "type": "probe", "tolerance": True}
        experiment["steady-state-hypothesis"] = {"title": "all is well", "probes": [probe]}
    (run_dir / "logs").mkdir()
    nowhere = {"kubeconfig": str(run_dir / "kubeconfig"), "context": "none"}
    write_json(run_dir / "run.json", {"cluster": nowhere})
    path = run_dir / "experiment.json"
    path.write_text(json.dumps(experiment))
    return path


def play_to_its_end(run_dir: Path, experiment: Path, **variables: str | float | bool) -> dict[str, Any]:
    """The journal of an experiment that ended by itself."""
    played = Played(run_dir, experiment, variables=variables)
    wait_until(lambda: played.ended, ready=bool, limit_s=LIMIT_S, every_s=0.05, what="the experiment to end")
    played.stop()
    log = (run_dir / "logs" / "chaos.log").read_text()
    journal = read_json(run_dir / "journal.json")
    assert journal is not None, log
    return journal


def reason_of(run_dir: Path) -> list[str]:
    """What did not go well, without the rollback that is there to fail."""
    return [one for one in failures(run_dir) if not one.startswith("fails: ")]


def test_an_experiment_ends_and_leaves_its_journal(tmp_path: Path) -> None:
    """Steps of both kinds are played in the run's folder with the scenario's values, typed; all rollbacks."""
    typed = process("typed", 'echo "$SEALEGS_RUN_DIR" > "${word}-${count}"')
    ready = python("is there", "os.path.isdir", {"s": str(tmp_path)})
    experiment = write(tmp_path, typed, python("a folder", "os.mkdir", {"path": "made"}), gate=ready)

    journal = play_to_its_end(tmp_path, experiment, word="said", count=3)

    assert [step["status"] for step in journal["run"]] == ["succeeded"] * 2, journal["run"]
    assert (tmp_path / "said-3").read_text() == f"{tmp_path}\n"
    assert (tmp_path / "made").is_dir()
    assert (tmp_path / "rolled-back").is_file()
    assert reason_of(tmp_path) == []


def test_a_step_that_raises_ends_the_method_and_is_told(tmp_path: Path) -> None:
    """What follows it is not played, its rollbacks are, and the reason is what was raised."""
    broken = python("a folder", "os.mkdir", {"path": "/proc/no"})
    experiment = write(tmp_path, broken, process("next", "echo > next"))

    play_to_its_end(tmp_path, experiment)

    assert not (tmp_path / "next").exists()
    assert (tmp_path / "rolled-back").is_file()
    (told,) = reason_of(tmp_path)
    assert told.startswith("a folder: FileNotFoundError: ")


def test_a_gate_that_raises_is_told(tmp_path: Path) -> None:
    """Nothing is injected, and the reason says what the gate's probe raised."""
    gate = python("stack is whole", "os.listdir", {"path": "no-such-folder"})
    experiment = write(tmp_path, process("inject", "echo > injected"), gate=gate)

    play_to_its_end(tmp_path, experiment)

    assert not (tmp_path / "injected").exists()
    (told,) = reason_of(tmp_path)
    assert told.startswith("the gate was not passed: stack is whole said FileNotFoundError: ")


def test_stopping_in_the_middle_plays_the_rollbacks(tmp_path: Path) -> None:
    """The step that is going on is cut off and told, and nothing is left running."""
    # Chaos Toolkit makes one dollar of the shell's own word for its number.
    script = "read -r pid rest < /proc/self/stat; echo $pid > .pid; mv .pid pid; exec sleep 600"
    hold = python("hold", "subprocess.run", {"args": ["sh", "-c", script]})
    played = Played(tmp_path, write(tmp_path, hold), variables={})
    wait_until(
        (tmp_path / "pid").exists,
        ready=bool,
        error=lambda _: played.ended,
        limit_s=LIMIT_S,
        every_s=0.02,
        what="the step to begin",
    )

    played.stop()

    assert played.ended
    assert (tmp_path / "rolled-back").is_file()
    assert reason_of(tmp_path) == ["hold: was cut off"]
    assert not lives(int((tmp_path / "pid").read_text()))
    played.stop()


def test_a_killed_runner_takes_it_along(tmp_path: Path) -> None:
    """It does not live on to disturb a cluster that nobody watches: no rollback is played by an orphan."""
    begun = process("begun", "echo $PPID > .pid; mv .pid pid")
    write(tmp_path, begun, python("hold", "signal.pause", {}))
    with subprocess.Popen([sys.executable, "-c", RUNNER, str(tmp_path)], cwd=ROOT) as runner:
        wait_until(
            (tmp_path / "pid").exists,
            ready=bool,
            error=lambda _: runner.poll() is not None,
            limit_s=LIMIT_S,
            every_s=0.02,
            what="the experiment to begin",
        )
        child = int((tmp_path / "pid").read_text())
        assert lives(child)
        runner.kill()
    wait_until(
        lambda: lives(child), ready=lambda there: not there, limit_s=10, every_s=0.02, what="it to end"
    )

    assert not (tmp_path / "rolled-back").exists()
    assert not (tmp_path / "journal.json").exists()


def lives(pid: int) -> bool:
    """Whether a process does anything; the dead of a dead parent may never be collected."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
