"""The deletion of an engine with its grace, as its experiment calls it: real client, an API server here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit import api_objects
from tests.unit.api_server import DEPLOYMENTS, PODS
from tests.unit.drain_stage import Stage, staged

from sealegs import evidence
from sealegs.active import active_run
from sealegs.errors import ClusterError
from sealegs.faults import engines, pod_delete
from sealegs.kube import acts
from sealegs.kube.api import Answer, Api
from sealegs.kube.objects import Pod


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Three nodes with an engine each; one that is deleted is told to leave, and stays for its grace."""
    monkeypatch.setattr(engines, "LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(engines, "WHOLE_LIMIT_S", 0.05)
    with staged(tmp_path, monkeypatch) as ready:
        ready.cluster.put(DEPLOYMENTS, api_objects.deployment("llm-inference", wanted=3, ready=3))

        def leave(_: Api, pod: Pod, *, grace_s: int | None) -> None:
            assert grace_s is None, "the pod's own grace is not asked for"
            known.append((len(evidence.open_undos(ready.run_dir)), ready.states()))
            item = ready.cluster.get(f"{PODS}/{pod.name}") or {}
            item["metadata"]["deletionTimestamp"] = "2026-11-26T20:00:00Z"
            ready.cluster.put(PODS, item)

        known: list[tuple[int, list[str]]] = []
        monkeypatch.setattr(acts, "delete_pod", leave)
        yield ready
    assert known in ([], [(1, ["armed", "injected"])]), "undo is on disk before the deletion"


def replace_engine(stage: Stage) -> None:
    """A replacement comes and is ready, as a ReplicaSet has it."""
    stage.cluster.put(PODS, api_objects.pod("engine-d", ready=False))
    stage.cluster.put(PODS, api_objects.pod("engine-d"))


def test_a_deletion_goes_through_all_its_states(stage: Stage) -> None:
    """It has landed while the pod drains, and is gone when the pod has ended and another took its place."""
    with stage.recorded():
        done = pod_delete.inject(streams_min=3, pod="engine-b")
        assert pod_delete.landed(limit_s=2)["there"]
        replace_engine(stage)
        pod_delete.undo()
        with pytest.raises(TimeoutError, match=r"^fault is not gone: .*'there': True"):
            pod_delete.gone(limit_s=0.05)
        stage.cluster.delete(PODS, "engine-b")
        assert pod_delete.gone(limit_s=2) == "engine-d took its place"

    assert stage.states() == ["armed", "injected", "landed", "undone", "gone"]
    assert (done["pods"], done["streams"]) == (["engine-b"], 5)
    assert not evidence.open_undos(stage.run_dir)


def test_a_deletion_that_does_nothing_does_not_land(stage: Stage) -> None:
    """What inject wrote is no witness: while the pod is not told to leave, landed raises."""
    with stage.recorded():
        with active_run() as run:
            victim, streams = pod_delete.arm(run, streams_min=1, pod="engine-a")
            pod_delete.note_injected(run, victim, streams=streams)
        with pytest.raises(TimeoutError, match=r"^fault did not land: .*'leaving': False"):
            pod_delete.landed(limit_s=0.05)

    assert stage.states() == ["armed", "injected"]
    assert stage.changes_asked() == []


@pytest.mark.usefixtures("stage")
def test_landed_needs_the_recorder() -> None:
    """A deletion that nobody watched is not believed, though a fresh read finds the pod leaving."""
    pod_delete.inject(streams_min=1, pod="engine-a")

    with pytest.raises(
        TimeoutError, match=r"^fault did not land: .*'recorded_leaving': False, 'leaving': True"
    ):
        pod_delete.landed(limit_s=0.05)


def test_landed_needs_a_fresh_read(stage: Stage) -> None:
    """A pod that the recorder saw leaving and that a fresh read does not is not believed to leave."""
    with stage.recorded():
        pod_delete.inject(streams_min=1, pod="engine-a")
        pod_delete.landed(limit_s=2)
    stage.cluster.put(PODS, api_objects.pod("engine-a"))

    with pytest.raises(TimeoutError, match=r"^fault did not land: .*'leaving': False"):
        pod_delete.landed(limit_s=0.05)


def test_a_target_that_matches_nothing_raises(stage: Stage) -> None:
    """What is not there is not deleted."""
    with pytest.raises(
        ClusterError, match="nothing to delete: no ready pod of llm-inference is named engine-x"
    ):
        pod_delete.inject(streams_min=0, pod="engine-x")
    assert stage.states() == []


def test_a_deletion_names_no_grace_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The API server is asked for the pod's grace by not being told any."""
    with staged(tmp_path, monkeypatch):
        bodies: list[object] = []
        call = Api.call

        def note_and_call(api: Api, method: str, path: str, **more: Any) -> Answer:  # noqa: ANN401  as the client's
            bodies.append(more.get("body"))
            return call(api, method, path, **more)

        monkeypatch.setattr(Api, "call", note_and_call)
        pod_delete.inject(streams_min=1, pod="engine-a")

    assert [body for body in bodies if body] == [{"preconditions": {"uid": "uid-engine-a"}}]
