"""A deployment scaled to nothing as its experiment calls it: real client and recorder, an API server here."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit import api_objects
from tests.unit.drain_stage import Stage, staged, write_run

from sealegs import evidence
from sealegs.active import active_run
from sealegs.errors import ClusterError
from sealegs.faults import deployment_down
from sealegs.kube import acts
from sealegs.kube.api import Api

ISTIOD = {"namespace": "istio-system", "deployment": "istiod"}
DEPLOYMENTS = "/apis/apps/v1/namespaces/istio-system/deployments"
PODS = "/api/v1/namespaces/istio-system/pods"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/istio-system/endpointslices"


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Engines that serve, an istiod of two, and a gateway beside it, all of it seen by the recorder."""
    monkeypatch.setattr(deployment_down, "LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(deployment_down, "WHOLE_LIMIT_S", 0.05)
    with staged(tmp_path, monkeypatch) as ready:
        stand(ready, replicas=2)
        gateway = api_objects.pod("gateway", app="istio-ingressgateway", namespace="istio-system")
        ready.cluster.put(PODS, gateway)
        # Who is behind each service has been noted; what comes next is noted where a test says so.
        with ready.recorded():
            pass
        yield ready


def stand(stage: Stage, *, replicas: int) -> None:
    """The controllers have done what is wanted: so many pods are ready behind the service, and no other."""
    for name in ("istiod-0", "istiod-1"):
        if stage.cluster.get(f"{PODS}/{name}"):
            stage.cluster.delete(PODS, name)
    names = [f"istiod-{number}" for number in range(replicas)]
    for name in names:
        stage.cluster.put(PODS, api_objects.pod(name, app="istiod", namespace="istio-system"))
    found = api_objects.deployment("istiod", wanted=replicas, ready=replicas)
    found["spec"]["selector"] = {"matchLabels": {"app": "istiod"}}
    stage.cluster.put(DEPLOYMENTS, found)
    behind(stage, names)


def behind(stage: Stage, names: list[str]) -> None:
    """These pods are ready behind the service."""
    slices = api_objects.endpoint_slice("istiod", ready=names)
    slices["metadata"]["labels"]["kubernetes.io/service-name"] = "istiod"
    stage.cluster.put(SLICES, slices)


def claim_to_scale() -> None:
    """Aim and note the injection, and change nothing."""
    with active_run() as run:
        aim = deployment_down.arm(run, **ISTIOD, service="", streams_min=1)
        deployment_down.note_injected(run, aim)


def test_an_outage_goes_through_all_its_states(stage: Stage) -> None:
    """Armed, injected, landed, undone, gone: each is noted once, in order, and the replicas are as before."""
    with stage.recorded():
        done = deployment_down.inject(**ISTIOD, streams_min=9)
        stand(stage, replicas=0)
        assert deployment_down.landed(limit_s=2)["recorded_ready"] == []
        stand(stage, replicas=2)
        deployment_down.undo()
        assert deployment_down.gone(limit_s=2) == "seen: istio-system/istiod whole, and behind its service"

    assert stage.states() == ["armed", "injected", "landed", "undone", "gone"]
    assert stage.changes_asked() == [f"PATCH {DEPLOYMENTS}/istiod"] * 2
    assert (done["deployment"], done["streams"], done["every_stream"]) == ("istiod", 9, True)
    assert (stage.cluster.get(f"{DEPLOYMENTS}/istiod") or {})["spec"]["replicas"] == 2
    assert not evidence.open_undos(stage.run_dir)


def test_undo_is_on_disk_before_the_scaling(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the deployment is scaled to nothing, the replicas that it had and the moment have been written."""
    known: list[tuple[int, object, list[str]]] = []

    def look(_: Api, _deployment: str, *, namespace: str, replicas: int) -> None:
        assert namespace == "istio-system"
        (undo,) = evidence.open_undos(stage.run_dir)
        known.append((replicas, undo.args["replicas"], stage.states()))

    monkeypatch.setattr(acts, "scale", look)
    deployment_down.inject(**ISTIOD, streams_min=1)

    assert known == [(0, 2, ["armed", "injected"])]


def test_a_namespace_that_did_not_opt_in_is_left_alone(stage: Stage) -> None:
    """On a cluster not made here its owner says by a label what may be touched, for each namespace."""
    write_run(stage.run_dir, kubeconfig=stage.run_dir.parents[2] / "kubeconfig", owned=False)
    stage.cluster.labels["istio-system"] = {}

    with pytest.raises(ClusterError, match="kubectl label namespace istio-system sealegs/allow-faults=true"):
        deployment_down.inject(**ISTIOD, streams_min=1)
    assert (stage.changes_asked(), stage.states()) == ([], [])
    stage.cluster.labels["istio-system"] = {"sealegs/allow-faults": "true"}
    assert deployment_down.inject(**ISTIOD, streams_min=1)


@pytest.mark.parametrize(("deployment", "why"), [("pilot", "404"), ("istiod", "wants no replica")])
def test_a_target_that_matches_nothing_raises(stage: Stage, deployment: str, why: str) -> None:
    """A deployment that is not there, or that wants nothing already, cannot be taken away."""
    stand(stage, replicas=0)

    with pytest.raises(ClusterError, match=why):
        deployment_down.inject(namespace="istio-system", deployment=deployment, streams_min=1)
    assert stage.changes_asked() == []


@pytest.mark.parametrize(
    ("asked", "seen"),
    [
        ({"service": "pilot"}, "behind service pilot the recorder has nobody ready"),
        ({"namespace": "elsewhere"}, "behind service istiod the recorder has istiod-0, istiod-1 ready"),
    ],
)
def test_what_nobody_would_see_go_is_left_alone(stage: Stage, asked: dict[str, str], seen: str) -> None:
    """Without such a service, or where none is watched, it could not land: nothing is changed."""
    found = api_objects.deployment("istiod", wanted=1, ready=1)
    found["spec"]["selector"] = {"matchLabels": {"app": "istiod"}}
    stage.cluster.put("/apis/apps/v1/namespaces/elsewhere/deployments", found)

    watched = "watched are the services of istio-system, llm-production, monitoring"
    with pytest.raises(ClusterError, match=f"{seen}.*{watched}"):
        deployment_down.inject(**{**ISTIOD, **asked}, streams_min=1)
    assert (stage.changes_asked(), stage.states()) == ([], [])


def test_nobody_ready_has_nobody_to_lose(stage: Stage) -> None:
    """A service that was left by all before the fault could not be seen to lose anybody."""
    with stage.recorded():
        behind(stage, [])
        stage.until("endpoints", name="istiod", ready=[])
        with pytest.raises(ClusterError, match="behind service istiod the recorder has nobody ready"):
            deployment_down.inject(**ISTIOD, streams_min=1)
    assert (stage.changes_asked(), stage.states()) == ([], [])


def test_no_outage_without_streams(stage: Stage) -> None:
    """Too few streams in flight end it while it is only armed: nothing was changed or has to be undone."""
    with pytest.raises(TimeoutError, match="10 streams in flight on the engines"):
        deployment_down.inject(**ISTIOD, streams_min=10)

    assert deployment_down.undo().startswith("nothing to undo")
    assert deployment_down.gone().startswith("nothing is gone")
    assert (stage.changes_asked(), stage.states()) == ([], ["armed"])


def test_an_outage_that_does_nothing_does_not_land(stage: Stage) -> None:
    """What inject wrote is no witness: while pods are there, landed raises."""
    with stage.recorded():
        claim_to_scale()
        with pytest.raises(TimeoutError, match=r"^fault did not land: .*None, 'pods': \['istiod-0', 'ist"):
            deployment_down.landed(limit_s=0.05)
        deployment_down.undo()
        deployment_down.gone()

    assert stage.states() == ["armed", "injected"]


def test_landed_needs_the_recorder(stage: Stage) -> None:
    """An outage that nobody watched is not believed, though a fresh read finds no pod."""
    deployment_down.inject(**ISTIOD, streams_min=1)
    stand(stage, replicas=0)

    with pytest.raises(TimeoutError, match=r"^fault did not land: .*None, 'pods': \[\]"):
        deployment_down.landed(limit_s=0.05)


def test_landed_needs_a_fresh_read(stage: Stage) -> None:
    """A service with nobody behind it, whose pods run, has lost its readiness and not its deployment."""
    with stage.recorded():
        deployment_down.inject(**ISTIOD, streams_min=1)
        behind(stage, [])
        stage.until("endpoints", name="istiod", ready=[])
        with pytest.raises(TimeoutError, match=r"^fault did not land: .*\[\], 'pods': \['istiod-0'"):
            deployment_down.landed(limit_s=0.2)


def test_landed_before_anything_was_injected_raises(stage: Stage) -> None:
    """There is nothing to have landed."""
    with pytest.raises(ClusterError, match=r"^fault did not land: nothing was injected"):
        deployment_down.landed()
    assert stage.states() == []


def test_undo_waits_for_every_replica(stage: Stage) -> None:
    """What is scaled back and not ready yet is not undone; the undo stays open and can be replayed."""
    deployment_down.inject(**ISTIOD, streams_min=1)
    (recorded,) = evidence.open_undos(stage.run_dir)
    stand(stage, replicas=0)

    with pytest.raises(TimeoutError, match="every replica of istio-system/istiod to be ready"):
        deployment_down.undo()
    with pytest.raises(ClusterError, match="its undo has not been done"):
        deployment_down.gone()
    with pytest.raises(ClusterError, match="nobody here knows how to 'revive'"):
        deployment_down.undo_one(stage.api, replace(recorded, action="revive"))
    stand(stage, replicas=2)

    assert deployment_down.undo_one(stage.api, recorded) == "scaled istio-system/istiod to 2 again"
    assert deployment_down.undo() == "scaled istio-system/istiod to 2 again"
    assert deployment_down.undo().startswith("nothing to undo")
    assert stage.states() == ["armed", "injected", "undone"]


def test_gone_needs_somebody_behind_the_service(stage: Stage) -> None:
    """Replicas that are ready by the deployment's count, and reached by nobody, are not back."""
    with stage.recorded():
        deployment_down.inject(**ISTIOD, streams_min=1)
        stand(stage, replicas=0)
        deployment_down.landed(limit_s=2)
        stand(stage, replicas=2)
        behind(stage, [])
        deployment_down.undo()
        with pytest.raises(
            TimeoutError, match=r"^fault is not gone: .*'recorded_ready': \[\].*'whole': True"
        ):
            deployment_down.gone(limit_s=0.2)
