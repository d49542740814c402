"""Load in the cluster: where its objects put it, what its clocks are taken for, and what is removed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.unit import api_objects, api_server

from sealegs.cluster import Cluster
from sealegs.errors import ClusterError
from sealegs.evidence import Undo, open_undos, read_json, record_undo, write_json
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod, parse_pod
from sealegs.load_pods import clear, clocks, objects, undo_one
from sealegs.load_pods.clocks import Offset, Trip, offset_of
from sealegs.load_pods.load import LoadPods, Standing
from sealegs.traffic.load import Load

NAMESPACES = "/api/v1/namespaces"
DELAY_NS = st.integers(min_value=0, max_value=2_000_000_000)


@given(
    st.integers(min_value=-(10**18), max_value=10**18),
    st.lists(st.tuples(DELAY_NS, DELAY_NS), min_size=1, max_size=40),
)
def test_a_clocks_offset_is_within_its_uncertainty(true_ns: int, delays_ns: list[tuple[int, int]]) -> None:
    """However uneven the way there and back: the truth is never outside, and the shortest trip bounds it."""
    asked_ns = 10**15
    trips = [
        Trip(asked_ns=asked_ns, shown_ns=asked_ns + there + true_ns, heard_ns=asked_ns + there + back)
        for there, back in delays_ns
    ]
    found = offset_of(trips)

    assert abs(found.offset_ns - true_ns) <= found.uncertainty_ns
    assert found.uncertainty_ns == (min(there + back for there, back in delays_ns) + 1) // 2


def made(*, owned: bool = True, workers: int = 2) -> list[dict[str, Any]]:
    """The objects of a run with so many workers on two nodes."""
    cluster = Cluster("test", Path("kubeconfig"), "test", "http://127.0.0.1:1", owned=owned)
    text = objects.text_of(
        cluster, image="an-image", api_key="a-secret", workers=workers, nodes=["one", "two"], limit_s=90.4
    )
    return list(yaml.safe_load_all(text))


def test_every_pod_is_tied_to_the_nodes_and_stays_dead() -> None:
    """A master and the workers, on the named nodes only, outside the mesh, not restarted, not for ever."""
    namespace, *others = made(workers=3)
    pods = [one for one in others if one["kind"] == "Pod"]

    assert [one["metadata"]["name"] for one in pods] == list(objects.names(3))
    assert namespace["metadata"]["labels"]["istio-injection"] == "disabled"
    for one in pods:
        terms = one["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        names = [term["matchFields"][0]["values"] for term in terms["nodeSelectorTerms"]]
        assert names == [["one"], ["two"]]
        assert (one["spec"]["restartPolicy"], one["spec"]["activeDeadlineSeconds"]) == ("Never", 90)
        assert one["spec"]["containers"][0]["image"] == "an-image"
    assert [number(one) for one in pods[1:]] == ["0", "1", "2"]
    assert "@" not in json.dumps(pods)


def number(item: dict[str, Any]) -> str:
    """Which share a pod is told to send."""
    variables = {one["name"]: one.get("value", "") for one in item["spec"]["containers"][0]["env"]}
    return str(variables["SEALEGS_WORKER"])


def test_the_key_is_in_the_secret_alone() -> None:
    """Who may read pods has not read the key."""
    holders = [one["kind"] for one in made() if "a-secret" in json.dumps(one)]

    assert holders == ["Secret"]


def test_a_worker_elsewhere_has_a_core_to_itself() -> None:
    """On two cores that carry everything it asks for little; anywhere else a slow client measures itself."""
    asked = {
        owned: made(owned=owned)[-1]["spec"]["containers"][0]["resources"]["requests"]["cpu"]
        for owned in (True, False)
    }

    assert asked == {True: objects.CPU_OWN, False: "1"}


@pytest.fixture
def cluster() -> api_server.Cluster:
    """An empty cluster."""
    return api_server.Cluster()


@pytest.fixture
def api(cluster: api_server.Cluster, tmp_path: Path) -> Iterator[Api]:
    """Its API server."""
    with api_server.serving(tmp_path, cluster) as opened:
        yield opened


def namespace(cluster: api_server.Cluster, labels: dict[str, str]) -> None:
    """A namespace of that name."""
    cluster.labels[objects.NAMESPACE] = cast("Any", labels)
    cluster.put(NAMESPACES, {"metadata": {"name": objects.NAMESPACE}})


def test_what_is_somebody_elses_is_not_removed(cluster: api_server.Cluster, api: Api) -> None:
    """A namespace that happens to have the name is refused, not deleted."""
    namespace(cluster, {"team": "another"})

    with pytest.raises(ClusterError, match="was not made by this suite"):
        clear(api)

    assert not [asked for asked in cluster.asked if asked.startswith("DELETE")]


def test_where_nothing_is_nothing_is_done(cluster: api_server.Cluster, api: Api) -> None:
    """Undoing twice says so and asks for nothing."""
    undo = Undo(id="0", fault="load_pods", action="remove", args={})

    assert undo_one(api, undo) == f"namespace {objects.NAMESPACE} was gone already"
    assert not [asked for asked in cluster.asked if asked.startswith("DELETE")]


def test_an_unknown_undo_says_so(api: Api) -> None:
    """It stays open."""
    with pytest.raises(ClusterError, match="nobody here knows how to 'explode'"):
        undo_one(api, Undo(id="0", fault="load_pods", action="explode", args={}))


@dataclass
class Ended:
    """A load pod whose Locust has ended, as far as load asks."""

    pod: Pod
    returncode: int = 0
    lost: str | None = None
    closed: bool = False

    @property
    def where(self) -> str:
        """Which it is."""
        return f"load pod {self.pod.name} on node {self.pod.node}"

    def poll(self) -> int:
        """It has ended."""
        return self.returncode

    def close(self) -> None:
        """Nobody follows it."""
        self.closed = True


@pytest.fixture
def ended(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoadPods:
    """Load whose three pods have ended, the workers with their summaries; clocks went apart by 3 ms."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "locust.log").touch()
    items = [api_objects.pod(name, on="node-a", namespace=objects.NAMESPACE) for name in objects.names(2)]
    for item in items:
        item["metadata"]["uid"] = "any"
    feeds = tuple(Ended(parse_pod(item)) for item in items)
    for worker in range(2):
        write_json(tmp_path / f"load-summary.{worker}.json", {"sent": 4})
    before = Offset(offset_ns=1_000_000, uncertainty_ns=2_000)

    def measure(*_: object) -> Offset:
        if feeds[0].closed:
            raise ClusterError("the pods are gone")
        return Offset(offset_ns=4_000_000, uncertainty_ns=2_000)

    monkeypatch.setattr(clocks, "measure", measure)
    undo_id = record_undo(tmp_path, fault="load_pods", action="remove", args={})
    standing = Standing(api, tmp_path, cast("Any", feeds), (before,) * 3, undo_id)
    return LoadPods(standing, Load(tmp_path, cast("Any", feeds[1:]), cast("Any", feeds[0])))


