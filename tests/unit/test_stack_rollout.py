"""What counts as a complete stack, on objects as the API server lists them."""

from typing import Any

import pytest

from sealegs import rollout
from sealegs.stack_shape import API, REFERENCE


def deployment(*, wanted: int = 3, ready: int = 3, updated: int = 3, replicas: int = 3, seen: int = 2) -> Any:  # noqa: ANN401  JSON
    """A deployment with these counts, at generation 2."""
    status = {
        "observedGeneration": seen,
        "replicas": replicas,
        "updatedReplicas": updated,
        "readyReplicas": ready,
    }
    return {
        "kind": "Deployment",
        "metadata": {"name": "d", "generation": 2},
        "spec": {"replicas": wanted},
        "status": status,
    }


def pod(name: str = "p", *, node: str = "a", app: str = "x", ready: bool = True, ending: bool = False) -> Any:  # noqa: ANN401  JSON
    """A running pod."""
    said = {"type": "Ready", "status": "True" if ready else "False", "message": "" if ready else "not yet"}
    metadata = {"name": name, "labels": {"app": app}} | ({"deletionTimestamp": "now"} if ending else {})
    status = {"phase": "Running", "conditions": [said]}
    return {"kind": "Pod", "metadata": metadata, "spec": {"nodeName": node}, "status": status}


def test_a_complete_stack_has_no_problem() -> None:
    """As many ready and updated pods as wanted, none ending: complete."""
    assert list(rollout.problems([deployment(), pod("p1"), pod("p2"), pod("p3")])) == []


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        ([deployment(seen=1)], "d: not looked at yet"),
        ([deployment(ready=2)], "d: 3 wanted"),
        ([deployment(updated=2)], "d: 3 wanted"),
        ([deployment(replicas=4)], "d: 3 wanted"),
        ([pod(ending=True)], "p: ending"),
        ([pod(ready=False)], "p: not yet"),
    ],
)
def test_each_incompleteness_is_named(objects: list[Any], said: str) -> None:
    """An old generation, too few or too many pods, one that ends or is not ready: each is a line."""
    assert [line.startswith(said) for line in rollout.problems(objects)] == [True]


def budget(*, seen: int = 1, disrupted: tuple[str, ...] = ()) -> Any:  # noqa: ANN401  JSON
    """A disruption budget at generation 1, waiting for these pods to go."""
    status = {"observedGeneration": seen, "disruptedPods": dict.fromkeys(disrupted, "2026-11-26T00:00:00Z")}
    return {
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "b", "generation": 1},
        "spec": {},
        "status": status,
    }


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (budget(), []),
        (budget(seen=0), ["budget b: not looked at yet"]),
        (budget(disrupted=("p2", "p1")), ["budget b: waits for the end of p1, p2"]),
    ],
)
def test_a_budget_that_would_refuse_is_waited_for(one: Any, said: list[str]) -> None:  # noqa: ANN401  JSON
    """An eviction granted to a client that died holds its budget at zero: the next run must not begin."""
    assert list(rollout.problems([deployment(), one])) == said


def test_a_waiting_container_says_why() -> None:
    """A pod that cannot start is reported with what its kubelet says, not with a bare phase."""
    stuck = pod(ready=False)
    stuck["status"]["containerStatuses"] = [{"state": {"waiting": {"reason": "ErrImageNeverPull"}}}]

    assert list(rollout.problems([stuck])) == ["p: ErrImageNeverPull"]


def test_pods_beyond_an_even_share_are_surplus() -> None:
    """Three pods belong on three nodes: the second one on a node is surplus, of each app by itself."""
    placed = [pod("p1", node="a"), pod("p2", node="a"), pod("p3", node="b"), pod("q1", node="a", app="y")]

    assert rollout.crowded(placed, places=3) == ["p2"]
    assert rollout.crowded(placed, places=2) == []


def test_pods_that_were_started_again_are_not_as_new() -> None:
    """A restart of any of a pod's containers names it: its kubelet would start it later the next time."""
    new, again, starting = pod("p1"), pod("p2"), pod("p3")
    new["status"]["containerStatuses"] = [{"restartCount": 0}, {"restartCount": 0}]
    again["status"]["containerStatuses"] = [{"restartCount": 0}, {"restartCount": 1}]

    assert rollout.restarted([new, again, starting]) == ["p2"]


def test_a_pod_without_a_controller_is_named() -> None:
    """What nothing would put back elsewhere is a line; what a controller owns is none."""
    loose, owned = pod("helper"), pod("p1")
    loose["metadata"]["namespace"] = owned["metadata"]["namespace"] = "n"
    owned["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "controller": True}]

    assert rollout.unmanaged([loose, owned]) == ["n/helper: has no controller"]


def test_the_sidecar_is_native_when_it_is_an_init_container() -> None:
    """The proxy's place in the pod is the mode; without one there is none."""
    native, classic = pod(), pod()
    native["spec"]["initContainers"] = [{"name": "istio-init"}, {"name": "istio-proxy"}]
    classic["spec"]["containers"] = [{"name": "istio-proxy"}]

    assert [rollout.sidecar_mode([one]) for one in (native, classic, pod())] == ["native", "classic", "none"]


@pytest.mark.parametrize(
    ("selector", "taken"),
    [
        ({}, True),
        (None, False),
        ({"matchLabels": {"app": "x"}}, True),
        ({"matchLabels": {"app": "x", "tier": "gold"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["x", "y"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["x"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["gold"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["gold"]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
        ({"matchLabels": {"app": "x"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]}, False),
    ],
)
def test_a_selector_takes_what_meets_all_that_it_demands(selector: Any, *, taken: bool) -> None:  # noqa: ANN401  JSON
    """Its labels and each of its expressions; an empty one takes everything, none at all nothing."""
    assert rollout.selects(selector, {"app": "x", "zone": "a"}) == taken


def test_a_budget_counts_for_the_part_that_it_selects() -> None:
    """A stack without a label of its own is looked through by its parts: their budgets are among them."""
    one = budget()
    one["spec"]["selector"] = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["llm-api"]}]}

    assert rollout.app_of(one, REFERENCE) == API
