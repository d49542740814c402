"""The hang of an engine as its experiment has it: one process that stops and goes on, an API server here."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.unit import api_objects
from tests.unit.api_server import PODS
from tests.unit.drain_stage import Stage, staged, write_run

from sealegs import evidence
from sealegs.active import active_run
from sealegs.errors import ClusterError
from sealegs.faults import engine_hang, node_process


def engine(*, ready: bool = True, restarts: int = 0, phase: str = "Running") -> api_objects.Json:
    """The engine of worker-b as its kubelet tells of it."""
    status = {**api_objects.container("inference"), "containerID": f"containerd://id-{restarts}"}
    return api_objects.pod("engine-b", on="worker-b", ready=ready, phase=phase, statuses=[status])


@dataclass
class Node:
    """What the nodes' containerds were asked, with what was known then, and which containers are stopped."""

    stage: Stage
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    knew: list[tuple[int, list[str]]] = field(default_factory=list)
    stopped: set[str] = field(default_factory=set)

    def send(self, signal: str, *, node: str, container: str) -> None:
        """What `node_process.send` does."""
        self.asked.append((signal, node, container))
        self.knew.append((len(evidence.open_undos(self.stage.run_dir)), self.stage.states()))
        (self.stopped.add if signal == "SIGSTOP" else self.stopped.discard)(container)

    def state(self, *, node: str, container: str) -> str:
        """What `node_process.state` does."""
        assert node == "worker-b"
        return "T" if container in self.stopped else "S"


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Three nodes with an engine each; that of worker-c serves nothing."""
    with staged(tmp_path, monkeypatch) as ready:
        ready.cluster.put(PODS, engine())
        yield ready


@pytest.fixture
def node(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Node:
    """The node that the engine is on."""
    made = Node(stage)
    monkeypatch.setattr(node_process, "send", made.send)
    monkeypatch.setattr(node_process, "state", made.state)
    return made


def test_a_hang_goes_through_all_its_states(stage: Stage, node: Node) -> None:
    """Armed, injected, landed, undone, gone: once each, in order, and the same process goes on."""
    with stage.recorded():
        done = engine_hang.inject(streams_min=3, pod="engine-b")
        stage.cluster.put(PODS, engine(ready=False))
        assert engine_hang.landed(limit_s=2)["state"] == "T"
        assert engine_hang.undo() == "engine-b goes on"
        with pytest.raises(TimeoutError, match=r"^fault is not gone: .*'ready': False"):
            engine_hang.gone(limit_s=0.05)
        stage.cluster.put(PODS, engine())
        assert engine_hang.gone(limit_s=2) == "seen: pod engine-b going on and ready, or gone"

    assert stage.states() == ["armed", "injected", "landed", "undone", "gone"]
    assert node.asked == [("SIGSTOP", "worker-b", "id-0"), ("SIGCONT", "worker-b", "id-0")]
    assert node.knew[0] == (1, ["armed", "injected"])
    assert (done["pods"], done["streams"]) == (["engine-b"], 5)
    assert not evidence.open_undos(stage.run_dir)
    assert stage.changes_asked() == []


def test_a_foreign_clusters_processes_are_left_alone(stage: Stage, node: Node) -> None:
    """On a cluster not made here nothing is asked of a node, whatever its namespaces opted in to."""
    write_run(stage.run_dir, kubeconfig=stage.run_dir.parents[2] / "kubeconfig", owned=False)

    with pytest.raises(ClusterError, match="only to the cluster made here"):
        engine_hang.inject(streams_min=1)
    assert (node.asked, stage.states()) == ([], [])


def test_a_hang_that_does_nothing_does_not_land(stage: Stage, node: Node) -> None:
    """An engine that is not ready for another reason, its process running, was not stopped."""
    with stage.recorded():
        with active_run() as run:
            victim, streams = engine_hang.arm(run, streams_min=1, pod="engine-b")
            engine_hang.note_injected(run, victim, streams=streams)
        stage.cluster.put(PODS, engine(ready=False))
        with pytest.raises(TimeoutError, match=r"^fault did not land: .*'state': 'S', .*'ready': False"):
            engine_hang.landed(limit_s=0.1)
        engine_hang.undo()
        assert engine_hang.gone().startswith("nothing is gone")

    assert node.asked == []
    assert stage.states() == ["armed", "injected"]


@pytest.mark.usefixtures("node")
def test_landed_needs_the_kubelet_and_the_recorder(stage: Stage) -> None:
    """A stopped process that nobody misses, or that nobody watched, is not a hang that landed."""
    engine_hang.inject(streams_min=1, pod="engine-b")

    with pytest.raises(TimeoutError, match=r"^fault did not land: .*'state': 'T', .*'ready': True"):
        engine_hang.landed(limit_s=0.05)
    stage.cluster.put(PODS, engine(ready=False))
    with pytest.raises(TimeoutError, match=r"^fault did not land: .*'recorded_ready': None, 'ready': False"):
        engine_hang.landed(limit_s=0.05)


@pytest.mark.usefixtures("node")
def test_landed_and_gone_need_a_fresh_read(stage: Stage) -> None:
    """What the recorder wrote last may be over by now, the hang as well as its end."""
    engine_hang.inject(streams_min=1, pod="engine-b")
    with active_run() as run:
        run.timeline.note("pod", name="engine-b", uid="uid-engine-b", ready=False)
    with pytest.raises(TimeoutError, match=r"^fault did not land: .*'recorded_ready': False, 'ready': True"):
        engine_hang.landed(limit_s=0.05)
    engine_hang.undo()
    with active_run() as run:
        run.timeline.note("pod", name="engine-b", uid="uid-engine-b", ready=True)
    stage.cluster.put(PODS, engine(ready=False))
    with pytest.raises(TimeoutError, match=r"^fault is not gone: .*'recorded_ready': True, 'ready': False"):
        engine_hang.gone(limit_s=0.05)


@pytest.mark.usefixtures("stage")
def test_gone_needs_the_process_to_go_on(node: Node) -> None:
    """A process that is stopped again, or still, is not gone though its pod is called ready."""
    engine_hang.inject(streams_min=1, pod="engine-b")
    with pytest.raises(ClusterError, match="its undo has not been done"):
        engine_hang.gone()
    engine_hang.undo()
    node.stopped.add("id-0")

    with pytest.raises(TimeoutError, match=r"^fault is not gone: .*'state': 'T'"):
        engine_hang.gone(limit_s=0.05)


def test_undo_finds_the_pod_as_it_is_now(stage: Stage, node: Node) -> None:
    """A container that was begun anew is signalled in the old one's place; a pod that is gone needs none."""
    engine_hang.inject(streams_min=1, pod="engine-b")
    (recorded,) = evidence.open_undos(stage.run_dir)
    stage.cluster.put(PODS, engine(restarts=1))
    assert engine_hang.undo_one(stage.api, recorded) == "engine-b goes on"
    assert node.asked[-1] == ("SIGCONT", "worker-b", "id-1")
    with pytest.raises(ClusterError, match="nobody here knows how to 'halt'"):
        engine_hang.undo_one(stage.api, replace(recorded, action="halt"))

    stage.cluster.delete(PODS, "engine-b")
    assert engine_hang.undo() == "the pod that was stopped is no more"
    assert engine_hang.undo().startswith("nothing to undo")
    assert engine_hang.gone(limit_s=2) == "seen: pod engine-b going on and ready, or gone"
    assert len(node.asked) == 2