def test_what_is_known_of_the_clocks_survives_the_end(ended: LoadPods, tmp_path: Path) -> None:
    """The summary is all workers' together, has every pod's place and clock, and ending again keeps that."""
    ended.wait(1.0)
    ended.stop()
    ended.stop()
    summary = read_json(tmp_path / "load-summary.json")

    assert summary is not None
    assert summary["sent"] == 8
    assert summary["pods"] == [
        {
            "name": name,
            "node": "node-a",
            "clock_offset_s": 0.001,
            "clock_uncertainty_s": 2e-06,
            "clock_drift_s": 0.003,
        }
        for name in objects.names(2)
    ]
    assert open_undos(tmp_path) == ()
    assert all(feed.closed for feed in cast("tuple[Ended, ...]", ended.standing.feeds))


def test_a_dead_locust_is_named_by_its_pod(ended: LoadPods, tmp_path: Path) -> None:
    """Who reads the verdict knows which pod on which node, and how it ended."""
    (tmp_path / "load-summary.1.json").unlink()
    cast("Ended", ended.standing.feeds[2]).returncode = -9

    with pytest.raises(ClusterError, match=r"load pod load-worker-1 on node node-a: .*killed by SIGKILL"):
        ended.raise_if_dead()


def test_a_lost_pod_is_told_before_what_follows_from_it(ended: LoadPods) -> None:
    """Its loss is the cause; that load left no summary is the effect."""
    cast("Ended", ended.standing.feeds[1]).lost = "load pod load-worker-0 on node node-a was lost: it is gone"

    with pytest.raises(ClusterError, match="was lost: it is gone; what it had told is kept"):
        ended.wait(1.0)
