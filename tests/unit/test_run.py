"""How a run begins and, above all, ends: whatever happens, its evidence is kept and the fault is undone."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from tests.unit import api_objects, api_server
from tests.unit.api_server import NODES

from sealegs import evidence, identity
from sealegs.cluster import Cluster, docker
from sealegs.errors import ClusterError
from sealegs.judge import judge
from sealegs.kube import lease
from sealegs.kube.api import connect
from sealegs.mutant import FILE as MUTANT
from sealegs.mutant import MUTANTS, planted
from sealegs.run import Run, open_run
from sealegs.scenario import Scenario, load_scenario

if TYPE_CHECKING:
    from sealegs.traffic.load import Load

ROOT = Path(__file__).parents[2]


@dataclass
class BrokenLoad:
    """Load that cannot be ended."""

    stopped: int = 0

    def stop(self) -> None:
        """Fail as nobody thought of."""
        self.stopped += 1
        raise RuntimeError("a mistake of ours")


@dataclass
class Stage:
    """A repository with one scenario, and a cluster whose node is cordoned."""

    root: Path
    cluster: api_server.Cluster
    said: list[str] = field(default_factory=list)
    mutant: str | None = None

    @property
    def scenario(self) -> Scenario:
        """The scenario of the repository, with the mutant in its stack if there is one."""
        scenario = load_scenario(self.root / "scenarios" / "gpu-node-drain.toml")
        return planted(scenario, self.mutant, root=self.root) if self.mutant else scenario

    @contextmanager
    def watch(self, run_dir: Path) -> Iterator[Callable[[str], None]]:
        """Keep what is said of the run in its folder."""
        assert (run_dir / "scenario.toml").is_file()
        yield self.said.append

    @contextmanager
    def run(self) -> Iterator[Run]:
        """A run that is open."""
        where = Cluster("test", self.root / "kubeconfig", "test", "http://127.0.0.1:1", owned=True)
        with open_run(self.scenario, where, door="test", watch=self.watch) as run:
            yield run

    @property
    def run_dir(self) -> Path:
        """The folder of the only run."""
        (found,) = evidence.run_dirs(self.root)
        return found

    @property
    def errors(self) -> list[tuple[str, str]]:
        """Where and what of each error in the run's timeline."""
        records = evidence.read_lines(self.run_dir / "timeline.jsonl").records
        return [(one["where"], one["message"]) for one in records if one["kind"] == "error"]

    @property
    def cordoned(self) -> bool:
        """Whether the node still is cordoned."""
        node = self.cluster.get(f"{NODES}/worker-b")
        assert node is not None
        return bool(node["spec"]["unschedulable"])


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A stage for one run, on a machine whose Docker answers."""
    monkeypatch.setattr(docker, "answers", lambda: True)
    for name in ("experiments", "locustfiles"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "gpu-node-drain.toml").write_bytes(
        (ROOT / "scenarios" / "gpu-node-drain.toml").read_bytes()
    )
    cluster = api_server.Cluster()
    cluster.put(NODES, api_objects.node("worker-b", unschedulable=True))
    cluster.put("", {"metadata": {"name": "version"}, "gitVersion": "v1.37.0"})
    with api_server.serving(tmp_path, cluster):
        yield Stage(tmp_path, cluster)


def test_a_docker_that_has_gone_is_said_in_one_sentence(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster made here goes with its Docker: the evidence says so first, and what brings it back."""
    with stage.run():
        monkeypatch.setattr(docker, "answers", lambda: False)
        raise ClusterError("the API server did not answer")

    assert [message for _, message in stage.errors] == [
        "Docker no longer answers, and the cluster with it: `sealegs cluster up`",
        "the API server did not answer",
    ]


def leave_open(run: Run) -> None:
    """Have a fault on that the experiment did not undo."""
    evidence.record_undo(run.run_dir, fault="node_drain", action="uncordon", args={"node": "worker-b"})


def test_a_run_is_on_disk_before_anything_happens(stage: Stage) -> None:
    """Who it is and what was asked stand in its folder when it is open; the cluster is held meanwhile."""
    with stage.run() as run:
        held = stage.cluster.get(lease.LEASE)
        assert {path.name for path in run.run_dir.iterdir()} >= {
            "run.json", "scenario.toml", "experiment.json", "timeline.jsonl", "logs"
        }  # fmt: skip
        document = evidence.read_json(run.run_dir / "run.json") or {}
        assert document["command"] == "sealegs run scenarios/gpu-node-drain.toml"
        assert document["nodes"] == [{"name": "worker-b", "zone": "zone-a", "gpus": 2, "kubelet": ""}]
        assert document["versions"]["kubernetes-server"] == "v1.37.0"
        assert held is not None
        assert held["spec"]["holderIdentity"] == run.run_dir.name == document["run_id"]

    assert stage.cluster.get(lease.LEASE) is None
    assert stage.errors == []


