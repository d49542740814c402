"""What is done for runs whose runner was killed: made-up runs, real client, an API server in this process."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.golden.make_run import make_run
from tests.unit import api_objects, api_server
from tests.unit.api_server import NODES, Cluster

from sealegs import evidence, identity
from sealegs.errors import ClusterError
from sealegs.heal import heal, require_nothing_left
from sealegs.kube import lease

ANOTHER_BOOT = "00000000-0000-0000-0000-000000000000"
DEAD = {"pid": 2**22 + 1, "pid_started": "1"}  # no process has a number beyond 2^22


@dataclass(frozen=True)
class Stage:
    """A folder of runs, and the cluster that they were on: one node is cordoned."""

    root: Path
    cluster: Cluster

    def run(self, case: str = "killed", *, seed: int = 8, **changes: Any) -> Path:  # noqa: ANN401  run.json's own
        """A made-up run of a dead runner, unless `changes` of its run.json say otherwise."""
        run_dir = make_run(self.root / evidence.RUNS, case=case, seed=seed)
        run = evidence.read_json(run_dir / "run.json") or {}
        run["cluster"] |= {"kubeconfig": str(self.root / "kubeconfig"), "context": "test"}
        evidence.write_json(run_dir / "run.json", run | {"boot_id": identity.boot_id()} | DEAD | changes)
        return run_dir

    def leave_open(self, run_dir: Path, *, fault: str = "node_drain") -> None:
        """Have the run's fault still on."""
        evidence.record_undo(run_dir, fault=fault, action="uncordon", args={"node": "worker-b"})

    def hold(self, holder: str, *, since_s: float = 0.0) -> None:
        """Have a run's Lease still there, last renewed so long ago."""
        renewed = (datetime.now(UTC) - timedelta(seconds=since_s)).strftime(lease.STAMP)
        spec = {"holderIdentity": holder, "leaseDurationSeconds": lease.VALID_S, "renewTime": renewed}
        self.cluster.put(lease.LEASES, {"metadata": {"name": lease.NAME}, "spec": spec})

    @property
    def cordoned(self) -> bool:
        """Whether the node still is cordoned."""
        node = self.cluster.get(f"{NODES}/worker-b")
        assert node is not None
        return bool(node["spec"]["unschedulable"])


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """No run yet, and a cluster as a killed drain leaves it."""
    cluster = Cluster()
    cluster.put(NODES, api_objects.node("worker-b", unschedulable=True))
    with api_server.serving(tmp_path, cluster):
        yield Stage(tmp_path, cluster)


def errors_of(run_dir: Path) -> list[str]:
    """Errors that a run's timeline tells."""
    records = evidence.read_lines(run_dir / "timeline.jsonl").records
    return [one["message"] for one in records if one["kind"] == "error"]


def test_a_killed_run_is_undone_and_judged_once(stage: Stage) -> None:
    """The node is opened, the Lease gone, the verdict says that nothing follows; then nothing is left."""
    run_dir = stage.run()
    stage.leave_open(run_dir)
    stage.hold(run_dir.name)

    (healed,) = heal(stage.root)

    assert (healed.run_dir, healed.undone) == (run_dir, ("uncordoned worker-b",))
    assert not stage.cordoned
    assert stage.cluster.get(lease.LEASE) is None
    assert evidence.open_undos(run_dir) == ()
    assert errors_of(run_dir) == ["the runner was killed; uncordoned worker-b"]
    assert healed.verdict is not None
    assert healed.verdict.verdict == "INVALID"
    assert any(reason.startswith("run did not finish: last phase fault") for reason in healed.verdict.reasons)
    assert healed.verdict.counts["ok"] > 0
    assert (run_dir / "verdict.json").is_file()
    asked = len(stage.cluster.asked)
    assert list(heal(stage.root)) == []
    assert len(stage.cluster.asked) == asked


