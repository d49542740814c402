"""The freeze of the API server as its experiment calls it: a Docker of shell, an API server here."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit import api_objects, fake_docker
from tests.unit.api_server import DEPLOYMENTS, NODES
from tests.unit.drain_stage import Stage, staged, write_run

from sealegs import evidence, recorder
from sealegs.active import active_run
from sealegs.errors import ClusterError
from sealegs.faults import apiserver_down

# A frozen process has a file.
CASES = """
    *"pkill -STOP -x kube-apiserver"*) touch "frozen-$2" ;;
    *"pkill -CONT -x kube-apiserver"*) rm -f "frozen-$2" ;;
    *"ps -C kube-apiserver"*) [ -e "frozen-$2" ] && echo Tsl || echo SNsl ;;
"""
TARGET = {"api_server": True, "every_stream": True, "nodes": ["control"]}


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Three nodes with an engine each, and the control plane's."""
    fake_docker.install(tmp_path, monkeypatch, CASES)
    monkeypatch.setattr(apiserver_down, "LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(apiserver_down, "BACK_LIMIT_S", 0.05)
    monkeypatch.setattr(recorder, "SAMPLE_EVERY_S", 0.02)
    with staged(tmp_path, monkeypatch) as ready:
        control = api_objects.node("control", gpus=0)
        control["metadata"]["labels"]["node-role.kubernetes.io/control-plane"] = ""
        ready.cluster.put(NODES, control)
        ready.cluster.put(DEPLOYMENTS, api_objects.deployment("llm-inference", wanted=3, ready=3))
        yield ready


def silence(stage: Stage) -> None:
    """The API server does not answer us."""
    stage.cluster.refuses |= {NODES, DEPLOYMENTS}


def signals(stage: Stage) -> list[str]:
    """What Docker was asked to send."""
    return [line.split(" sh -c ")[0] for line in fake_docker.asked(stage.run_dir.parents[2], "pkill")]


def claim_to_freeze() -> None:
    """Aim and note the injection, and change nothing."""
    with active_run() as run:
        target, streams = apiserver_down.arm(run, streams_min=1)
        apiserver_down.note_injected(run, target, streams=streams)


def test_a_freeze_goes_through_all_its_states(stage: Stage) -> None:
    """Armed, injected, landed, undone, gone: each is noted once, in order, and says that nobody can look."""
    with stage.recorded():
        done = apiserver_down.inject(streams_min=9)
        silence(stage)
        assert apiserver_down.landed(limit_s=2)["frozen"] == {"control": True}
        stage.cluster.refuses.clear()
        apiserver_down.undo()
        assert apiserver_down.gone(limit_s=2).startswith("seen: the API server of control answering us")

    assert stage.states() == ["armed", "injected", "landed", "undone", "gone"]
    assert signals(stage) == ["exec control", "exec control"]
    assert done == {**TARGET, "streams": 9}
    assert all(record["target"] == TARGET for record in stage.timeline("fault"))
    assert (evidence.open_undos(stage.run_dir), stage.changes_asked()) == ((), [])


def test_undo_is_on_disk_before_the_freeze(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the process is stopped, the way back and the moment of injection have been written."""
    known: list[tuple[str, int, list[str]]] = []

    def look(node: str, _script: str) -> str:
        known.append((node, len(evidence.open_undos(stage.run_dir)), stage.states()))
        return ""

    monkeypatch.setattr(apiserver_down, "_on", look)
    apiserver_down.inject(streams_min=1)

    assert known == [("control", 1, ["armed", "injected"])]


def test_a_foreign_clusters_control_plane_is_left_alone(stage: Stage) -> None:
    """On a cluster not made here nothing is frozen, whatever its namespaces opted in to."""
    write_run(stage.run_dir, kubeconfig=stage.run_dir.parents[2] / "kubeconfig", owned=False)

    with pytest.raises(ClusterError, match="only of the cluster made here"):
        apiserver_down.inject(streams_min=1)
    assert (signals(stage), stage.states()) == ([], [])


def test_a_control_plane_that_nobody_sees_raises(stage: Stage) -> None:
    """As where others run it: there is nothing to freeze."""
    stage.cluster.delete(NODES, "control")

    with pytest.raises(ClusterError, match="nothing to freeze"):
        apiserver_down.inject(streams_min=1)
    assert signals(stage) == []


def test_no_freeze_without_streams(stage: Stage) -> None:
    """Too few streams in flight end it while it is only armed: nothing was changed or has to be undone."""
    with pytest.raises(TimeoutError, match="10 streams in flight on the engines"):
        apiserver_down.inject(streams_min=10)

    assert apiserver_down.undo().startswith("nothing to undo")
    assert apiserver_down.gone().startswith("nothing is gone")
    assert (signals(stage), stage.states()) == ([], ["armed"])


def test_a_silence_of_its_own_is_no_freeze(stage: Stage) -> None:
    """An API server that does not answer, and whose process runs, was not frozen by this fault."""
    claim_to_freeze()
    silence(stage)

    with pytest.raises(TimeoutError, match=r"^fault did not land: .*'answers': False.*'control': False"):
        apiserver_down.landed(limit_s=0.05)
    assert stage.states() == ["armed", "injected"]


def test_landed_needs_silence(stage: Stage) -> None:
    """A process that is stopped while somebody answers in its place took nothing away."""
    apiserver_down.inject(streams_min=1)

    with pytest.raises(TimeoutError, match=r"^fault did not land: .*'answers': True.*'control': True"):
        apiserver_down.landed(limit_s=0.05)
    assert stage.states() == ["armed", "injected"]


def test_landed_before_anything_was_injected_raises(stage: Stage) -> None:
    """There is nothing to have landed."""
    with pytest.raises(ClusterError, match=r"^fault did not land: nothing was injected"):
        apiserver_down.landed()
    assert stage.states() == []


def test_undo_needs_no_api_server(stage: Stage) -> None:
    """The process goes on before anybody is asked; while there is no answer the undo stays open."""
    apiserver_down.inject(streams_min=1)
    silence(stage)

    with pytest.raises(TimeoutError, match="the API server to answer again"):
        apiserver_down.undo()
    with pytest.raises(ClusterError, match="its undo has not been done"):
        apiserver_down.gone()
    assert len(signals(stage)) == 2
    assert len(evidence.open_undos(stage.run_dir)) == 1
    assert stage.states() == ["armed", "injected"]


def test_gone_needs_the_recorder(stage: Stage) -> None:
    """An API server that answers us and not the recorder is not back."""
    with stage.recorded():
        apiserver_down.inject(streams_min=1)
        stage.cluster.refuses.add(DEPLOYMENTS)
        apiserver_down.undo()
        with pytest.raises(TimeoutError, match=r"^fault is not gone: .*'looks': 0"):
            apiserver_down.gone(limit_s=0.2)


def test_undo_is_safe_to_repeat(stage: Stage) -> None:
    """A second undo changes nothing and notes nothing; one undo can be replayed from its record alone."""
    apiserver_down.inject(streams_min=1)
    (recorded,) = evidence.open_undos(stage.run_dir)
    apiserver_down.undo()

    assert apiserver_down.undo().startswith("nothing to undo")
    assert apiserver_down.undo_one(stage.api, recorded) == "the API server of control goes on and answers"
    with pytest.raises(ClusterError, match="nobody here knows how to 'thaw'"):
        apiserver_down.undo_one(stage.api, replace(recorded, action="thaw"))
    assert stage.states() == ["armed", "injected", "undone"]
