"""The kill of an engine as its experiment calls it: real client, real recorder, an API server here."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit import api_objects
from tests.unit.api_server import DEPLOYMENTS, PODS
from tests.unit.drain_stage import Stage, staged, write_run

from sealegs import evidence
from sealegs.active import active_run
from sealegs.errors import ClusterError
from sealegs.faults import engines, pod_kill
from sealegs.kube import acts
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod, parse_pod


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Three nodes with an engine each; that of worker-c serves nothing."""
    monkeypatch.setattr(engines, "LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(engines, "WHOLE_LIMIT_S", 0.05)
    with staged(tmp_path, monkeypatch) as ready:
        ready.cluster.put(DEPLOYMENTS, api_objects.deployment("llm-inference", wanted=3, ready=3))
        yield ready


def replace_engine(stage: Stage) -> None:
    """A replacement comes and is ready, as a ReplicaSet has it."""
    stage.cluster.put(PODS, api_objects.pod("engine-d", ready=False))
    stage.cluster.put(PODS, api_objects.pod("engine-d"))


def claim_to_kill(pod: str) -> None:
    """Aim and note the injection, and change nothing."""
    with active_run() as run:
        victim, streams = pod_kill.arm(run, streams_min=1, pod=pod)
        pod_kill.note_injected(run, victim, streams=streams)


def test_a_kill_goes_through_all_its_states(stage: Stage) -> None:
    """Armed, injected, landed, undone, gone: each is noted once, in order, about one pod and no node."""
    with stage.recorded():
        done = pod_kill.inject(streams_min=3, pod="engine-b")
        assert not pod_kill.landed(limit_s=2)["there"]
        replace_engine(stage)
        pod_kill.undo()
        assert pod_kill.gone(limit_s=2) == "engine-d took its place"

    assert stage.states() == ["armed", "injected", "landed", "undone", "gone"]
    assert stage.changes_asked() == [f"DELETE {PODS}/engine-b"]
    assert (done["pods"], done["streams"]) == (["engine-b"], 5)
    for record in stage.timeline("fault"):
        assert record["target"] == {"pods": ["engine-b"], "uid": "uid-engine-b"}
    assert not evidence.open_undos(stage.run_dir)


def test_the_kill_has_no_grace(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the pod is deleted, without any grace, the way back and the moment have been written."""
    known: list[tuple[int | None, int, list[str]]] = []

    def look(_: Api, pod: Pod, *, grace_s: int | None) -> None:
        assert pod.name == "engine-a"
        known.append((grace_s, len(evidence.open_undos(stage.run_dir)), stage.states()))

    monkeypatch.setattr(acts, "delete_pod", look)
    pod_kill.inject(streams_min=1, pod="engine-a")

    assert known == [(0, 1, ["armed", "injected"])]


@pytest.mark.parametrize(("seed", "pod"), [(0, "engine-a"), (1, "engine-b"), (2, "engine-b")])
def test_the_seed_picks_among_engines_that_serve(stage: Stage, seed: int, pod: str) -> None:
    """The same seed picks the same engine, and never one that serves no stream."""
    write_run(stage.run_dir, kubeconfig=stage.run_dir.parents[2] / "kubeconfig", seed=seed)

    assert pod_kill.inject(streams_min=1)["pods"] == [pod]


def test_no_kill_without_streams(stage: Stage) -> None:
    """Too few streams in flight end it while it is only armed: nothing was changed or has to be undone."""
    with pytest.raises(TimeoutError, match=r"6 streams in flight on engine-b; last seen: \{'engine-b': 5\}"):
        pod_kill.inject(streams_min=6, pod="engine-b")

    assert stage.changes_asked() == []
    assert pod_kill.undo().startswith("nothing to undo")
    assert pod_kill.gone().startswith("nothing is gone")
    assert stage.states() == ["armed"]


@pytest.mark.parametrize("name", ["engine-x", "door-b", "engine-c"])
def test_a_target_that_matches_nothing_raises(stage: Stage, name: str) -> None:
    """What is not there, is no engine or is not ready is not killed."""
    stage.cluster.put(PODS, api_objects.pod("engine-c", on="worker-c", ready=False))

    with pytest.raises(ClusterError, match=f"nothing to kill: no ready pod of llm-inference is named {name}"):
        pod_kill.inject(streams_min=0, pod=name)
    assert stage.changes_asked() == []


def test_a_kill_that_does_nothing_does_not_land(stage: Stage) -> None:
    """What inject wrote is no witness: while the pod is there, landed raises."""
    with stage.recorded():
        claim_to_kill("engine-a")
        with pytest.raises(TimeoutError, match=r"^fault did not land: .*False, 'there': True"):
            pod_kill.landed(limit_s=0.05)
        pod_kill.undo()
        pod_kill.gone()

    assert stage.states() == ["armed", "injected"]


def test_landed_needs_the_recorder(stage: Stage) -> None:
    """A kill that nobody watched is not believed, though a fresh read does not find the pod."""
    pod_kill.inject(streams_min=1, pod="engine-a")

    with pytest.raises(TimeoutError, match=r"^fault did not land: .*False, 'there': False"):
        pod_kill.landed(limit_s=0.05)
    assert stage.states() == ["armed", "injected"]


def test_landed_before_anything_was_injected_raises(stage: Stage) -> None:
    """There is nothing to have landed."""
    with pytest.raises(ClusterError, match=r"^fault did not land: nothing was injected"):
        pod_kill.landed()
    assert stage.states() == []


def test_undo_waits_for_every_replica(stage: Stage) -> None:
    """A kill is not undone while an engine is missing; its undo stays open and can be replayed."""
    pod_kill.inject(streams_min=1, pod="engine-a")
    (recorded,) = evidence.open_undos(stage.run_dir)
    stage.cluster.put(DEPLOYMENTS, api_objects.deployment("llm-inference", wanted=3, ready=2))

    with pytest.raises(TimeoutError, match="every replica of llm-inference to be ready again"):
        pod_kill.undo()
    with pytest.raises(ClusterError, match="its undo has not been done"):
        pod_kill.gone()
    with pytest.raises(ClusterError, match="nobody here knows how to 'revive'"):
        pod_kill.undo_one(stage.api, replace(recorded, action="revive"))
    stage.cluster.put(DEPLOYMENTS, api_objects.deployment("llm-inference", wanted=3, ready=3))

    assert pod_kill.undo_one(stage.api, recorded) == "every replica of llm-inference is ready again"
    assert pod_kill.undo() == "every replica of llm-inference is ready again"
    assert pod_kill.undo().startswith("nothing to undo")
    assert stage.states() == ["armed", "injected", "undone"]


def test_gone_needs_a_replacement(stage: Stage) -> None:
    """Replicas that were there before took nobody's place, whatever the deployment's count says."""
    with stage.recorded():
        pod_kill.inject(streams_min=1, pod="engine-a")
        pod_kill.undo()
        with pytest.raises(TimeoutError, match=r"^fault is not gone: .*'replacements': \[\], 'whole': True"):
            pod_kill.gone(limit_s=0.05)


def test_only_this_very_pod_is_killed(stage: Stage) -> None:
    """The deletion names the pod's uid, so that its successor of the same name would be left alone."""
    pod = parse_pod(stage.cluster.get(f"{PODS}/engine-a") or {})
    acts.delete_pod(stage.api, replace(pod, uid="another"), grace_s=0)

    assert stage.cluster.get(f"{PODS}/engine-a") is not None
