"""What is read out of the API's objects."""

from typing import Any

import pytest
from tests.unit import api_objects

from sealegs.kube.objects import parse_pdb, parse_pod
from sealegs.stack_shape import API, ENGINES, Door, Engines, StackShape

# A stack whose parts are named by two labels each, of which they share one.
NAME, PART = "app.kubernetes.io/name", "app.kubernetes.io/component"
TWICE = StackShape(
    namespace=api_objects.NAMESPACE,
    engines=Engines(deployment="e", labels={NAME: "chat", PART: "engine"}),
    api=Door(deployment="d", labels={NAME: "chat", PART: "door"}),
)


@pytest.mark.parametrize(
    ("statuses", "started", "killed"),
    [
        ([], False, None),
        ([api_objects.container("inference", started=None)], False, None),
        ([api_objects.container("inference", state="Completed@2026-11-26T10:00:09Z")], True, "Completed"),
        (
            [
                api_objects.container(
                    "inference",
                    lastState="OOMKilled@2026-11-26T10:00:05Z",
                    state="Error@2026-11-26T10:00:09Z",
                )
            ],
            True,
            "Error",
        ),
    ],
)
def test_a_pod_says_of_its_containers_what_the_kubelet_knows(
    statuses: list[dict[str, Any]], *, started: bool, killed: str | None
) -> None:
    """Without a status nothing has started; of several ends the last counts."""
    item = api_objects.pod("engine-a", statuses=statuses)
    item["metadata"]["uid"] = "uid"
    pod = parse_pod(item)

    assert (pod.started, pod.killed) == (started, killed)


def test_a_gateways_own_container_counts() -> None:
    """Where the mesh's proxy is all that a pod has, its restarts are the pod's."""
    killed = api_objects.container("istio-proxy", restarts=7, lastState="OOMKilled@2026-11-26T10:00:05Z")
    item = api_objects.pod("gateway", app="istio-ingressgateway", statuses=[killed])
    item["metadata"]["uid"] = "uid"
    item["spec"]["containers"] = [{"name": "istio-proxy"}]
    pod = parse_pod(item)

    assert (pod.restarts, pod.killed, pod.started) == (7, "OOMKilled", True)


@pytest.mark.parametrize(
    ("selector", "app"),
    [
        ({"matchLabels": {NAME: "chat", PART: "engine"}}, ENGINES),
        # Less than the part's labels selects its pods all the same.
        ({"matchLabels": {PART: "engine"}}, ENGINES),
        ({"matchExpressions": [{"key": PART, "operator": "In", "values": ["door", "hall"]}]}, API),
        ({"matchExpressions": [{"key": PART, "operator": "NotIn", "values": ["door"]}]}, ENGINES),
        # More than they say may select some of its pods.
        ({"matchLabels": {NAME: "chat", PART: "engine", "version": "v2"}}, ENGINES),
        # What counts the pods of several parts together is no single part's budget.
        ({"matchLabels": {NAME: "chat"}}, ""),
        ({}, ""),
        ({"matchLabels": {NAME: "chat"}, "matchExpressions": [{"key": "gone", "operator": "Exists"}]}, ""),
        ({"matchLabels": {"app": "redis"}}, "redis"),
        (None, ""),
    ],
)
def test_a_budget_is_of_the_part_whose_pods_it_selects(selector: dict[str, Any] | None, app: str) -> None:
    """As Kubernetes asks: what the selector demands is among the pods' labels, not the other way round."""
    item = api_objects.pdb("any", healthy=3, allowed=1)
    item["spec"]["selector"] = selector

    assert parse_pdb(item, TWICE).app == app
