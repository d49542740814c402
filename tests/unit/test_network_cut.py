"""The cut of a node's network as its experiment calls it: a Docker of shell, an API server here."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit import api_objects, fake_docker
from tests.unit.api_server import NODES
from tests.unit.drain_stage import Stage, staged, write_run

from sealegs import evidence
from sealegs.active import active_run
from sealegs.errors import ClusterError
from sealegs.faults import network_cut

# A node that is cut off has a file; one that is off has another.
CASES = """
    *"iptables -w -N"*) touch "cut-$2" ;;
    *"iptables -w -X"*) rm -f "cut-$2" ;;
    *curl*10.0.0.1*|*curl*worker-b*) [ -e cut-worker-b ] || [ -e deaf ] && printf 000 || printf 401 ;;
    *curl*) printf 401 ;;
    inspect*) [ -e off ] && echo false || echo true ;;
"""


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Three nodes with an engine each; that of worker-c serves nothing."""
    fake_docker.install(tmp_path, monkeypatch, CASES)
    monkeypatch.setattr(network_cut, "LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(network_cut, "BACK_LIMIT_S", 0.05)
    with staged(tmp_path, monkeypatch) as ready:
        yield ready


def here(stage: Stage) -> Path:
    """Where Docker works."""
    return stage.run_dir.parents[2]


def rules(stage: Stage) -> list[str]:
    """What Docker was asked about rules, in order."""
    return fake_docker.asked(here(stage), "iptables")


def notice(stage: Stage, *, ready: bool, gpus: int = 2) -> None:
    """The control plane notices that the node is lost, or back."""
    stage.cluster.put(NODES, api_objects.node("worker-b", ready=ready, gpus=gpus))


def claim_to_cut(way: str = "both") -> None:
    """Aim and note the injection, and change nothing."""
    with active_run() as run:
        target, streams = network_cut.arm(run, streams_min=1, node="worker-b", way=way)
        network_cut.note_injected(run, target, streams=streams)


def test_a_cut_of_both_ways_goes_through_all_its_states(stage: Stage) -> None:
    """Armed, injected, landed, undone, gone: each is noted once, in order, and the node is joined again."""
    with stage.recorded():
        done = network_cut.inject(streams_min=3, node="worker-b")
        notice(stage, ready=False)
        assert network_cut.landed(limit_s=2)["running"]
        notice(stage, ready=True)
        network_cut.undo()
        assert network_cut.gone(limit_s=2) == "seen: node worker-b reached from worker-a, and ready"

    assert stage.states() == ["armed", "injected", "landed", "undone", "gone"]
    assert (done["streams"], done["pods"]) == (5, ["door-b", "engine-b"])
    assert (evidence.open_undos(stage.run_dir), stage.changes_asked()) == ((), [])


def test_a_cut_of_one_way_lands_while_the_node_looks_well(stage: Stage) -> None:
    """What others send to its pods is dropped, and nothing else; no word of the control plane is awaited."""
    with stage.recorded():
        network_cut.inject(streams_min=3, node="worker-b", way="in")
        seen = network_cut.landed(limit_s=2)
        network_cut.undo()
        network_cut.gone(limit_s=2)

    assert (seen["reached"], seen["ready"]) == (False, True)
    assert [word for word in rules(stage)[0].split("iptables -w ") if word.startswith("-I")] == [
        "-I FORWARD -i eth0 -j SEALEGS"
    ]


def test_both_ways_are_those_of_the_node_and_of_its_pods(stage: Stage) -> None:
    """Packets from and to other machines, of the node itself and through it, all go to a chain of our own."""
    network_cut.inject(streams_min=1, node="worker-b")

    (told,) = rules(stage)
    assert told.startswith("exec worker-b sh -c iptables -w -N SEALEGS && iptables -w -A SEALEGS -j DROP && ")
    hooks = [one.split(" -j ")[0] for one in told.split("iptables -w -I ")[1:]]
    assert hooks == ["INPUT -i eth0", "OUTPUT -o eth0", "FORWARD -i eth0", "FORWARD -o eth0"]


def test_undo_takes_our_own_rules_away_and_no_others(stage: Stage) -> None:
    """Every rule that leads to our chain, then the chain; it fails where the chain is still there."""
    network_cut.inject(streams_min=1, node="worker-b")
    network_cut.undo()

    told = rules(stage)[-1]
    changes = [one.split(";")[0].strip() for one in told.split("iptables -w ")[1:]]
    assert all(one.split(" 2>")[0].endswith("SEALEGS") for one in changes)
    assert told.endswith("! iptables -w -S SEALEGS")
    assert told.count("-D ") == 4


def test_undo_is_on_disk_before_the_first_rule(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the first rule is set, the way back and the moment of injection have been written."""
    known: list[tuple[int, list[str]]] = []
    on = network_cut._on  # noqa: SLF001  what leads to the node is looked into

    def look(node: str, script: str) -> str:
        if "iptables" in script:
            known.append((len(evidence.open_undos(stage.run_dir)), stage.states()))
        return on(node, script)

    monkeypatch.setattr(network_cut, "_on", look)
    network_cut.inject(streams_min=1, node="worker-b")

    assert known == [(1, ["armed", "injected"])]


def test_a_foreign_clusters_network_is_left_alone(stage: Stage) -> None:
    """On a cluster not made here nothing is cut, whatever its namespaces opted in to."""
    write_run(stage.run_dir, kubeconfig=here(stage) / "kubeconfig", owned=False)

    with pytest.raises(ClusterError, match="only to the cluster made here"):
        network_cut.inject(streams_min=1)
    assert (rules(stage), stage.states()) == ([], [])


@pytest.mark.parametrize(
    ("node", "way", "why"),
    [
        ("worker-x", "both", "node worker-x is not one that has GPUs"),
        ("worker-b", "out", "it can be both or in"),
    ],
)
def test_a_target_that_matches_nothing_raises(stage: Stage, node: str, way: str, why: str) -> None:
    """A node that is not there is not cut off, and there is no other way than those two."""
    with pytest.raises(ClusterError, match=why):
        network_cut.inject(streams_min=0, node=node, way=way)
    assert rules(stage) == []


def test_a_node_that_is_not_reached_before_is_not_cut(stage: Stage) -> None:
    """What cannot be seen to end cannot be seen to have been there."""
    (here(stage) / "deaf").touch()

    with pytest.raises(ClusterError, match="worker-a does not reach https://worker-b:10250/healthz now"):
        network_cut.inject(streams_min=1, node="worker-b")
    assert (rules(stage), stage.states()) == ([], [])


def test_no_cut_without_streams(stage: Stage) -> None:
    """Too few streams in flight end it while it is only armed: nothing was changed or has to be undone."""
    with pytest.raises(TimeoutError, match="6 streams in flight on worker-b"):
        network_cut.inject(streams_min=6, node="worker-b")

    assert network_cut.undo().startswith("nothing to undo")
    assert network_cut.gone().startswith("nothing is gone")
    assert (rules(stage), stage.states()) == ([], ["armed"])


@pytest.mark.parametrize(
    ("way", "ready", "file", "seen"),
    [
        ("both", False, "", "'reached': True"),  # nothing was cut
        ("both", True, "deaf", "'recorded_ready': None, 'ready': True"),  # nobody has noticed
        ("both", False, "deaf off", "'running': False"),  # its power went
        ("in", False, "deaf", "'ready': False"),  # its heartbeats are gone too
    ],
)
def test_what_is_no_such_cut_does_not_land(stage: Stage, way: str, ready: bool, file: str, seen: str) -> None:  # noqa: FBT001
    """Not reached, on, and noticed or not as the way has it: where one of these fails, landed raises."""
    with stage.recorded():
        claim_to_cut(way)
        for name in file.split():
            (here(stage) / name).touch()
        notice(stage, ready=ready)
        with pytest.raises(TimeoutError, match=f"^fault did not land: .*{seen}"):
            network_cut.landed(limit_s=0.2)
        network_cut.undo()
        network_cut.gone()

    assert stage.states() == ["armed", "injected"]


def test_landed_before_anything_was_injected_raises(stage: Stage) -> None:
    """There is nothing to have landed."""
    with pytest.raises(ClusterError, match=r"^fault did not land: nothing was injected"):
        network_cut.landed()
    assert stage.states() == []


@pytest.mark.parametrize(("ready", "gpus"), [(False, 2), (True, 0)])
def test_undo_waits_for_the_node(stage: Stage, ready: bool, gpus: int) -> None:  # noqa: FBT001
    """A cut is not undone while the node cannot serve; its undo stays open, and its rules are gone."""
    network_cut.inject(streams_min=1, node="worker-b")
    notice(stage, ready=ready, gpus=gpus)

    with pytest.raises(TimeoutError, match="node worker-b to be ready, with its GPUs"):
        network_cut.undo()
    with pytest.raises(ClusterError, match="its undo has not been done"):
        network_cut.gone()
    assert not (here(stage) / "cut-worker-b").exists()
    assert stage.states() == ["armed", "injected"]


@pytest.mark.parametrize(("ready", "file"), [(False, ""), (True, "deaf")])
def test_gone_needs_a_node_that_is_ready_and_reached(stage: Stage, ready: bool, file: str) -> None:  # noqa: FBT001
    """A node is not back while the recorder has it lost, or while another does not reach it."""
    with stage.recorded():
        network_cut.inject(streams_min=1, node="worker-b")
        network_cut.undo()
        notice(stage, ready=ready)
        if file:
            (here(stage) / file).touch()
        with pytest.raises(TimeoutError, match=r"^fault is not gone: "):
            network_cut.gone(limit_s=0.2)


def test_undo_is_safe_to_repeat(stage: Stage) -> None:
    """A second undo changes nothing and notes nothing; one undo can be replayed from its record alone."""
    network_cut.inject(streams_min=1, node="worker-b")
    (recorded,) = evidence.open_undos(stage.run_dir)
    network_cut.undo()

    assert network_cut.undo().startswith("nothing to undo")
    assert network_cut.undo_one(stage.api, recorded) == "joined worker-b to the network"
    with pytest.raises(ClusterError, match="nobody here knows how to 'splice'"):
        network_cut.undo_one(stage.api, replace(recorded, action="splice"))
    assert stage.states() == ["armed", "injected", "undone"]
