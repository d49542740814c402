"""The recorder against an API server in this process: what it writes down."""

from pathlib import Path

import pytest
from tests.unit import api_objects
from tests.unit.api_server import DEPLOYMENTS, NODES, PDBS, PODS, SLICES, Cluster
from tests.unit.recording import in_a_hurry, recording, small_cluster

from sealegs.waiting import wait_until

MESH_PODS = "/api/v1/namespaces/istio-system/pods"
AUTOSCALERS = "/apis/autoscaling/v2/namespaces/llm-production/horizontalpodautoscalers"
EJECTED = 'envoy_cluster_outlier_detection_ejections_active{cluster_name="outbound|8000||engines"}'
RETRIED = 'envoy_cluster_upstream_rq_retry{cluster_name="outbound|8000||engines"}'
OVERFLOWED = 'envoy_cluster_upstream_rq_pending_overflow{cluster_name="outbound|8000||engines"}'
AT_REST = f"{OVERFLOWED} 0\n"


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beats and second tries come fast."""
    in_a_hurry(monkeypatch)


@pytest.fixture
def cluster() -> Cluster:
    """One engine on one node, a door, their deployments and a budget."""
    return small_cluster()


def test_the_first_look_is_complete(tmp_path: Path, cluster: Cluster) -> None:
    """Whoever entered finds everything that is there in the timeline, in the format that verdicts read."""
    with recording(tmp_path, cluster) as seen:
        pods = {one["name"]: one for one in seen.timeline("pod")}
        nodes, budgets = seen.timeline("node"), seen.timeline("pdb")

    who = {"kind": "pod", "name": "engine-a", "uid": "uid-engine-a", "app": "llm-inference"}
    state = {"node": "worker-a", "phase": "Running", "ready": True, "deleting": False, "reason": None}
    containers = {"ip": "10.0.0.1", "started": True, "restarts": 0, "killed": None}
    assert pods["engine-a"] == {**who, **state, **containers, "event": "added"}
    assert pods.keys() == {"engine-a", "door-a"}
    known = {"kind": "node", "name": "worker-a", "ready": True, "gpus_allocatable": 2}
    assert nodes == [{**known, "unschedulable": False}]
    counts = {"current_healthy": 3, "desired_healthy": 2, "disruptions_allowed": 1, "expected_pods": 3}
    assert budgets == [{"kind": "pdb", "name": "llm-inference", "app": "llm-inference", **counts}]


def test_an_eviction_is_seen_from_notice_to_deletion(tmp_path: Path, cluster: Cluster) -> None:
    """First the pod is told to stop, with the reason, then it is gone; a cordon is seen as well."""
    with recording(tmp_path, cluster) as seen:
        cluster.put(NODES, api_objects.node("worker-a", unschedulable=True))
        cluster.evict(f"{PODS}/engine-a")
        seen.until("pod", name="engine-a", event="deleted")
        seen.until("node", unschedulable=True)
        told = seen.until("pod", name="engine-a", event="modified")

    assert (told["deleting"], told["reason"]) == (True, "EvictionByEvictionAPI")


def test_a_container_that_was_killed_is_seen_to_start_again(tmp_path: Path, cluster: Cluster) -> None:
    """The pod stays; noted are why its container ended, that it was started again, and that it has started.

    The sidecar's own restarts and its startup are not the pod's.
    """
    sidecar = api_objects.container(
        "istio-proxy", started=False, restarts=7, lastState="Error@2026-11-26T10:00:09Z"
    )
    killed = {"lastState": "OOMKilled@2026-11-26T10:00:05Z"}
    with recording(tmp_path, cluster) as seen:
        for started in (False, True):
            engine = api_objects.container("inference", started=started, restarts=1, **killed)
            cluster.put(PODS, api_objects.pod("engine-a", statuses=[engine, sidecar], ready=started))
        seen.until("pod", name="engine-a", restarts=1, started=True)
        lines = [one for one in seen.timeline("pod") if one["name"] == "engine-a"]

    noted = [(one["started"], one["restarts"], one["killed"]) for one in lines]
    assert noted == [(True, 0, None), (False, 1, "OOMKilled"), (True, 1, "OOMKilled")]


def test_what_is_not_recorded_is_no_change(tmp_path: Path, cluster: Cluster) -> None:
    """A kubelet that touches its node, or a pod whose labels change, writes no line."""
    with recording(tmp_path, cluster) as seen:
        for _ in range(3):
            cluster.put(NODES, api_objects.node("worker-a"))
            cluster.put(PODS, api_objects.pod("engine-a"))
        cluster.put(NODES, api_objects.node("worker-b"))
        cluster.put(PODS, api_objects.pod("engine-b"))
        seen.until("node", name="worker-b")
        seen.until("pod", name="engine-b")

    assert [one["name"] for one in seen.timeline("node")] == ["worker-a", "worker-b"]
    assert sorted(one["name"] for one in seen.timeline("pod")) == ["door-a", "engine-a", "engine-b"]


def test_a_service_is_all_of_its_slices(tmp_path: Path, cluster: Cluster) -> None:
    """Endpoints of two slices are one record; what leaves one of them leaves the service."""
    cluster.put(SLICES, api_objects.endpoint_slice("one", ready=["engine-a"]))
    with recording(tmp_path, cluster) as seen:
        cluster.put(SLICES, api_objects.endpoint_slice("two", ready=["engine-b"], terminating=["engine-c"]))
        both = seen.until("endpoints", ready=["engine-a", "engine-b"])
        cluster.delete(SLICES, "one")
        seen.until("endpoints", ready=["engine-b"])

    assert both == {
        "kind": "endpoints",
        "name": "llm-inference",
        "ready": ["engine-a", "engine-b"],
        "terminating": ["engine-c"],
    }


def test_a_pod_with_two_addresses_is_one(tmp_path: Path, cluster: Cluster) -> None:
    """On a dual-stack cluster a slice of each address family names it; behind the service it stands once."""
    for family in ("IPv4", "IPv6"):
        both = api_objects.endpoint_slice(family, ready=["engine-a"], terminating=["engine-c"])
        cluster.put(SLICES, both)
    with recording(tmp_path, cluster) as seen:
        noted = seen.timeline("endpoints")

    assert [(one["ready"], one["terminating"]) for one in noted] == [(["engine-a"], ["engine-c"])]


def test_what_steers_the_stack_is_seen(tmp_path: Path, cluster: Cluster) -> None:
    """Pods of the mesh are noted as the stack's are; services of one name in two namespaces stay two."""
    cluster.put(MESH_PODS, api_objects.pod("istiod-a", app="istiod", namespace="istio-system"))
    for namespace in ("istio-system", "monitoring"):
        behind = api_objects.endpoint_slice("slice", ready=[f"{namespace}-pod"])
        behind["metadata"] |= {"namespace": namespace, "uid": namespace}
        cluster.put(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices", behind)
    with recording(tmp_path, cluster) as seen:
        seen.until("endpoints", ready=["istio-system-pod"])
        seen.until("endpoints", ready=["monitoring-pod"])
        cluster.delete(MESH_PODS, "istiod-a")
        gone = seen.until("pod", name="istiod-a", event="deleted")

    assert gone["app"] == "istiod"


def test_an_autoscaler_is_seen_to_go_blind(tmp_path: Path, cluster: Cluster) -> None:
    """Noted are whose it is, what it wants, and whether it can tell; one that is new is not active."""
    autoscaler: api_objects.Json = {
        "metadata": {"name": "engines"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "llm-inference"}},
    }
    cluster.put(AUTOSCALERS, autoscaler)
    with recording(tmp_path, cluster) as seen:
        for status in ("True", "False"):
            conditions = [{"type": "ScalingActive", "status": status}]
            cluster.put(
                AUTOSCALERS, autoscaler | {"status": {"desiredReplicas": 4, "conditions": conditions}}
            )
        seen.until("autoscaler", wanted=4, active=False)
        noted = seen.timeline("autoscaler")

    assert [(one["app"], one["wanted"], one["active"]) for one in noted] == [
        ("llm-inference", 0, False),
        ("llm-inference", 4, True),
        ("llm-inference", 4, False),
    ]


