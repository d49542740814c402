"""The loss of a node as its experiment calls it: a Docker that only keeps a list, an API server here."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit import api_objects, fake_docker
from tests.unit.api_server import NODES, PODS
from tests.unit.drain_stage import Stage, staged, write_run

from sealegs import evidence
from sealegs.active import active_run
from sealegs.errors import ClusterError
from sealegs.faults import node_loss

# When a node is powered on again, told its last from before, and tells its first from then on.
STARTED_AT, BEFORE, SINCE = "2026-11-27T04:10:00.123456789Z", "2026-11-27T04:09:59Z", "2026-11-27T04:10:12Z"
NOT_BACK: tuple[dict[str, Any], ...] = (
    {"at": SINCE, "ready": False},
    {"at": SINCE, "gpus": 0},
    # It was off for too short a time for the control plane to miss it, and has not told anything yet.
    {"at": BEFORE},
)
# What is off has a file, and so has what was powered on again; what was asked of it stands in a log.
DOCKER = f"""#!/bin/sh
for name; do :; done
echo "$@" >> asked
case "$1" in
    kill) touch "off-$name" ;;
    start) [ -e "off-$name" ] && mv "off-$name" "again-$name"; true ;;
    inspect) [ -e "off-$name" ] && on=false || on=true
        [ -e "again-$name" ] && echo $on {STARTED_AT} || echo $on 2026-11-01T00:00:00Z ;;
