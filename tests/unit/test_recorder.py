"""The recorder against an API server in this process: what it writes down, and when it gives up."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit import api_objects
from tests.unit.api_objects import engine_metrics
from tests.unit.api_server import DEPLOYMENTS, NODES, PDBS, PODS, SLICES, Cluster
from tests.unit.recording import recording

from sealegs import recorder
from sealegs.errors import ClusterError
from sealegs.kube import watch
from sealegs.recorder import samples
from sealegs.waiting import TIMEOUTS, wait_until

MESH_PODS = "/api/v1/namespaces/istio-system/pods"
EJECTED = 'envoy_cluster_outlier_detection_ejections_active{cluster_name="engines"}'
RETRIED = 'envoy_cluster_upstream_rq_retry{cluster_name="engines"}'


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beats and second tries come fast."""
    monkeypatch.setattr(recorder, "SAMPLE_EVERY_S", 0.02)
    monkeypatch.setattr(recorder, "LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(samples, "ANSWER_LIMIT_S", 0.1)
    monkeypatch.setattr(watch, "RETRY_S", 0.02)


@pytest.fixture
def cluster() -> Cluster:
    """One engine on one node, a door, their deployments and a budget."""
    made = Cluster()
    made.put(NODES, api_objects.node("worker-a"))
    made.put(PODS, api_objects.pod("engine-a"))
    made.put(PODS, api_objects.pod("door-a", app="llm-api"))
    made.put(PDBS, api_objects.pdb("llm-inference", healthy=3, allowed=1))
    made.put(DEPLOYMENTS, api_objects.deployment("llm-inference", wanted=1, ready=1))
    made.put(DEPLOYMENTS, api_objects.deployment("llm-api", wanted=1, ready=1))
    made.metrics["engine-a"] = engine_metrics(running=4, waiting=2)
    return made


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


def test_what_vanished_while_nobody_watched_is_gone(tmp_path: Path, cluster: Cluster) -> None:
    """After an expired version everything is listed again, and a pod that is missing counts as deleted."""
    with recording(tmp_path, cluster) as seen:
        cluster.forget(PODS, "engine-a")
        cluster.expire_watches(PODS)
        seen.until("pod", event="deleted")

    assert [one["name"] for one in seen.timeline("pod") if one["event"] == "deleted"] == ["engine-a"]
    assert seen.timeline("error") == []


def test_a_sample_has_what_verdicts_read(tmp_path: Path, cluster: Cluster) -> None:
    """Counts by app, requests by engine, what load says, on the run's own clock."""
    cluster.put(PODS, api_objects.pod("engine-b", ready=False, phase="Pending"))
    with recording(tmp_path, cluster) as seen:
        sample = seen.sampled(lambda sample: sample["in_flight"])

    assert 0 <= sample.pop("t_s") < 5
    assert sample == {
        "ready": {"llm-api": 1, "llm-inference": 1},
        "desired": {"llm-api": 1, "llm-inference": 1},
        "pending": {"llm-api": 0, "llm-inference": 1},
        "in_flight": {"engine-a": 6},
        "queue": {"engine-a": 2},
        "ejections_active": 0,
        "pending_overflow": 0,
        "retries": 0,
        "load_in_flight": 7,
        "load_sent": 42,
    }


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


def test_a_beat_without_the_api_server_leaves_no_sample(tmp_path: Path, cluster: Cluster) -> None:
    """What watches said last is not passed off as news; when the server is back, so are the samples."""
    with recording(tmp_path, cluster) as seen:
        seen.sampled(bool)
        cluster.refuses.add(DEPLOYMENTS)
        asked = len(cluster.asked)
        wait_until(
            lambda: cluster.asked[asked:].count(f"GET {DEPLOYMENTS}"),
            ready=lambda count: count >= 3,
            limit_s=3,
            every_s=0.01,
            what="beats that fail",
        )
        before = len(seen.samples())
        cluster.refuses.clear()
        wait_until(seen.samples, ready=lambda now: len(now) > before, limit_s=3, every_s=0.01, what="more")

    assert before <= 2
    assert seen.timeline("error") == []


def test_the_mesh_is_counted_since_the_start(tmp_path: Path, cluster: Cluster) -> None:
    """Retries of earlier runs do not count; hosts ejected now do, over all proxies."""
    cluster.put(MESH_PODS, api_objects.pod("gate", app="istio-ingressgateway", namespace="istio-system"))
    cluster.metrics |= {"door-a": f"{RETRIED} 10\n{EJECTED} 1\n", "gate": f"{RETRIED} 5\n"}
    with recording(tmp_path, cluster) as seen:
        first = seen.sampled(lambda sample: sample["ejections_active"])
        cluster.metrics |= {"door-a": f"{RETRIED} 12\n{EJECTED} 0\n", "gate": f"{RETRIED} 8\n"}
        seen.sampled(lambda sample: (sample["retries"], sample["ejections_active"]) == (5, 0))

    assert (first["retries"], first["ejections_active"]) == (0, 1)


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


def test_a_moment_of_silence_is_no_error(tmp_path: Path, cluster: Cluster) -> None:
    """A watch that is refused for a while goes on where it was, and misses nothing."""
    with recording(tmp_path, cluster) as seen:
        cluster.refuses.add(PDBS)
        cluster.expire_watches(PDBS)
        asked = len(cluster.asked)
        wait_until(
            lambda: cluster.asked[asked:].count(f"GET {PDBS}"),
            ready=lambda count: count >= 2,
            limit_s=3,
            every_s=0.01,
            what="a second try",
        )
        cluster.put(PDBS, api_objects.pdb("llm-inference", healthy=2, allowed=0))
        cluster.refuses.clear()
        seen.until("pdb", disruptions_allowed=0)

    assert seen.timeline("error") == []


def test_leaving_ends_every_thread(tmp_path: Path, cluster: Cluster) -> None:
    """Also those that wait for a change that never comes."""
    with recording(tmp_path, cluster) as seen:
        recorder_threads = [one for one in threading.enumerate() if one.name.startswith(("watch", "sampler"))]
        assert len(recorder_threads) == 6
        seen.sampled(bool)

    assert not any(one.is_alive() for one in recorder_threads)


def test_a_watch_that_fails_is_an_error_of_the_run(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An API server that stays silent on one kind of object is noted once, and the rest goes on."""
    monkeypatch.setattr(watch, "TIMEOUTS", replace(TIMEOUTS, api_silence_s=0.05))
    with recording(tmp_path, cluster) as seen:
        cluster.refuses.add(PDBS)
        cluster.expire_watches(PDBS)
        seen.recorder.raise_if_broken()
        error = seen.until("error")
        with pytest.raises(ClusterError, match=f"the recorder is broken: watch of {PDBS}: .* 403"):
            seen.recorder.raise_if_broken()
        cluster.put(NODES, api_objects.node("worker-b"))
        seen.until("node", name="worker-b")

    assert error["where"] == f"watch of {PDBS}"
    assert "refused with 403" in error["message"]
    assert len(seen.timeline("error")) == 1


def test_a_cluster_that_cannot_be_watched_is_not_recorded(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look ends with what was refused, as soon as that is certain."""
    monkeypatch.setattr(watch, "TIMEOUTS", replace(TIMEOUTS, api_silence_s=0.05))
    cluster.refuses.add(NODES)

    with pytest.raises(TimeoutError, match=r"first look at the cluster .*watch of /api/v1/nodes: .* 403"):
        recording(tmp_path, cluster).__enter__()
