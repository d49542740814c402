"""A canary release as its experiment calls it: routes in an API server here, and proxies that dump theirs."""

import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit import api_objects
from tests.unit.api_objects import engine_metrics
from tests.unit.api_server import DEPLOYMENTS, PODS
from tests.unit.drain_stage import Stage, staged

from sealegs import evidence, heal
from sealegs.active import active_run
from sealegs.errors import ClusterError
from sealegs.faults import canary, engine_answers
from sealegs.kube import exec as kube_exec
from sealegs.kube import routes
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod
from sealegs.probes import streams_in_flight

SERVICES = f"/apis/networking.istio.io/v1/namespaces/{api_objects.NAMESPACE}/virtualservices"
HOST = "llm-inference.llm-production.svc.cluster.local"
DOORS, NEW = ("door-a", "door-b"), ("new-a", "new-b")


def to(subset: str, **weight: int) -> dict[str, Any]:
    """A destination of a route."""
    return {"destination": {"host": HOST, "subset": subset, "port": {"number": 8000}}, **weight}


def split(weight: int) -> dict[str, Any]:
    """A route that gives the canary so many percent."""
    return {
        "name": "default",
        "timeout": "60s",
        "route": [to("v1", weight=100 - weight), to("v2", weight=weight)],
    }


ASKED = {"name": "asked", "match": [{"headers": {"x-canary": {"exact": "true"}}}], "route": [to("v2")]}


@dataclass
class Mesh:
    """The proxies of two doors, which go by the routes as they are, and the canary's engines.

    Attributes:
        deaf: doors whose proxies stay with the routes that they had when they went deaf.
        mute: doors whose proxies do not say.
        told: engine → what it was told last.
    """

    stage: Stage
    deaf: dict[str, Any] = field(default_factory=dict)
    mute: set[str] = field(default_factory=set)
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def http(self) -> list[dict[str, Any]]:
        """The routes as the API server has them."""
        found: list[dict[str, Any]] = (self.stage.cluster.get(f"{SERVICES}/llm-inference") or {})["spec"][
            "http"
        ]
        return found

    def put(self, *http: dict[str, Any]) -> None:
        """The routes are these."""
        item = {"metadata": {"name": "llm-inference"}, "spec": {"hosts": [HOST], "http": list(http)}}
        self.stage.cluster.put(SERVICES, item)

    def output(self, _: Api, pod: Pod, argv: Sequence[str], *, limit_s: float) -> str:
        """What `sealegs.kube.exec.output` does, for a proxy's dump and for what an engine is told."""
        assert limit_s > 0
        if argv[0] == "pilot-agent":
            assert (pod.container, argv[-1].endswith("name_regex=^8000$")) == ("istio-proxy", True)
            if pod.name in self.mute:
                raise ClusterError("no answer")
            return json.dumps(dump(self.deaf.get(pod.name, self.http)))
        assert len(evidence.open_undos(self.stage.run_dir)) == 2
        self.told[pod.name] = json.loads(argv[3])
        return ""