def test_a_sample_has_what_verdicts_read(tmp_path: Path, cluster: Cluster) -> None:
    """Counts by app, requests by engine, what load says, on the run's own clock."""
    cluster.put(PODS, api_objects.pod("engine-b", ready=False, phase="Pending"))
    with recording(tmp_path, cluster) as seen:
        sample = seen.sampled(lambda sample: sample["in_flight"])

    assert 0 <= sample.pop("t_s") < 5
    # The proxy of the door says nothing here.
    assert sample == {
        "ejected": {},
        "ready": {"llm-api": 1, "llm-inference": 1},
        "desired": {"llm-api": 1, "llm-inference": 1},
        "pending": {"llm-api": 0, "llm-inference": 1},
        "in_flight": {"engine-a": 6},
        "queue": {"engine-a": 2},
        "ejections_active": 0,
        "load_in_flight": 7,
        "load_sent": 42,
    }


def test_what_is_no_part_of_the_stack_is_not_counted(tmp_path: Path, cluster: Cluster) -> None:
    """Another deployment in its namespace is neither wanted nor missed, and its budget is not the stack's."""
    for name, wanted in (("redis", 1), ("resting", 0)):
        cluster.put(DEPLOYMENTS, api_objects.deployment(name, wanted=wanted, ready=wanted))
    cluster.put(PDBS, api_objects.pdb("redis", healthy=1, allowed=0))
    with recording(tmp_path, cluster) as seen:
        sample = seen.sampled(lambda sample: sample["desired"])
        budgets = seen.timeline("pdb")

    for counted in ("desired", "ready", "pending"):
        assert sample[counted].keys() == {"llm-inference", "llm-api"}
    assert [one["name"] for one in budgets] == ["llm-inference"]


