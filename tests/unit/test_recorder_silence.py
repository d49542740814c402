"""The recorder against an API server that falls silent: what it goes on with, and when it gives up."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit import api_objects, api_server
from tests.unit.api_server import DEPLOYMENTS, NODES, PDBS, PODS, Cluster
from tests.unit.recording import in_a_hurry, recording, small_cluster

from sealegs import waiting
from sealegs.errors import ClusterError
from sealegs.kube import watch
from sealegs.kube.api import Stop
from sealegs.kube.objects import Pod
from sealegs.recorder.changes import Changes
from sealegs.timeline import Timeline
from sealegs.waiting import TIMEOUTS, now_ns, wait_until


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beats and second tries come fast."""
    in_a_hurry(monkeypatch)


@pytest.fixture
def cluster() -> Cluster:
    """One engine on one node, a door, their deployments and a budget."""
    return small_cluster()


def test_what_vanished_while_nobody_watched_is_gone(tmp_path: Path, cluster: Cluster) -> None:
    """After an expired version everything is listed again, and a pod that is missing counts as deleted."""
    with recording(tmp_path, cluster) as seen:
        cluster.forget(PODS, "engine-a")
        cluster.expire_watches(PODS)
        seen.until("pod", event="deleted")

    assert [one["name"] for one in seen.timeline("pod") if one["event"] == "deleted"] == ["engine-a"]
    assert seen.timeline("error") == []


def test_what_a_list_brings_is_seen_at_once(tmp_path: Path, cluster: Cluster) -> None:
    """Nobody sees the first pod of a list without the others: one that left and one that came make no gap."""
    looks: list[Future[int]] = []

    def look(_: Pod) -> None:
        looks.append(pool.submit(lambda: len(changes.pods)))
        wait(looks, timeout=0.2)

    timeline = Timeline(tmp_path, zero_ns=now_ns())
    changes = Changes(timeline, on_pod=look)
    stop = Stop()
    with ThreadPoolExecutor() as pool, api_server.serving(tmp_path, cluster) as api:
        following = pool.submit(
            watch.watch,
            api,
            PODS,
            on_change=changes.pod,
            stop=stop,
            on_look=stop.set,
            at_once=changes.at_once,
        )
        following.result(timeout=5)
    timeline.close()

    assert [one.result() for one in looks] == [2, 2]


def test_a_connection_that_breaks_repeats_nothing(tmp_path: Path, cluster: Cluster) -> None:
    """What was told before it broke is not told again with another time; what came after it is told once."""
    with recording(tmp_path, cluster) as seen:
        cluster.put(PODS, api_objects.pod("engine-a", ready=False))
        seen.until("pod", name="engine-a", ready=False)
        cluster.put(PODS, api_objects.pod("engine-a"))
        cluster.put(PODS, api_objects.pod("engine-b"))
        seen.until("pod", name="engine-b")
        cluster.delete(PODS, "engine-b")
        seen.until("pod", name="engine-b", event="deleted")
        cluster.break_watches(PODS)
        wait_until(lambda: cluster.broken, ready=lambda left: not left, limit_s=3, every_s=0.01, what="it")
        cluster.put(PODS, api_objects.pod("engine-c"))
        seen.until("pod", name="engine-c")
        told = [(one["name"], one["event"], one["ready"]) for one in seen.timeline("pod")]

    about = [one for one in told if one[0] != "door-a"]
    assert about == [
        ("engine-a", "added", True),
        ("engine-a", "modified", False),
        ("engine-a", "modified", True),
        ("engine-b", "added", True),
        ("engine-b", "deleted", True),
        ("engine-c", "added", True),
    ]


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
        assert len(recorder_threads) == 9
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


def test_a_watch_that_stood_long_before_it_broke_was_no_silence(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is since when nothing can be asked: a watch hears nothing for longer than that."""
    ahead_s = [0.0]
    for clock in (waiting, watch):
        monkeypatch.setattr(clock, "now_s", lambda: time.monotonic() + ahead_s[0])
    with recording(tmp_path, cluster) as seen:
        ahead_s[0] = 2 * TIMEOUTS.api_silence_s
        cluster.refuses.add(PDBS)
        cluster.expire_watches(PDBS)
        asked = len(cluster.asked)
        wait_until(
            lambda: cluster.asked[asked:].count(f"GET {PDBS}"),
            ready=lambda count: count >= 3,
            limit_s=3,
            every_s=0.005,
            what="questions that are refused",
        )
        cluster.refuses.clear()
        cluster.put(PDBS, api_objects.pdb("llm-inference", healthy=1, allowed=0))
        seen.until("pdb", disruptions_allowed=0)

    assert seen.timeline("error") == []


def test_a_cluster_that_cannot_be_watched_is_not_recorded(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look ends with what was refused, as soon as that is certain."""
    monkeypatch.setattr(watch, "TIMEOUTS", replace(TIMEOUTS, api_silence_s=0.05))
    cluster.refuses.add(NODES)

    with pytest.raises(TimeoutError, match=r"first look at the cluster .*watch of /api/v1/nodes: .* 403"):
        recording(tmp_path, cluster).__enter__()
