"""The drain as its experiment calls it: real client, real recorder, an API server in this process."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit import api_objects
from tests.unit.api_server import NODES, PODS
from tests.unit.drain_stage import STREAMS, ZERO_NS, Stage, staged, write_run

from sealegs import evidence
from sealegs.active import RUN_DIR
from sealegs.errors import ClusterError
from sealegs.faults import node_drain, noop
from sealegs.kube import acts, opt_in
from sealegs.kube.api import Api
from sealegs.timeline import Timeline
from sealegs.waiting import wait_until


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Three nodes with an engine each; that of worker-c serves nothing."""
    with staged(tmp_path, monkeypatch) as ready:
        yield ready


def test_a_drain_goes_through_all_its_states(stage: Stage) -> None:
    """Armed, injected, landed, undone, gone: each is noted once, in order, and the node is left as it was."""
    with stage.recorded():
        done = node_drain.inject(streams_min=3, drain_limit_s=5, node="worker-b")
        assert stage.cordoned() == ["worker-b"]
        assert node_drain.landed(limit_s=2)["pods_left"] == []
        node_drain.undo()
        node_drain.gone(limit_s=2)

    assert stage.states() == ["armed", "injected", "landed", "undone", "gone"]
    assert stage.cordoned() == []
    assert done["pods"] == ["door-b", "engine-b"]
    target = {"node": "worker-b", "pods": ["door-b", "engine-b"]}
    keys = {"t_s", "kind", "fault", "state", "target", "detail", "witness"}
    for record in stage.timeline("fault"):
        assert set(record) == keys
        assert record["target"] == target
    assert not evidence.open_undos(stage.run_dir)


def test_two_nodes_are_drained_at_once(stage: Stage) -> None:
    """Both are cordoned, their pods' evictions are noted side by side, and both are left as they were."""
    with stage.recorded():
        done = node_drain.inject(streams_min=5, drain_limit_s=5, node="worker-b", nodes=2)
        assert len(evidence.open_undos(stage.run_dir)) == 2
        other = next(one for one in done["nodes"] if one != "worker-b")
        assert stage.cordoned() == sorted(["worker-b", other])
        assert node_drain.landed(limit_s=2)["pods_left"] == []
        node_drain.undo()
        assert node_drain.gone(limit_s=2) == f"seen: worker-b and {other} ready and schedulable again"

    assert stage.states() == ["armed", "injected", "landed", "undone", "gone"]
    assert stage.cordoned() == []
    assert done["nodes"][0] == "worker-b"
    assert {one["pod"] for one in stage.timeline("eviction")} == set(done["pods"]) >= {"door-b", "engine-b"}
    for record in stage.timeline("fault"):
        assert record["target"] == {"nodes": done["nodes"], "pods": done["pods"]}


def test_landed_needs_every_node_cordoned(stage: Stage) -> None:
    """One of two nodes that is open again is not a drain of two."""
    with stage.recorded():
        done = node_drain.inject(streams_min=1, drain_limit_s=5, nodes=2)
        node_drain.landed(limit_s=2)
        acts.uncordon(stage.api, done["nodes"][1])
        wait_until(
            lambda: stage.timeline("node")[-1]["unschedulable"],
            ready=lambda closed: not closed,
            limit_s=2,
            every_s=0.005,
            what="the recorder to see it",
        )
        with pytest.raises(TimeoutError, match=r"^fault did not land: .*'unschedulable': False"):
            node_drain.landed(limit_s=0.05)
        node_drain.undo()
        acts.cordon(stage.api, done["nodes"][0])
        with pytest.raises(TimeoutError, match=r"^fault is not gone: .*'schedulable': False"):
            node_drain.gone(limit_s=0.05)


def test_more_nodes_than_there_are_raise(stage: Stage) -> None:
    """Four nodes of three are refused before anything is armed."""
    with pytest.raises(ClusterError, match="4 nodes are to be drained, and only 3 can be"):
        node_drain.inject(streams_min=0, nodes=4)
    assert (stage.states(), stage.changes_asked()) == ([], [])