def test_a_pod_that_is_told_to_stop_is_not_ready(tmp_path: Path, cluster: Cluster) -> None:
    """It counts as its disruption budget counts it: from the moment of its eviction it is away."""
    cluster.stubborn.add("engine-a")
    with recording(tmp_path, cluster) as seen:
        cluster.evict(f"{PODS}/engine-a")
        sample = seen.sampled(lambda sample: sample["ready"]["llm-inference"] == 0)

    assert sample["in_flight"] == {"engine-a": 6}


def test_a_pod_that_is_gone_is_not_ready(tmp_path: Path, cluster: Cluster) -> None:
    """Also one that went without notice, as on a node that died."""
    with recording(tmp_path, cluster) as seen:
        cluster.delete(PODS, "door-a")
        seen.sampled(lambda sample: sample["ready"]["llm-api"] == 0)


def test_an_engine_that_does_not_answer_holds_nothing_up(tmp_path: Path, cluster: Cluster) -> None:
    """It is left out of the sample; the others are in it, and samples go on."""
    cluster.put(PODS, api_objects.pod("engine-b"))
    cluster.silent.add("engine-b")
    with recording(tmp_path, cluster) as seen:
        wait_until(seen.samples, ready=lambda found: len(found) >= 2, limit_s=3, every_s=0.01, what="two")

    assert seen.samples()[0]["in_flight"] == {"engine-a": 6}


def test_the_mesh_is_counted_since_the_start(tmp_path: Path, cluster: Cluster) -> None:
    """Retries of earlier runs do not count; hosts ejected now do, over all proxies."""
    cluster.put(MESH_PODS, api_objects.pod("gate", app="istio-ingressgateway", namespace="istio-system"))
    cluster.metrics |= {
        "door-a": f"{OVERFLOWED} 3\n{RETRIED} 10\n{EJECTED} 1\n",
        "gate": f"{AT_REST}{RETRIED} 5\n",
    }
    with recording(tmp_path, cluster) as seen:
        first = seen.sampled(lambda sample: "retries" in sample)
        cluster.metrics |= {
            "door-a": f"{OVERFLOWED} 3\n{RETRIED} 12\n{EJECTED} 0\n",
            "gate": f"{AT_REST}{RETRIED} 8\n",
        }
        last = seen.sampled(lambda sample: (sample.get("retries"), sample["ejections_active"]) == (5, 0))

    assert (first["retries"], first["ejections_active"], first["ejected"]) == (0, 1, {"door-a": 1, "gate": 0})
    assert (last["pending_overflow"], last["ejected"]) == (0, {"door-a": 0, "gate": 0})


def test_the_logs_of_engines_are_copied_whole(tmp_path: Path, cluster: Cluster) -> None:
    """Each line once and without its stamp, of engines only, also of one that came later, up to the end."""
    cluster.logs["engine-a"] = ["2099-01-01T00:00:00.1Z one", "2099-01-01T00:00:00.2Z two"]
    cluster.logs["engine-b"] = ["2099-01-01T00:00:00.1Z other"]
    cluster.logs["door-a"] = ["2099-01-01T00:00:00.1Z not asked for"]
    with recording(tmp_path, cluster) as seen:
        cluster.put(PODS, api_objects.pod("engine-b"))
        logs = seen.run_dir / "logs"
        wait_until(
            lambda: sorted(path.name for path in logs.iterdir() if path.stat().st_size),
            ready=lambda names: names == ["engine-a.log", "engine-b.log"],
            limit_s=3,
            every_s=0.01,
            what="the logs",
        )
        cluster.logs["engine-a"].append("2099-01-01T00:00:00.3Z three")

    assert (logs / "engine-a.log").read_text() == "one\ntwo\nthree\n"
    assert (logs / "engine-b.log").read_text() == "other\n"
