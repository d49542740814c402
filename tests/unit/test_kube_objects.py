"""What is read out of the API's objects."""

from typing import Any

import pytest
from tests.unit import api_objects

from sealegs.kube.objects import parse_pod


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
