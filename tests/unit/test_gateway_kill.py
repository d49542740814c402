"""The kill of a gateway as its experiment calls it: real client, real recorder, an API server here."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit import api_objects
from tests.unit.drain_stage import Stage, staged, write_run

from sealegs import evidence
from sealegs.active import active_run
from sealegs.errors import ClusterError
from sealegs.faults import gateway_kill
from sealegs.kube import acts
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod

PODS = "/api/v1/namespaces/istio-system/pods"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/istio-system/endpointslices"
GATEWAY = "istio-ingressgateway"


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Engines that serve, a gateway before them, and an istiod beside it."""
    monkeypatch.setattr(gateway_kill, "LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(gateway_kill, "WHOLE_LIMIT_S", 0.05)
    with staged(tmp_path, monkeypatch) as ready:
        come(ready, "gate-a")
        behind(ready, "gate-a")
        ready.cluster.put(PODS, api_objects.pod("istiod", app="istiod", namespace="istio-system"))
        yield ready


def come(stage: Stage, name: str, *, ready: bool = True) -> None:
    """A pod of the gateway is there."""
    stage.cluster.put(PODS, api_objects.pod(name, app=GATEWAY, namespace="istio-system", ready=ready))


def behind(stage: Stage, *names: str) -> None:
    """These pods are ready behind the gateway's service."""
    slices = api_objects.endpoint_slice("gate", ready=names)
    slices["metadata"]["labels"]["kubernetes.io/service-name"] = GATEWAY
    stage.cluster.put(SLICES, slices)


def claim_to_kill() -> None:
    """Aim and note the injection, and change nothing."""
    with active_run() as run:
        victim, streams = gateway_kill.arm(run, streams_min=1, pod="")
        gateway_kill.note_injected(run, victim, streams=streams)


def test_a_kill_goes_through_all_its_states(stage: Stage) -> None:
    """Armed, injected, landed, undone, gone: each is noted once, in order, and puts every stream at stake."""
    with stage.recorded():
        done = gateway_kill.inject(streams_min=9)
        behind(stage)
        assert gateway_kill.landed(limit_s=2)["recorded_ready"] == []
        come(stage, "gate-b")
        behind(stage, "gate-b")
        gateway_kill.undo()
        assert gateway_kill.gone(limit_s=2) == "seen: the gateway whole without gate-a"

    assert stage.states() == ["armed", "injected", "landed", "undone", "gone"]
    assert stage.changes_asked() == [f"DELETE {PODS}/gate-a"]
    target = {"pods": ["gate-a"], "uid": "uid-gate-a", "every_stream": True}
    assert done == {**target, "streams": 9}
    assert all(record["target"] == target for record in stage.timeline("fault"))
    assert not evidence.open_undos(stage.run_dir)


def test_the_kill_has_no_grace(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the pod is deleted, without any grace, the way back and the moment have been written."""
    known: list[tuple[str, int | None, int, list[str]]] = []

    def look(_: Api, pod: Pod, *, grace_s: int | None) -> None:
        known.append((pod.name, grace_s, len(evidence.open_undos(stage.run_dir)), stage.states()))

    monkeypatch.setattr(acts, "delete_pod", look)
    gateway_kill.inject(streams_min=1)

    assert known == [("gate-a", 0, 1, ["armed", "injected"])]


def test_the_seed_picks_among_gateways_that_are_ready(stage: Stage) -> None:
    """Of several it is one that is ready, each by some seed, and always the same by one."""
    come(stage, "gate-b")
    come(stage, "gate-c", ready=False)
    picked = []
    for seed in (*range(8), 7):
        write_run(stage.run_dir, kubeconfig=stage.run_dir.parents[2] / "kubeconfig", seed=seed)
        with active_run() as run:
            picked.append(gateway_kill.arm(run, streams_min=1, pod="")[0].name)

    assert set(picked) == {"gate-a", "gate-b"}
    assert picked[-1] == picked[-2]


def test_a_namespace_that_did_not_opt_in_is_left_alone(stage: Stage) -> None:
    """On a cluster not made here the gateway's owner says by a label that it may be touched."""
    write_run(stage.run_dir, kubeconfig=stage.run_dir.parents[2] / "kubeconfig", owned=False)
    stage.cluster.labels["istio-system"] = {}

    with pytest.raises(ClusterError, match="namespace istio-system has not opted in to faults"):
        gateway_kill.inject(streams_min=1)
    assert (stage.changes_asked(), stage.states()) == ([], [])


@pytest.mark.parametrize("name", ["gate-x", "istiod", "gate-c"])
def test_a_target_that_matches_nothing_raises(stage: Stage, name: str) -> None:
    """What is not there, is no gateway or is not ready is not killed."""
    come(stage, "gate-c", ready=False)

    with pytest.raises(ClusterError, match=f"no ready pod of the gateway in istio-system is named {name}"):
        gateway_kill.inject(streams_min=0, pod=name)
    assert stage.changes_asked() == []


def test_no_kill_without_streams(stage: Stage) -> None:
    """Too few streams in flight end it while it is only armed: nothing was changed or has to be undone."""
    with pytest.raises(TimeoutError, match="10 streams in flight on the engines"):
        gateway_kill.inject(streams_min=10)

    assert gateway_kill.undo().startswith("nothing to undo")
    assert gateway_kill.gone().startswith("nothing is gone")
    assert (stage.changes_asked(), stage.states()) == ([], ["armed"])


def test_a_kill_that_does_nothing_does_not_land(stage: Stage) -> None:
    """What inject wrote is no witness: while the pod is there, landed raises."""
    with stage.recorded():
        claim_to_kill()
        with pytest.raises(TimeoutError, match=r"^fault did not land: .*None, .*'there': True"):
            gateway_kill.landed(limit_s=0.05)
        gateway_kill.undo()
        gateway_kill.gone()

    assert stage.states() == ["armed", "injected"]


def test_landed_needs_the_recorder(stage: Stage) -> None:
    """A kill that nobody watched is not believed, though a fresh read does not find the pod."""
    gateway_kill.inject(streams_min=1)

    with pytest.raises(TimeoutError, match=r"^fault did not land: .*None, .*'there': False"):
        gateway_kill.landed(limit_s=0.05)
    assert stage.states() == ["armed", "injected"]


def test_landed_needs_a_fresh_read(stage: Stage) -> None:
    """A pod that has left its service and is there was not killed."""
    with stage.recorded():
        claim_to_kill()
        behind(stage)
        stage.until("endpoints", name=GATEWAY, ready=[])
        with pytest.raises(
            TimeoutError, match=r"^fault did not land: .*'recorded_left': True, 'there': True"
        ):
            gateway_kill.landed(limit_s=0.2)
    assert stage.states() == ["armed", "injected"]


def test_landed_before_anything_was_injected_raises(stage: Stage) -> None:
    """There is nothing to have landed."""
    with pytest.raises(ClusterError, match=r"^fault did not land: nothing was injected"):
        gateway_kill.landed()
    assert stage.states() == []


def test_undo_waits_for_every_replica(stage: Stage) -> None:
    """A kill is not undone while a gateway is missing; its undo stays open and can be replayed."""
    come(stage, "gate-b")
    gateway_kill.inject(streams_min=1, pod="gate-a")
    (recorded,) = evidence.open_undos(stage.run_dir)

    with pytest.raises(TimeoutError, match="2 ready pods of the gateway"):
        gateway_kill.undo()
    with pytest.raises(ClusterError, match="its undo has not been done"):
        gateway_kill.gone()
    with pytest.raises(ClusterError, match="nobody here knows how to 'revive'"):
        gateway_kill.undo_one(stage.api, replace(recorded, action="revive"))
    come(stage, "gate-c")

    assert gateway_kill.undo_one(stage.api, recorded) == "2 of 2 pods of the gateway are ready"
    assert gateway_kill.undo() == "2 of 2 pods of the gateway are ready"
    assert gateway_kill.undo().startswith("nothing to undo")
    assert stage.states() == ["armed", "injected", "undone"]


def test_gone_needs_the_replacement_behind_the_service(stage: Stage) -> None:
    """A gateway that is ready and not reached yet has taken nobody's place."""
    with stage.recorded():
        gateway_kill.inject(streams_min=1)
        behind(stage)
        come(stage, "gate-b")
        gateway_kill.undo()
        stage.until("endpoints", name=GATEWAY, ready=[])
        with pytest.raises(
            TimeoutError, match=r"^fault is not gone: .*'recorded_ready': \[\], .*'pods': \['gate-b'\]"
        ):
            gateway_kill.gone(limit_s=0.2)