esac
"""


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Three nodes with an engine each; that of worker-c serves nothing."""
    fake_docker.put(tmp_path, monkeypatch, DOCKER)
    monkeypatch.setattr(node_loss, "LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(node_loss, "BACK_LIMIT_S", 0.05)
    with staged(tmp_path, monkeypatch) as ready:
        for name in ("worker-a", "worker-b", "worker-c"):
            tell(ready, name, at=BEFORE)
        yield ready


def asked(stage: Stage) -> list[str]:
    """What Docker was asked to change."""
    log = stage.run_dir.parents[2] / "asked"
    lines = log.read_text().splitlines() if log.exists() else []
    return [line for line in lines if not line.startswith("inspect")]


def tell(stage: Stage, name: str, *, at: str, ready: bool = True, gpus: int = 2) -> None:
    """A node's kubelet tells of it at a time, or the control plane notices since when it has not."""
    item = api_objects.node(name, ready=ready, gpus=gpus)
    item["status"]["conditions"][0]["lastHeartbeatTime"] = at
    stage.cluster.put(NODES, item)


def notice(stage: Stage, *, ready: bool) -> None:
    """The control plane notices that worker-b is lost, or is told that it is back."""
    tell(stage, "worker-b", at=SINCE if ready else BEFORE, ready=ready)


def claim_to_power_off(node: str) -> None:
    """Aim and note the injection, and change nothing."""
    with active_run() as run:
        target, streams = node_loss.arm(run, streams_min=1, node=node)
        node_loss.note_injected(run, target, streams=streams)


def test_a_loss_goes_through_all_its_states(stage: Stage) -> None:
    """Armed, injected, landed, undone, gone: each is noted once, in order, and the node is on again."""
    with stage.recorded():
        done = node_loss.inject(streams_min=3, node="worker-b")
        notice(stage, ready=False)
        assert not node_loss.landed(limit_s=2)["running"]
        notice(stage, ready=True)
        node_loss.undo()
        assert node_loss.gone(limit_s=2) == "seen: node worker-b ready again, with its GPUs"

    assert stage.states() == ["armed", "injected", "landed", "undone", "gone"]
    assert asked(stage) == ["kill worker-b", "start worker-b"]
    assert done["streams"] == 5
    for record in stage.timeline("fault"):
        assert record["target"] == {"node": "worker-b", "pods": ["door-b", "engine-b"]}
    assert not evidence.open_undos(stage.run_dir)
    assert stage.changes_asked() == []


def test_undo_is_on_disk_before_the_power_goes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the node is powered off, the way back and the moment of injection have been written."""
    known: list[tuple[tuple[str, ...], int, list[str]]] = []

    def look(*words: str) -> str:
        known.append((words, len(evidence.open_undos(stage.run_dir)), stage.states()))
        return ""

    monkeypatch.setattr(node_loss, "_docker", look)
    node_loss.inject(streams_min=1, node="worker-a")

    assert known == [(("kill", "worker-a"), 1, ["armed", "injected"])]


@pytest.mark.parametrize(("seed", "node"), [(0, "worker-a"), (1, "worker-b"), (2, "worker-b")])
def test_the_seed_picks_among_nodes_that_serve(stage: Stage, seed: int, node: str) -> None:
    """The same seed picks the same node, and never one that serves no stream."""
    write_run(stage.run_dir, kubeconfig=stage.run_dir.parents[2] / "kubeconfig", seed=seed)

    assert node_loss.inject(streams_min=1)["node"] == node


def test_a_foreign_clusters_machines_are_left_on(stage: Stage) -> None:
    """On a cluster not made here nothing is powered off, whatever its namespaces opted in to."""
    write_run(stage.run_dir, kubeconfig=stage.run_dir.parents[2] / "kubeconfig", owned=False)

    with pytest.raises(ClusterError, match="only to the cluster made here"):
        node_loss.inject(streams_min=1)
    assert (asked(stage), stage.states()) == ([], [])


def test_no_loss_without_streams(stage: Stage) -> None:
    """Too few streams in flight end it while it is only armed: nothing was changed or has to be undone."""
    with pytest.raises(TimeoutError, match=r"6 streams in flight on worker-b; last seen: \{'engine-b': 5\}"):
        node_loss.inject(streams_min=6, node="worker-b")

    assert node_loss.undo().startswith("nothing to undo")
    assert node_loss.gone().startswith("nothing is gone")
    assert (asked(stage), stage.states()) == ([], ["armed"])


def test_a_target_that_matches_nothing_raises(stage: Stage) -> None:
    """A node that is not there is not powered off."""
    with pytest.raises(ClusterError, match="nothing to power off: node worker-x is not one that has GPUs"):
        node_loss.inject(streams_min=0, node="worker-x")
    assert asked(stage) == []


def test_a_node_that_docker_does_not_know_raises(stage: Stage) -> None:
    """What Docker says is told; nothing is claimed to have landed."""
    (stage.run_dir.parents[2] / "bin" / "docker").write_text("#!/bin/sh\necho no such container >&2; exit 1")

    with pytest.raises(ClusterError, match=r"`docker kill worker-a` failed \(1\): no such container"):
        node_loss.inject(streams_min=1, node="worker-a")
    assert stage.states() == ["armed", "injected"]


def test_a_loss_that_does_nothing_does_not_land(stage: Stage) -> None:
    """A node that others see as lost, but whose machine is on, was not powered off by this fault."""
    with stage.recorded():
        claim_to_power_off("worker-b")
        notice(stage, ready=False)
        with pytest.raises(TimeoutError, match=r"^fault did not land: .*'ready': False.*'running': True"):
            node_loss.landed(limit_s=0.05)
        node_loss.undo()
        node_loss.gone()

    assert stage.states() == ["armed", "injected"]


def test_landed_needs_the_control_plane(stage: Stage) -> None:
    """A machine that is off and that nobody misses yet is not a loss that landed."""
    with stage.recorded():
        node_loss.inject(streams_min=1, node="worker-b")
        with pytest.raises(TimeoutError, match=r"^fault did not land: .*'ready': True.*'running': False"):
            node_loss.landed(limit_s=0.05)


def test_landed_needs_the_recorder(stage: Stage) -> None:
    """A loss that nobody watched is not believed."""
    node_loss.inject(streams_min=1, node="worker-b")
    notice(stage, ready=False)

    with pytest.raises(TimeoutError, match=r"^fault did not land: .*'recorded_ready': None"):
        node_loss.landed(limit_s=0.05)


def test_landed_needs_a_fresh_read(stage: Stage) -> None:
    """A node that the recorder saw lost, and that is ready now, is not a loss that landed."""
    node_loss.inject(streams_min=1, node="worker-b")
    with active_run() as run:
        run.timeline.note("node", name="worker-b", ready=False)

    with pytest.raises(TimeoutError, match=r"^fault did not land: .*'recorded_ready': False, 'ready': True"):
        node_loss.landed(limit_s=0.05)
    assert stage.states() == ["armed", "injected"]


def test_landed_counts_only_what_came_after(stage: Stage) -> None:
    """What the recorder saw of the node before injection is no word about it."""
    with active_run() as run:
        run.timeline.note("node", name="worker-b", ready=False)
    node_loss.inject(streams_min=1, node="worker-b")
    notice(stage, ready=False)

    with pytest.raises(TimeoutError, match=r"^fault did not land: .*'recorded_ready': None, 'ready': False"):
        node_loss.landed(limit_s=0.05)


def test_landed_before_anything_was_injected_raises(stage: Stage) -> None:
    """There is nothing to have landed."""
    with pytest.raises(ClusterError, match=r"^fault did not land: nothing was injected"):
        node_loss.landed()
    assert stage.states() == []


@pytest.mark.parametrize("known", NOT_BACK)
def test_gone_needs_the_node_with_its_gpus(stage: Stage, known: dict[str, Any]) -> None:
    """A node is not back while it is not ready, without its device plug-in, or known from before only."""
    with stage.recorded():
        node_loss.inject(streams_min=1, node="worker-b")
        tell(stage, "worker-b", at=SINCE)
        node_loss.undo()
        tell(stage, "worker-b", **known)  # it fails again
        with pytest.raises(TimeoutError, match=r"^fault is not gone: "):
            node_loss.gone(limit_s=0.05)


@pytest.mark.parametrize("known", NOT_BACK)
def test_undo_waits_for_the_node_with_its_gpus(stage: Stage, known: dict[str, Any]) -> None:
    """A loss is not undone while the node cannot serve, or nobody has missed it; its undo stays open."""
    node_loss.inject(streams_min=1, node="worker-b")
    tell(stage, "worker-b", **known)

    for _ in ("the rollback", "heal"):
        with pytest.raises(TimeoutError, match="node worker-b to be ready, with its GPUs"):
            node_loss.undo()
    assert len(evidence.open_undos(stage.run_dir)) == 1
    assert stage.states() == ["armed", "injected"]


def test_undo_leaves_no_rejected_pod(stage: Stage) -> None:
    """What the kubelet rejected for want of a GPU is deleted; what runs there or failed elsewhere is not."""
    node_loss.inject(streams_min=1, node="worker-b")
    stage.cluster.put(PODS, api_objects.pod("rejected", on="worker-b", ready=False, phase="Failed"))
    stage.cluster.put(PODS, api_objects.pod("elsewhere", on="worker-a", ready=False, phase="Failed"))
    notice(stage, ready=True)
    node_loss.undo()

    assert stage.changes_asked() == [f"DELETE {PODS}/rejected"]


def test_gone_raises_while_the_undo_is_open(stage: Stage) -> None:
    """A node that was not powered on is not back."""
    node_loss.inject(streams_min=1, node="worker-b")

    with pytest.raises(ClusterError, match="its undo has not been done"):
        node_loss.gone()
    assert asked(stage) == ["kill worker-b"]


def test_undo_is_safe_to_repeat(stage: Stage) -> None:
    """A second undo changes nothing and notes nothing; one undo can be replayed from its record alone."""
    node_loss.inject(streams_min=1, node="worker-b")
    (recorded,) = evidence.open_undos(stage.run_dir)
    notice(stage, ready=True)
    node_loss.undo()

    assert node_loss.undo().startswith("nothing to undo")
    assert node_loss.undo_one(stage.api, recorded) == "powered on worker-b"
    with pytest.raises(ClusterError, match="nobody here knows how to 'rebuild'"):
        node_loss.undo_one(stage.api, replace(recorded, action="rebuild"))
    assert stage.states() == ["armed", "injected", "undone"]