def test_a_planted_defect_is_said_in_the_runs_folder(stage: Stage) -> None:
    """Its file lies there, run.json names it, the command plants it again, the run is named after both."""
    text = 'title = "t"\ndefect = "d"\nscenario = "gpu-node-drain"\nkills = ["pdb-honoured"]\n'
    (stage.root / MUTANTS / "no-pdb").mkdir(parents=True)
    (stage.root / MUTANTS / "no-pdb" / MUTANT).write_text(text)
    stage.mutant = "no-pdb"

    with stage.run() as run:
        document = evidence.read_json(run.run_dir / "run.json") or {}
        assert document["command"] == "sealegs run scenarios/gpu-node-drain.toml --mutant no-pdb"
        assert (document["scenario"], document["mutant"]) == ("gpu-node-drain", "no-pdb")
        assert "-gpu-node-drain-no-pdb-s" in document["run_id"]
        assert (run.run_dir / MUTANT).read_text() == text


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (ClusterError("it is on fire"), "it is on fire"),
        (TimeoutError("waited 5 s"), "waited 5 s"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_what_the_environment_does_is_in_the_evidence(
    stage: Stage, raised: BaseException, message: str
) -> None:
    """It ends the run, not the program: the verdict says INVALID and why, and the fault is undone."""
    with stage.run() as run:
        leave_open(run)
        raise raised

    assert stage.errors == [("opening", message), ("opening", "left by the experiment: uncordoned worker-b")]
    assert not stage.cordoned
    verdict = judge(stage.run_dir)
    assert verdict.verdict == "INVALID"
    assert any(message in reason for reason in verdict.reasons)


def test_what_nobody_thought_of_is_in_the_evidence_and_raised(stage: Stage) -> None:
    """A mistake of ours is not swallowed, and keeps no fault on and no Lease held."""

    def fail() -> None:
        with stage.run() as run:
            leave_open(run)
            raise ValueError("a mistake of ours")

    with pytest.raises(ValueError, match="a mistake of ours"):
        fail()

    assert stage.errors[0] == ("opening", "ValueError('a mistake of ours')")
    assert not stage.cordoned
    assert stage.cluster.get(lease.LEASE) is None


def test_closing_tries_everything(stage: Stage) -> None:
    """Load that cannot be ended and rollbacks that hang keep neither the fault on nor the tables open."""

    def hang() -> None:
        raise TimeoutError("waited 60 s for Chaos Toolkit to play its rollbacks")

    load = BrokenLoad()
    closed: list[str] = []
    with stage.run() as run:
        leave_open(run)
        (run.run_dir / "requests.jsonl").touch()
        run.load = cast("Load", load)
        parts = run._parts  # noqa: SLF001  where inject and baseline put what they began
        parts.callback(closed.append, "recorder")
        parts.callback(hang)

    assert (load.stopped, closed) == (1, ["recorder"])
    assert [message for _, message in stage.errors] == [
        "RuntimeError('a mistake of ours')",
        "waited 60 s for Chaos Toolkit to play its rollbacks",
        "left by the experiment: uncordoned worker-b",
    ]
    assert not stage.cordoned
    assert (stage.run_dir / "requests.parquet").is_file()


def test_a_cluster_that_goes_in_the_middle_costs_no_verdict(stage: Stage) -> None:
    """Evidence is closed, what could not be undone stays open for `sealegs heal`, and nothing is raised."""
    (stage.root / "gone").mkdir()
    nowhere = connect(api_server.kubeconfig(stage.root / "gone", 1), context="test")
    with stage.run() as run, closing(nowhere):
        leave_open(run)
        run.api = nowhere
        stage.cluster.refuses.add(lease.LEASE)
        raise ClusterError("the recorder is broken")

    assert stage.errors[0] == ("opening", "the recorder is broken")
    assert "the API server did not answer PATCH /api/v1/nodes/worker-b" in stage.errors[1][1]
    assert len(evidence.open_undos(stage.run_dir)) == 1
    assert judge(stage.run_dir).verdict == "INVALID"


def test_a_run_whose_cluster_was_taken_ends_at_once(stage: Stage) -> None:
    """Two runs on one cluster would disturb each other: the first wait after it ends this one, told once."""
    with stage.run() as run:
        run.lost.append("the cluster was taken by run another")
        run.hold()

    assert stage.errors == [("opening", "the cluster was taken by run another")]


def test_a_loss_that_nothing_waited_for_is_told(stage: Stage) -> None:
    """Also when the run is at its end already."""
    with stage.run() as run:
        run.lost.append("the cluster was taken by run another")

    assert stage.errors == [("opening", "the cluster was taken by run another")]


def test_a_second_run_is_refused_before_it_has_a_folder(stage: Stage) -> None:
    """While one is open another is told who it is, and leaves nothing behind."""
    with stage.run(), pytest.raises(ClusterError, match="is going on here"), stage.run():
        pass

    assert len(list(evidence.run_dirs(stage.root))) == 1


def test_an_interrupt_while_closing_keeps_no_fault_on(stage: Stage) -> None:
    """What it met is cut short, as rollbacks may be; the rest is tried, and the run has its verdict."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with stage.run() as run:
        leave_open(run)
        run._parts.callback(interrupt)  # noqa: SLF001  as above

    assert [message for _, message in stage.errors] == [
        "interrupted",
        "left by the experiment: uncordoned worker-b",
    ]
    assert not stage.cordoned
    assert stage.cluster.get(lease.LEASE) is None
    assert judge(stage.run_dir).verdict == "INVALID"


def test_who_a_run_is_tells_among_which_processes(stage: Stage) -> None:
    """The folder may be looked at from another container, where its number is somebody else's."""
    with stage.run() as run:
        document = evidence.read_json(run.run_dir / "run.json") or {}
        assert document["pid_namespace"] == identity.pid_namespace()
        assert identity.is_running(document)
