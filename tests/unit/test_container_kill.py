"""The kill of an engine's process as its experiment calls it: a Docker that only keeps a list."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit import api_objects, fake_docker
from tests.unit.api_server import DEPLOYMENTS, PODS
from tests.unit.drain_stage import Stage, staged, write_run

from sealegs import evidence
from sealegs.active import active_run
from sealegs.errors import ClusterError
from sealegs.faults import container_kill, engines, node_process, restarts

DOCKER = '#!/bin/sh\necho "$@" >> asked\n'
KILL = "ctr --namespace k8s.io tasks kill --signal SIGKILL id-0"


def engine(*, restarts: int = 0, ready: bool = True, name: str = "engine-b") -> api_objects.Json:
    """An engine as its kubelet tells of it."""
    status = {
        **api_objects.container("inference", restarts=restarts),
        "containerID": f"containerd://id-{restarts}",
    }
    sidecar = {**api_objects.container("istio-proxy"), "containerID": "containerd://another"}
    return api_objects.pod(name, on="worker-b", ready=ready, statuses=[sidecar, status])


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Three nodes with an engine each; that of worker-c serves nothing."""
    fake_docker.put(tmp_path, monkeypatch, DOCKER)
    monkeypatch.setattr(engines, "LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(engines, "WHOLE_LIMIT_S", 2)
    with staged(tmp_path, monkeypatch) as ready:
        ready.cluster.put(PODS, engine())
        ready.cluster.put(DEPLOYMENTS, api_objects.deployment("llm-inference", wanted=3, ready=3))
        yield ready


def asked(stage: Stage) -> list[str]:
    """What Docker was asked."""
    log = stage.run_dir.parents[2] / "asked"
    return log.read_text().splitlines() if log.exists() else []


def claim_to_kill() -> None:
    """Aim and note the injection, and change nothing."""
    with active_run() as run:
        victim, streams = container_kill.arm(run, streams_min=1, pod="engine-b")
        container_kill.note_injected(run, victim, streams=streams)


def test_a_kill_goes_through_all_its_states(stage: Stage) -> None:
    """Armed, injected, landed, undone, gone: the same pod, its own container and not its sidecar's."""
    with stage.recorded():
        done = container_kill.inject(streams_min=3, pod="engine-b")
        stage.cluster.put(PODS, engine(restarts=1, ready=False))
        assert container_kill.landed(limit_s=2)["restarts"] == 1
        container_kill.undo()
        with pytest.raises(TimeoutError, match=r"^fault is not gone: .*'ready': False"):
            container_kill.gone(limit_s=0.05)
        stage.cluster.put(PODS, engine(restarts=1))
        assert container_kill.gone(limit_s=2) == "seen: pod engine-b ready again, its container another one"

    assert stage.states() == ["armed", "injected", "landed", "undone", "gone"]
    assert asked(stage) == [f"exec worker-b {KILL}"]
    assert (done["pods"], done["streams"]) == (["engine-b"], 5)
    assert not evidence.open_undos(stage.run_dir)
    assert stage.changes_asked() == []


def test_undo_is_on_disk_before_the_kill(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the process is killed, the way back and the moment have been written."""
    known: list[tuple[int, list[str]]] = []

    def look(_: object) -> str:
        known.append((len(evidence.open_undos(stage.run_dir)), stage.states()))
        return ""

    monkeypatch.setattr(node_process, "output", look)
    container_kill.inject(streams_min=1, pod="engine-b")

    assert known == [(1, ["armed", "injected"])]


def test_a_foreign_clusters_containers_are_left_alone(stage: Stage) -> None:
    """On a cluster not made here nothing is asked of a node, whatever its namespaces opted in to."""
    write_run(stage.run_dir, kubeconfig=stage.run_dir.parents[2] / "kubeconfig", owned=False)

    with pytest.raises(ClusterError, match=r"only to the cluster made here; elsewhere pod_kill"):
        container_kill.inject(streams_min=1)
    assert (asked(stage), stage.states()) == ([], [])


def test_a_container_that_does_not_run_is_not_killed(stage: Stage) -> None:
    """Without a container to kill it ends while it is only armed."""
    stage.cluster.put(PODS, api_objects.pod("engine-b", on="worker-b"))

    with pytest.raises(
        ClusterError, match=r"container inference of pod llm-production/engine-b does not run"
    ):
        container_kill.inject(streams_min=1, pod="engine-b")
    assert (asked(stage), stage.states()) == ([], ["armed"])


def test_a_kill_that_does_nothing_does_not_land(stage: Stage) -> None:
    """A container that had been started again before, and was not since, was not killed."""
    stage.cluster.put(PODS, engine(restarts=2))
    with stage.recorded():
        claim_to_kill()
        stage.cluster.put(PODS, engine(restarts=2, ready=False))
        with pytest.raises(
            TimeoutError, match=r"^fault did not land: .*'recorded_restarts': 0, 'restarts': 0"
        ):
            container_kill.landed(limit_s=0.1)
        container_kill.undo()
        container_kill.gone()

    assert stage.states() == ["armed", "injected"]


def test_landed_needs_the_recorder(stage: Stage) -> None:
    """A restart that nobody watched is not believed."""
    container_kill.inject(streams_min=1, pod="engine-b")
    stage.cluster.put(PODS, engine(restarts=1))

    with pytest.raises(TimeoutError, match=r"^fault did not land: .*'recorded_restarts': 0, 'restarts': 1"):
        container_kill.landed(limit_s=0.05)


@pytest.mark.usefixtures("stage")
def test_undo_waits_for_every_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    """All being ready in one look is not enough: a kubelet may not have noticed the kill yet."""
    looks = iter([True, False, *[True] * restarts.LOOKS_IN_A_ROW])
    monkeypatch.setattr(engines, "is_whole", lambda *_, **__: next(looks))
    container_kill.inject(streams_min=1, pod="engine-b")

    assert container_kill.undo() == "every replica of llm-inference is ready again"
    assert next(looks, None) is None
