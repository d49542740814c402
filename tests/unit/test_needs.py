"""What a scenario needs is looked for before any fault; what is missing is said, with what to do."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit import api_objects, api_server
from tests.unit.api_server import NODES, PDBS, PODS, Cluster

from sealegs import evidence, needs
from sealegs.errors import MissingError
from sealegs.scenario.claim import NEEDS
from sealegs.timeline import Timeline
from sealegs.waiting import now_ns

Json = dict[str, Any]

GROUPS = ("metrics.k8s.io", "custom.metrics.k8s.io")


def api_service(group: str, **condition: str) -> Json:
    """The JSON of an APIService with what is said of its being available."""
    available = [{"type": "Available", **condition}] if condition else []
    return {
        "metadata": {"name": f"v1.{group}"},
        "spec": {"group": group},
        "status": {"conditions": available},
    }


def whole() -> Cluster:
    """A cluster that has everything."""
    cluster = Cluster()
    cluster.put("/apis", {"metadata": {"name": "networking.istio.io"}})
    cluster.put(NODES, api_objects.node("worker-a"))
    cluster.put(PODS, api_objects.pod("engine-a"))
    cluster.put(PODS, api_objects.pod("door-a", app="llm-api"))
    for app in ("llm-inference", "llm-api"):
        cluster.put(PDBS, api_objects.pdb(app, healthy=3, allowed=1))
    for group in GROUPS:
        cluster.put(needs.API_SERVICES, api_service(group, status="True"))
    return cluster


def without_sidecar(name: str, **changes: str) -> Json:
    """A pod of one container."""
    pod = api_objects.pod(name, **changes)
    pod["spec"]["containers"] = [{"name": "inference"}]
    return pod


def missing(folder: Path, cluster: Cluster, *asked: str) -> tuple[str, list[Json]]:
    """What is said to be missing, and what the timeline has of it."""
    run_dir = evidence.make_run_dir(folder, run_id="run")
    timeline = Timeline(run_dir, zero_ns=now_ns())
    said = ""
    with api_server.serving(folder, cluster) as api:
        try:
            needs.require(api, asked, timeline=timeline)
        except MissingError as lacking:
            said = str(lacking)
    timeline.close()
    return said, list(evidence.read_lines(run_dir / "timeline.jsonl").records)


def test_every_need_can_be_looked_for() -> None:
    """What a scenario may ask for is what somebody looks for."""
    assert set(NEEDS) == set(needs.LACKS)


def test_a_cluster_that_has_everything_lacks_nothing(tmp_path: Path) -> None:
    """That it was looked for is evidence too."""
    said, noted = missing(tmp_path, whole(), *NEEDS)

    assert said == ""
    assert [(one["kind"], one["asked"], one["missing"]) for one in noted] == [("needs", list(NEEDS), [])]


def test_who_needs_nothing_looks_for_nothing(tmp_path: Path) -> None:
    """No question to the cluster, and no record."""
    cluster = whole()

    assert missing(tmp_path, cluster) == ("", [])
    assert cluster.asked == []


def test_an_empty_cluster_lacks_everything_at_once(tmp_path: Path) -> None:
    """Each need with its reason, in the order in which they were asked for."""
    said, (noted,) = missing(tmp_path, Cluster(), *NEEDS)

    assert said == "missing: " + ", ".join(noted["missing"])
    assert [one.partition(" ")[0] for one in noted["missing"]] == list(NEEDS)
    assert said == (
        "missing: mesh (no API networking.istio.io; install Istio), "
        "gpus (no ready node offers nvidia.com/gpu; install its device plug-in), "
        "budgets (no PodDisruptionBudget selects app=llm-inference in llm-production; create one; "
        "no PodDisruptionBudget selects app=llm-api in llm-production; create one), "
        "metrics (no APIService metrics.k8s.io; install metrics-server; "
        "no APIService custom.metrics.k8s.io; install an adapter such as prometheus-adapter)"
    )


def test_one_pod_without_a_sidecar_is_no_mesh(tmp_path: Path) -> None:
    """It is named; a pod that is not the stack's may do without, and an init container that stays is one."""
    cluster = whole()
    cluster.put(PODS, without_sidecar("job-a", app="job"))
    cluster.put(PODS, without_sidecar("engine-a"))
    native = without_sidecar("door-a", app="llm-api")
    native["spec"]["initContainers"] = [{"name": "istio-proxy"}]
    cluster.put(PODS, native)

    said, _ = missing(tmp_path, cluster, "mesh")

    assert said.startswith("missing: mesh (no sidecar in engine-a; label namespace llm-production istio-inj")


def test_a_stack_without_pods_is_in_no_mesh(tmp_path: Path) -> None:
    """Where there is no pod, none has a sidecar."""
    cluster = whole()
    cluster.delete(PODS, "engine-a")
    cluster.delete(PODS, "door-a")

    assert missing(tmp_path, cluster, "mesh")[0].startswith("missing: mesh (no sidecar in any pod;")


def test_gpus_of_a_node_that_is_not_ready_do_not_count(tmp_path: Path) -> None:
    """A node has to be there for its GPUs to be."""
    cluster = whole()
    cluster.put(NODES, api_objects.node("worker-a", ready=False))

    assert missing(tmp_path, cluster, "gpus")[0].startswith(
        "missing: gpus (no ready node offers nvidia.com/gpu"
    )


def test_a_budget_of_one_part_is_not_one_of_the_other(tmp_path: Path) -> None:
    """Each part of the stack has its own, by the labels that it selects."""
    cluster = whole()
    cluster.delete(PDBS, "llm-api")

    said, _ = missing(tmp_path, cluster, "budgets")

    assert (
        said == "missing: budgets (no PodDisruptionBudget selects app=llm-api in llm-production; create one)"
    )


@pytest.mark.parametrize(
    ("expressions", "lacks"),
    [([], ""), ([{"key": "app", "operator": "NotIn", "values": ["llm-api"]}], "app=llm-api")],
)
def test_a_budget_stands_for_the_pods_that_it_selects(
    tmp_path: Path, expressions: list[Json], lacks: str
) -> None:
    """By a label that pods of several parts have, which the stack's file does not name; expressions count."""
    cluster = whole()
    for app, name in (("llm-inference", "engine-a"), ("llm-api", "door-a")):
        pod = api_objects.pod(name, app=app)
        pod["metadata"]["labels"]["part-of"] = "stack"
        cluster.put(PODS, pod)
        cluster.delete(PDBS, app)
    shared = api_objects.pdb("shared", healthy=3, allowed=1)
    shared["spec"]["selector"] = {"matchLabels": {"part-of": "stack"}, "matchExpressions": expressions}
    cluster.put(PDBS, shared)

    said, _ = missing(tmp_path, cluster, "budgets")

    lacking = f"missing: budgets (no PodDisruptionBudget selects {lacks} in llm-production; create one)"
    assert said == (lacking if lacks else "")


def test_an_api_that_does_not_serve_is_missing(tmp_path: Path) -> None:
    """The reason is the API server's own, and what serves the API is named."""
    cluster = whole()
    told = {"status": "False", "reason": "MissingEndpoints", "message": "endpoints are gone"}
    cluster.put(needs.API_SERVICES, api_service("custom.metrics.k8s.io", **told))

    said, _ = missing(tmp_path, cluster, "metrics")

    assert said == (
        "missing: metrics (APIService custom.metrics.k8s.io is not available: endpoints are gone; "
        "look after an adapter such as prometheus-adapter)"
    )