def dump(http: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Routes as Envoy dumps what Istio has made of them: a weight of 0 is left out, a single one has none."""
    made = []
    for route in http:
        parts = [
            {"name": f"outbound|8000|{one['destination']['subset']}|{HOST}", "weight": one.get("weight", 100)}
            for one in route["route"]
            if one.get("weight") != 0
        ]
        to_many = {"weighted_clusters": {"clusters": parts, "total_weight": 100}}
        made.append({"route": to_many if len(parts) > 1 else {"cluster": parts[0]["name"]}})
    unknown = [{"route": {"cluster": "PassthroughCluster"}}, {"redirect": {}}]
    hosts = [{"routes": made}, {"routes": unknown}, {}]
    return {"configs": [{"route_config": {"name": "8000", "virtual_hosts": hosts}}]}


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Three stable engines, two of a canary, and two doors."""
    with staged(tmp_path, monkeypatch) as ready:
        ready.cluster.put(PODS, api_objects.pod(DOORS[0], app="llm-api"))
        for name in NEW:
            item = api_objects.pod(name)
            item["metadata"]["labels"]["version"] = "v2"
            ready.cluster.put(PODS, item)
        deployment = api_objects.deployment("llm-inference-canary", wanted=2, ready=2)
        labels = {"app": "llm-inference", "version": "v2"}
        deployment["spec"]["selector"] = {"matchLabels": labels}
        ready.cluster.put(DEPLOYMENTS, deployment)
        yield ready


@pytest.fixture
def mesh(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Mesh:
    """Its routes, where the canary has no weight."""
    made = Mesh(stage)
    made.put(ASKED, split(0), split(0))
    monkeypatch.setattr(kube_exec, "output", made.output)
    return made


def faults(stage: Stage) -> list[tuple[str, str]]:
    """Each fault and its state, in the order of the timeline."""
    return [(one["fault"], one["state"]) for one in stage.timeline("fault")]


def test_a_release_goes_through_all_its_states(stage: Stage, mesh: Mesh) -> None:
    """It lands when each proxy gives the canary its weight, and is gone when each gives the old one again."""
    sound = copy.deepcopy(mesh.http)
    done = canary.inject(weight=20, streams_min=3)
    assert mesh.http == [ASKED, split(20), split(20)]
    assert canary.landed(limit_s=2)["weights"] == {name: [20] for name in DOORS}
    assert canary.undo() == "gave the canary 0 % again"
    assert mesh.http == sound
    assert canary.gone(limit_s=2) == "seen: every proxy of llm-api gives the canary 0 %"

    assert stage.states() == ["armed", "injected", "landed", "undone", "gone"]
    assert done["pods"] == ["engine-a", "engine-b", "engine-c", *NEW]
    known = {"canary": list(NEW), "weight": 20, "weight_before": 0}
    assert done == {"pods": done["pods"], **known, "streams": 9}
    assert not evidence.open_undos(stage.run_dir)


def test_the_way_back_is_on_disk_before_the_routes_change(
    stage: Stage, mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is killed in between has left what to undo, and the moment."""
    known: list[tuple[tuple[evidence.Undo, ...], list[dict[str, Any]]]] = []
    monkeypatch.setattr(
        routes, "set_weight", lambda *_, **__: known.append((evidence.open_undos(stage.run_dir), mesh.http))
    )
    canary.inject(weight=20, streams_min=1)

    ((undos, http),) = known
    assert [one.args for one in undos] == [{"namespace": api_objects.NAMESPACE, "weight": 0}]
    assert http == [ASKED, split(0), split(0)]
    assert stage.states() == ["armed", "injected"]


@pytest.mark.parametrize("how", ["deaf", "mute"])
def test_every_proxy_has_to_follow(stage: Stage, mesh: Mesh, how: str) -> None:
    """One of two that stays with its old routes, or does not say, is enough: not landed, and not gone."""
    if how == "deaf":
        mesh.deaf["door-b"] = [ASKED, split(0)]
    else:
        mesh.mute.add("door-b")
    canary.inject(weight=20, streams_min=1)
    with pytest.raises(TimeoutError, match=r"^fault did not land: "):
        canary.landed(limit_s=0.05)

    mesh.deaf, mesh.mute = {}, set()
    canary.landed(limit_s=2)
    mesh.deaf["door-a"] = copy.deepcopy(mesh.http)
    canary.undo()
    with pytest.raises(TimeoutError, match=r"^fault is not gone: "):
        canary.gone(limit_s=0.05)
    assert stage.states() == ["armed", "injected", "landed", "undone"]


def test_a_release_that_changes_nothing_does_not_land(stage: Stage, mesh: Mesh) -> None:
    """What inject wrote is no witness."""
    with active_run() as run:
        target, streams = canary.arm(run, weight=20, streams_min=1)
        canary.note_injected(run, target, streams=streams)
    with pytest.raises(TimeoutError, match=r"^fault did not land: "):
        canary.landed(limit_s=0.05)
    assert canary.undo().startswith("nothing to undo")
    assert canary.gone().startswith("nothing is gone")

    assert stage.states() == ["armed", "injected"]
    assert mesh.http == [ASKED, split(0), split(0)]


def test_routes_of_two_minds_have_not_landed(mesh: Mesh) -> None:
    """All routes split, or the release is not there: streams may have it and whole answers not."""
    mesh.deaf["door-a"] = [ASKED, split(20), split(0)]
    canary.inject(weight=20, streams_min=1)

    with pytest.raises(TimeoutError, match=r"'door-a': \[0, 20\]"):
        canary.landed(limit_s=0.05)


def test_a_bad_canary_is_another_fault_that_outlives_the_rollback(stage: Stage, mesh: Mesh) -> None:
    """Its engines and no other are told; undoing the release tells them nothing, the other undo does."""
    canary.inject(weight=20, streams_min=1)
    canary.spoil(status=500, share=0.25)
    told = {"status": 500, "reset_at_token": 0, "share": 0.25, "slow_factor": 1.0}
    assert mesh.told == dict.fromkeys(NEW, told)
    canary.undo()
    canary.gone(limit_s=2)

    left = evidence.open_undos(stage.run_dir)
    assert [(one.fault, one.action) for one in left] == [("engine_answers", "behave")]
    assert left[0].args["uids"] == [f"uid-{name}" for name in NEW]
    assert faults(stage) == [
        *(("canary", state) for state in ("armed", "injected")),
        *((engine_answers.FAULT, state) for state in ("armed", "injected")),
        *(("canary", state) for state in ("undone", "gone")),
    ]
    aimed = {tuple(one["target"].get("canary", one["target"]["pods"])) for one in stage.timeline("fault")}
    assert aimed == {NEW}


@pytest.mark.parametrize("weight", [0, 100, -5, 120])
def test_one_version_alone_is_no_split(stage: Stage, mesh: Mesh, weight: int) -> None:
    """Neither none nor all: the other version must be there to compare with."""
    with pytest.raises(ClusterError, match=f"nothing to shift: {weight} %"):
        canary.inject(weight=weight, streams_min=0)
    assert (stage.states(), mesh.http[1]) == ([], split(0))


@pytest.mark.parametrize("http", [[ASKED, split(20)], [split(0), split(10)]], ids=["has it", "two minds"])
def test_a_weight_that_is_there_already_is_no_change(
    stage: Stage, mesh: Mesh, http: list[dict[str, Any]]
) -> None:
    """Nor can routes that differ among themselves be put back with one number."""
    mesh.put(*http)
    with pytest.raises(ClusterError, match="nothing to shift: the canary's weights are"):
        canary.inject(weight=20, streams_min=0)
    assert stage.states() == []


def test_a_stack_without_a_canary_has_nothing_to_shift(stage: Stage, mesh: Mesh) -> None:
    """No split, no pods, or pods that are not ready: a subset with nobody in it gets no weight."""
    mesh.put({"name": "default", "route": [{"destination": {"host": HOST}}]})
    with pytest.raises(ClusterError, match=r"no route of VirtualService .* splits requests for v2"):
        canary.inject(streams_min=0)
    item = api_objects.pod(NEW[1], ready=False)
    item["metadata"]["labels"]["version"] = "v2"
    stage.cluster.put(PODS, item)
    with pytest.raises(ClusterError, match="of 2 pods of llm-inference-canary 1 are not ready: new-b"):
        canary.inject(streams_min=0)
    for name in NEW:
        stage.cluster.delete(PODS, name)
    with pytest.raises(ClusterError, match="of 0 pods of llm-inference-canary"):
        canary.spoil()
    assert stage.states() == []


def test_undo_needs_its_record_only(stage: Stage, mesh: Mesh) -> None:
    """Safe to repeat, known to `sealegs heal`, and one of another kind is refused."""
    canary.inject(weight=20, streams_min=1)
    (recorded,) = evidence.open_undos(stage.run_dir)
    for _ in range(2):
        heal.FAULTS[recorded.fault](stage.api, recorded)
    assert mesh.http == [ASKED, split(0), split(0)]
    with pytest.raises(ClusterError, match="nobody here knows how to 'forget'"):
        canary.undo_one(stage.api, replace(recorded, action="forget"))


def test_a_rollback_may_wait_for_a_stream_that_begins(
    stage: Stage, mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for one that the canary has already, nor for others'; that none begins breaks nothing off."""
    counts = iter([2, 2, 1, 2])
    monkeypatch.setattr(canary, "LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(canary, "streams_in_flight", lambda _, pods: {pods[0].name: next(counts), "x": None})
    assert mesh.http
    assert canary.busy(limit_s=20) == {"streams": 2, "begun": True}
    assert list(counts) == []

    monkeypatch.setattr(canary, "streams_in_flight", streams_in_flight)
    stage.cluster.metrics["new-b"] = engine_metrics(running=3)
    assert canary.busy(limit_s=0.05) == {"streams": 3, "begun": False}