def test_undo_is_on_disk_before_the_first_change(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the node is cordoned, the way back and the moment of injection have been written."""
    known: list[tuple[int, list[str]]] = []
    cordon = acts.cordon

    def look_and_cordon(api: Api, node: str) -> None:
        known.append((len(evidence.open_undos(stage.run_dir)), stage.states()))
        cordon(api, node)

    monkeypatch.setattr(acts, "cordon", look_and_cordon)
    node_drain.inject(streams_min=1, drain_limit_s=5)

    assert known == [(1, ["armed", "injected"])]
    assert stage.changes_asked()[0].startswith("PATCH /api/v1/nodes/")


@pytest.mark.parametrize(("seed", "node"), [(0, "worker-a"), (1, "worker-b"), (2, "worker-b")])
def test_the_seed_picks_among_nodes_that_serve(stage: Stage, seed: int, node: str) -> None:
    """The same seed picks the same node, and never one that serves no stream."""
    write_run(stage.run_dir, kubeconfig=stage.run_dir.parents[2] / "kubeconfig", seed=seed)

    assert noop.inject(streams_min=1)["node"] == node


def test_no_drain_begins_without_streams(stage: Stage) -> None:
    """Too few streams in flight end it while it is only armed: nothing was changed or has to be undone."""
    with pytest.raises(TimeoutError, match=r"6 streams in flight on worker-b; last seen: \{'engine-b': 5\}"):
        node_drain.inject(streams_min=6, drain_limit_s=5, node="worker-b")

    assert stage.states() == ["armed"]
    assert stage.changes_asked() == []
    assert node_drain.undo().startswith("nothing to undo")
    assert node_drain.gone().startswith("nothing is gone")
    assert stage.states() == ["armed"]


@pytest.mark.parametrize("name", ["worker-x", "worker-c"])
def test_a_target_that_matches_nothing_raises(stage: Stage, name: str) -> None:
    """A node that is not there, or that somebody else cordoned, is not drained."""
    stage.cluster.put(NODES, api_objects.node("worker-c", unschedulable=True))

    with pytest.raises(ClusterError, match=f"nothing to drain: node {name} is not one that has GPUs"):
        node_drain.inject(streams_min=0, node=name)
    assert stage.changes_asked() == []


def test_a_drain_that_would_move_nothing_raises(stage: Stage) -> None:
    """Engines that a drain leaves alone, as those of a DaemonSet, cannot be what it is aimed at."""
    stage.cluster.put(PODS, api_objects.pod("engine-a", owner="DaemonSet"))

    with pytest.raises(ClusterError, match="drain of node worker-a would move no pod of namespace llm-prod"):
        node_drain.inject(streams_min=1, node="worker-a")
    assert stage.states() == []


def test_a_cluster_without_engines_raises(stage: Stage) -> None:
    """Where no node has a GPU and a ready engine there is nothing to drain."""
    for name in STREAMS:
        stage.cluster.put(NODES, api_objects.node(name, gpus=0))

    with pytest.raises(ClusterError, match="nothing to drain: none of 3 nodes has GPUs"):
        node_drain.inject(streams_min=0)


def test_a_foreign_cluster_is_drained_only_where_it_opted_in(stage: Stage) -> None:
    """On a cluster not made here a pod of a namespace without the label forbids the drain, by name."""
    elsewhere = "/api/v1/namespaces/shop/pods"
    stage.cluster.put(elsewhere, api_objects.pod("till", on="worker-a", app="till", namespace="shop"))
    write_run(stage.run_dir, kubeconfig=stage.run_dir.parents[2] / "kubeconfig", owned=False)
    stage.cluster.labels = {api_objects.NAMESPACE: {opt_in.LABEL: "true"}}

    with pytest.raises(ClusterError, match="must not be drained: shop/till would be evicted"):
        node_drain.inject(streams_min=1, node="worker-a")
    assert stage.changes_asked() == []

    stage.cluster.labels["shop"] = {opt_in.LABEL: "true"}
    assert node_drain.inject(streams_min=1, node="worker-a")["refused"] == {"till": 0, "engine-a": 0}


def test_a_drain_that_does_nothing_does_not_land(stage: Stage) -> None:
    """What inject wrote is no witness: without a change that the recorder saw, landed raises."""
    with stage.recorded():
        noop.inject(streams_min=3, drain_limit_s=60, node="worker-a")
        with pytest.raises(TimeoutError, match=r"^fault did not land: .*'pods_left': \['engine-a'\]"):
            node_drain.landed(limit_s=0.05)
        node_drain.undo()
        node_drain.gone()

    assert stage.states() == ["armed", "injected"]
    assert stage.changes_asked() == []


def test_landed_needs_every_pod_gone(stage: Stage) -> None:
    """A cordon alone, or a pod that is only told to stop, is not a drain that landed."""
    stage.cluster.stubborn.add("engine-b")
    with stage.recorded():
        with pytest.raises(TimeoutError):
            node_drain.inject(streams_min=3, drain_limit_s=0.05, node="worker-b")
        stage.until("node", name="worker-b", unschedulable=True)
        stage.until("pod", name="door-b", event="deleted")
        with pytest.raises(TimeoutError, match=r"^fault did not land: .*True, 'pods_left': \['engine-b'\]"):
            node_drain.landed(limit_s=0.05)


def test_landed_needs_the_cordon(stage: Stage) -> None:
    """Pods that went for another reason, on a node that still takes new ones, are not a drain."""
    with stage.recorded():
        noop.inject(streams_min=3, node="worker-a")
        stage.cluster.delete(PODS, "engine-a")
        stage.until("pod", name="engine-a", event="deleted")
        with pytest.raises(TimeoutError, match=r"^fault did not land: .*False, 'pods_left': \[\]"):
            node_drain.landed(limit_s=0.05)


def test_landed_counts_only_what_came_after(stage: Stage) -> None:
    """A cordon and a deletion that were seen before injection are not its doing."""
    with stage.recorded():
        timeline = Timeline(stage.run_dir, zero_ns=ZERO_NS)
        timeline.note("node", name="worker-a", unschedulable=True)
        timeline.note("pod", name="engine-a", event="deleted")
        timeline.close()
        noop.inject(streams_min=3, node="worker-a")
        with pytest.raises(TimeoutError, match=r"^fault did not land: .*False, 'pods_left': \['engine-a'\]"):
            node_drain.landed(limit_s=0.05)


def test_landed_needs_the_recorder(stage: Stage) -> None:
    """A drain that nobody watched is not believed."""
    node_drain.inject(streams_min=3, drain_limit_s=5, node="worker-a")

    with pytest.raises(TimeoutError, match=r"^fault did not land: "):
        node_drain.landed(limit_s=0.05)
    assert stage.states() == ["armed", "injected"]


def test_landed_before_anything_was_injected_raises(stage: Stage) -> None:
    """There is nothing to have landed."""
    with pytest.raises(ClusterError, match=r"^fault did not land: nothing was injected"):
        node_drain.landed()
    assert stage.states() == []


def test_gone_raises_while_the_undo_is_open(stage: Stage) -> None:
    """A drain that was not undone is not gone."""
    node_drain.inject(streams_min=3, drain_limit_s=5, node="worker-a")

    with pytest.raises(ClusterError, match="its undo has not been done"):
        node_drain.gone()
    assert stage.cordoned() == ["worker-a"]


def test_gone_needs_the_recorders_word_too(stage: Stage) -> None:
    """A node that is schedulable by a fresh read but not by the recorder's last word is still waited for."""
    with stage.recorded():
        node_drain.inject(streams_min=3, drain_limit_s=5, node="worker-a")
        node_drain.landed(limit_s=2)
    node_drain.undo()

    with pytest.raises(TimeoutError, match="'recorded_schedulable': False, 'schedulable': True"):
        node_drain.gone(limit_s=0.05)


def test_gone_needs_a_fresh_read_too(stage: Stage) -> None:
    """A node that somebody cordoned again after the recorder's last word is not back."""
    with stage.recorded():
        node_drain.inject(streams_min=3, drain_limit_s=5, node="worker-a")
        stage.until("node", name="worker-a", unschedulable=True)
        node_drain.undo()
        node_drain.gone(limit_s=5)  # by now the recorder has seen it open again
    acts.cordon(stage.api, "worker-a")

    with pytest.raises(TimeoutError, match="'recorded_schedulable': True, 'schedulable': False"):
        node_drain.gone(limit_s=0.05)


def test_undo_is_safe_to_repeat(stage: Stage) -> None:
    """A second undo changes nothing and notes nothing; one undo can be replayed from its record alone."""
    node_drain.inject(streams_min=3, drain_limit_s=5, node="worker-a")
    (recorded,) = evidence.open_undos(stage.run_dir)
    node_drain.undo()

    assert node_drain.undo().startswith("nothing to undo")
    assert node_drain.undo_one(stage.api, recorded) == "uncordoned worker-a"
    assert stage.cordoned() == []
    assert stage.states() == ["armed", "injected", "undone"]


def test_a_step_without_a_run_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """An experiment's step that is called by itself names what is missing."""
    monkeypatch.delenv(RUN_DIR, raising=False)

    with pytest.raises(ClusterError, match="no run is open"):
        node_drain.inject()
    assert RUN_DIR not in os.environ
