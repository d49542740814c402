"""Where load may run, and the check that it did not run where the fault struck."""

from dataclasses import replace
from typing import Any

import pytest
from tests.golden.make_run import made_facts
from tests.unit import api_objects

from sealegs.judgement.facts import Facts, fault_story
from sealegs.judgement.verdict import decide
from sealegs.kube.objects import Node, parse_node
from sealegs.placement import not_apart, places


def node(name: str, *, gpus: int = 0, **changes: Any) -> Node:  # noqa: ANN401  any of a node's fields
    """A node that takes pods, parsed as the cluster's are."""
    return replace(parse_node(api_objects.node(name, gpus=gpus)), **changes)


def labelled(name: str, *labels: str, gpus: int = 0) -> Node:
    """A node with labels, as the API server has it."""
    item = api_objects.node(name, gpus=gpus)
    item["metadata"]["labels"] |= dict(label.split("=") for label in labels)
    return parse_node(item)


CONTROL_PLANE = labelled("control-plane", "node-role.kubernetes.io/control-plane=")
POOL = labelled("pool", "sealegs/load=true", gpus=2)
REFUSED = labelled("refused", "sealegs/load=false")


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([node("b"), node("a"), node("gpu", gpus=1), CONTROL_PLANE], ("a", "b")),
        ([node("gpu", gpus=1), CONTROL_PLANE], ("control-plane",)),
        ([node("gpu", gpus=1)], ()),
        ([node("gpu", gpus=0, has_gpus=True)], ()),
        ([node("a"), POOL, CONTROL_PLANE], ("pool",)),
        ([replace(POOL, ready=False), node("a")], ("a",)),
        ([node("a", schedulable=False), node("b", ready=False)], ()),
        ([REFUSED], ("refused",)),
    ],
)
def test_load_goes_to_its_pool_or_away_from_gpus(nodes: list[Node], expected: tuple[str, ...]) -> None:
    """The pool comes first, then workers without GPUs, then the control plane; nothing else is taken."""
    assert places(nodes) == expected


def test_the_target_is_avoided() -> None:
    """A node that the fault is aimed at takes no load, though it is in the pool for it."""
    assert places([POOL, node("a")], avoid=["pool"]) == ("a",)
    assert places([POOL], avoid=["pool"]) == ()


def in_cluster(*pods: tuple[str, str]) -> Facts:
    """A run whose fault is on worker-b, with these load pods on their nodes."""
    facts = made_facts("pass")
    traffic = replace(facts.scenario.traffic, where="cluster")
    noted = ({"t_s": 1.0, "kind": "load_pod", "name": name, "node": on} for name, on in pods)
    scenario = replace(facts.scenario, traffic=traffic)
    return replace(facts, scenario=scenario, timeline=(*noted, *facts.timeline))


def test_load_apart_from_the_fault_is_not_found() -> None:
    """Pods on another node than the fault's are as they should be."""
    facts = in_cluster(("load-master", "elsewhere"), ("load-worker-0", "elsewhere"))

    assert not_apart(facts, fault_story(facts)) == ()


def test_load_on_the_faults_node_is_found() -> None:
    """One pod there is enough, and it is named with the node."""
    story = fault_story(made_facts("pass"))
    assert story is not None
    struck = str(story.target["node"])
    facts = in_cluster(("load-master", "elsewhere"), ("load-worker-0", struck))

    assert not_apart(facts, story) == (f"load pod load-worker-0 ran on {struck}, the fault's target",)


def test_load_whose_place_is_unknown_is_found() -> None:
    """No pod, or a pod without a node, vouches for nothing."""
    assert not_apart(in_cluster(), None) == ("no load pod was seen",)
    assert not_apart(in_cluster(("load-master", "")), None) == ("of load pod load-master no node is known",)


def test_load_on_the_clients_machine_has_no_place_in_the_cluster() -> None:
    """There is nothing to be apart from."""
    facts = made_facts("pass")

    assert "load-apart" not in {one.name for one in decide(facts).validity.checks}
    assert "load-apart" in {one.name for one in decide(in_cluster()).validity.checks}