def test_a_run_that_goes_on_is_left_alone(stage: Stage) -> None:
    """Its runner lives: nothing is undone under it, nothing asked, nothing written."""
    run_dir = stage.run(pid=os.getpid(), pid_started=identity.process_started(os.getpid()))
    stage.leave_open(run_dir)

    assert list(heal(stage.root)) == []
    assert stage.cordoned
    assert stage.cluster.asked == []
    assert not (run_dir / "verdict.json").exists()


def test_a_runner_that_was_just_killed_is_dead(stage: Stage) -> None:
    """Its number may be seen for as long as nobody has collected it: that is no life."""
    words = [sys.executable, "-S", "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as runner:
        run_dir = stage.run(pid=runner.pid, pid_started=identity.process_started(runner.pid))
        stage.leave_open(run_dir)
        runner.kill()
        os.waitid(os.P_PID, runner.pid, os.WEXITED | os.WNOWAIT)

        assert [one.run_dir for one in heal(stage.root)] == [run_dir]

    assert not stage.cordoned


def test_a_finished_run_is_left_alone(stage: Stage) -> None:
    """A run with its verdict, and nothing open, is not judged again."""
    run_dir = stage.run()
    (run_dir / "verdict.json").write_text("judged")

    assert list(heal(stage.root)) == []
    assert (run_dir / "verdict.json").read_text() == "judged"
    assert stage.cluster.asked == []


def test_a_judged_run_whose_fault_is_on_is_undone(stage: Stage) -> None:
    """A run that could not undo its fault at its end has a verdict, and still is healed."""
    run_dir = stage.run("pass")
    (run_dir / "verdict.json").write_text("judged")
    stage.leave_open(run_dir)

    (healed,) = heal(stage.root)

    assert not stage.cordoned
    assert healed.verdict is not None
    assert healed.verdict.verdict == "INVALID"


def test_the_lease_of_another_run_stays(stage: Stage) -> None:
    """What holds the cluster now is not what was killed."""
    stage.run()
    stage.hold("another")

    assert len(list(heal(stage.root))) == 1
    assert stage.cluster.get(lease.LEASE) is not None


def test_another_run_is_not_healed_into(stage: Stage) -> None:
    """While somebody else has the cluster nothing is undone there; when that Lease is void it is."""
    run_dir = stage.run()
    stage.leave_open(run_dir)
    stage.hold("another")

    (healed,) = heal(stage.root)

    assert stage.cordoned
    assert healed.left is not None
    assert "run another is going on there" in healed.left
    stage.hold("another", since_s=lease.VALID_S + 1)
    assert [one.left for one in heal(stage.root)] == [None]
    assert not stage.cordoned


@pytest.mark.parametrize(
    "begun", [{"boot_id": ANOTHER_BOOT}, {"pid_namespace": "pid:[1]"}], ids=["machine", "container"]
)
def test_a_run_that_goes_on_elsewhere_is_left_alone(stage: Stage, begun: dict[str, Any]) -> None:
    """Where the folder is shared its process cannot be seen: while its Lease is valid nothing is touched."""
    run_dir = stage.run(**begun)
    stage.leave_open(run_dir)
    stage.hold(run_dir.name)
    before = {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()}

    (healed,) = heal(stage.root)

    assert healed.left is not None
    assert "another machine or in another container, or was killed less than a minute ago" in healed.left
    assert (healed.undone, healed.verdict) == ((), None)
    assert stage.cordoned
    assert stage.cluster.get(lease.LEASE) is not None
    assert {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()} == before
    stage.hold(run_dir.name, since_s=lease.VALID_S + 1)
    assert [one.undone for one in heal(stage.root)] == [("uncordoned worker-b",)]


def test_what_cannot_be_undone_holds_up_nothing_else(stage: Stage) -> None:
    """It is named, with its file, and stays open; older undos are done, other runs healed, all are judged."""
    run_dir, other = stage.run(seed=9), stage.run(seed=8)
    stage.leave_open(run_dir)
    stage.leave_open(run_dir, fault="volcano")

    first, second = heal(stage.root)

    assert first.undone == ("uncordoned worker-b",)
    assert first.left is not None
    assert first.left.endswith("undo.jsonl: nobody here knows the fault 'volcano'")
    assert [one.fault for one in evidence.open_undos(run_dir)] == ["volcano"]
    assert first.verdict is not None
    assert (second.run_dir, second.left) == (other, None)
    assert [one.run_dir for one in heal(stage.root)] == [run_dir]


def test_a_run_begins_over_nobodys_fault(stage: Stage) -> None:
    """On a cluster where a killed run's fault may be on none begins; on another, or when healed, one may."""
    run_dir = stage.run()
    stage.leave_open(run_dir)

    with pytest.raises(
        ClusterError, match=rf"{run_dir.name} ended, .* `sealegs heal --root {stage.root}` first"
    ):
        require_nothing_left(stage.root, context="test")
    require_nothing_left(stage.root, context="elsewhere")
    list(heal(stage.root))
    require_nothing_left(stage.root, context="test")


def test_a_silent_cluster_keeps_its_undo_open(stage: Stage) -> None:
    """What could not be undone is told, and is done when the cluster answers again."""
    run_dir = stage.run()
    stage.leave_open(run_dir)
    kubeconfig = (stage.root / "kubeconfig").read_bytes()
    (stage.root / "kubeconfig").unlink()

    (healed,) = heal(stage.root)
    assert healed.left is not None
    assert re.search(r"context test of .*kubeconfig cannot be used", healed.left)
    assert len(evidence.open_undos(run_dir)) == 1
    (stage.root / "kubeconfig").write_bytes(kubeconfig)

    assert [one.undone for one in heal(stage.root)] == [("uncordoned worker-b",)]


def test_a_cluster_that_has_gone_holds_up_no_verdict(stage: Stage) -> None:
    """Where nothing is left to undo, a run is judged without its cluster."""
    run_dir = stage.run()
    (stage.root / "kubeconfig").unlink()

    (healed,) = heal(stage.root)

    assert (healed.run_dir, healed.undone) == (run_dir, ())
    assert healed.verdict is not None


def test_a_folder_that_cannot_be_judged_holds_up_no_other(stage: Stage) -> None:
    """A run killed before its scenario was copied is undone and told; the others are healed."""
    torn, whole = stage.run(seed=9), stage.run(seed=8)
    (torn / "scenario.toml").unlink()
    stage.leave_open(torn)

    first, second = heal(stage.root)

    assert (first.run_dir, first.verdict, second.run_dir) == (torn, None, whole)
    assert "scenario.toml" in first.problems[0]
    assert not stage.cordoned
    assert second.verdict is not None


def test_a_run_that_does_not_say_whose_it_is_is_told(stage: Stage) -> None:
    """Its run.json is torn, its fault may be on, nobody knows where: no run begins, and `heal` names it."""
    run_dir = stage.run()
    stage.leave_open(run_dir)
    (run_dir / "run.json").write_text('{"run_id": "torn')

    with pytest.raises(ClusterError, match=rf"{run_dir.name}: .* undo by hand"):
        require_nothing_left(stage.root, context="test")
    (healed,) = heal(stage.root)
    assert healed.left is not None
    assert "run.json" in healed.left


def test_after_another_start_of_the_machine_no_time_is_made_up(stage: Stage) -> None:
    """The timeline's clock began anew: the undo is done, and no record with a wrong time is written."""
    run_dir = stage.run(boot_id=ANOTHER_BOOT)
    stage.leave_open(run_dir)
    before = (run_dir / "timeline.jsonl").read_bytes()

    (healed,) = heal(stage.root)

    assert not stage.cordoned
    assert (run_dir / "timeline.jsonl").read_bytes() == before
    assert healed.verdict is not None
    assert healed.verdict.verdict == "INVALID"


def test_no_runs_are_nothing_to_heal(tmp_path: Path) -> None:
    """Neither an empty folder nor one that is not a run is an error."""
    assert list(heal(tmp_path)) == []
    (tmp_path / evidence.RUNS / "not-a-run").mkdir(parents=True)
    assert list(heal(tmp_path)) == []
