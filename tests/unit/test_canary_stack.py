"""The overlay with a canary: what tells its two versions apart, and that both count as engines."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import poisson
from tests.unit import api_objects
from tests.unit.api_server import DEPLOYMENTS, PODS, Cluster, serving
from tests.unit.recording import in_a_hurry, recording, small_cluster
from tests.unit.test_stack_manifests import built

from sealegs.cluster.places import STACK
from sealegs.faults import canary, engines
from sealegs.kube.objects import parse_deployment
from sealegs.scenario import load_scenario
from sealegs.stack_shape import ENGINES, REFERENCE

OVERLAY = STACK / "overlays" / "kind-canary"
ROOT = Path(__file__).parents[2]
STABLE, CANARY = ("Deployment", "llm-inference"), ("Deployment", canary.DEPLOYMENT)
RULE, ROUTES = ("DestinationRule", "llm-inference"), ("VirtualService", "llm-inference")
GPUS = 6


def labels(deployment: tuple[str, str]) -> dict[str, str]:
    """Labels of a deployment's pods."""
    found: dict[str, str] = built(OVERLAY)[deployment]["spec"]["template"]["metadata"]["labels"]
    return found


def selects(marks: dict[str, str], deployment: tuple[str, str]) -> bool:
    """Whether a selector names a deployment's pods."""
    return marks.items() <= labels(deployment).items()


@cache
def subsets() -> dict[str, Any]:
    """The subsets of the engines' rule, by name."""
    return {one["name"]: one for one in built(OVERLAY)[RULE]["spec"]["subsets"]}


def test_a_canary_makes_room_for_stable_engines() -> None:
    """It lacks their priority: the scheduler may end it where one of them fits nowhere else."""
    stable, new = (built(OVERLAY)[one]["spec"]["template"]["spec"] for one in (STABLE, CANARY))

    assert stable["priorityClassName"] == "llm-serving"
    assert "priorityClassName" not in new


def test_the_canary_is_the_stable_engine_but_for_its_version() -> None:
    """Two pods of the same containers: what differs is a name, a label, what selects by it, a priority."""
    stable, new = (built(OVERLAY)[one] for one in (STABLE, CANARY))
    assert (stable["spec"]["replicas"], new["spec"]["replicas"]) == (3, 2)
    assert new["spec"]["template"]["spec"]["containers"] == stable["spec"]["template"]["spec"]["containers"]
    assert new["spec"]["template"]["spec"]["volumes"] == stable["spec"]["template"]["spec"]["volumes"]
    assert labels(CANARY) | {"version": "v1"} == labels(STABLE)
    assert stable["spec"]["replicas"] + new["spec"]["replicas"] <= GPUS


def test_nothing_but_the_canary_is_added() -> None:
    """No second Service, and no second budget: a pod that two budgets cover cannot be evicted at all."""
    assert set(built(OVERLAY)) - set(built(STACK / "overlays" / "kind")) == {CANARY}


def test_each_subset_is_one_version() -> None:
    """A subset that both versions are in would send stable requests to the canary, after its rollback too."""
    marks = {name: one["labels"] for name, one in subsets().items()}

    assert set(marks) == {"v1", canary.SUBSET}
    assert [selects(marks["v1"], one) for one in (STABLE, CANARY)] == [True, False]
    assert [selects(marks[canary.SUBSET], one) for one in (STABLE, CANARY)] == [False, True]


def test_the_canary_takes_no_pod_of_the_stable_version() -> None:
    """Its own selector says its version; the Service, in which both are, says none."""
    objects = built(OVERLAY)

    assert [selects(objects[CANARY]["spec"]["selector"]["matchLabels"], one) for one in (STABLE, CANARY)] == [
        False,
        True,
    ]
    service = objects["Service", "llm-inference"]["spec"]["selector"]
    assert [selects(service, one) for one in (STABLE, CANARY)] == [True, True]


def test_of_each_version_one_may_be_ejected() -> None:
    """Envoy counts the hosts of a subset, and rounds down: 34 % of two would be none."""
    objects = built(OVERLAY)
    shared = objects[RULE]["spec"]["trafficPolicy"]["outlierDetection"]
    own = subsets()[canary.SUBSET]["trafficPolicy"]["outlierDetection"]

    assert "trafficPolicy" not in subsets()["v1"]
    for deployment, policy in ((STABLE, shared), (CANARY, own)):
        assert objects[deployment]["spec"]["replicas"] * policy["maxEjectionPercent"] // 100 == 1
    assert {**own, "maxEjectionPercent": 0} == {**shared, "maxEjectionPercent": 0}


def test_who_asks_for_the_canary_gets_it_by_the_same_limits() -> None:
    """Its routes come first and have one destination each; beside the header they are those of everybody."""
    routes = json.loads(json.dumps(built(OVERLAY)[ROUTES]["spec"]["http"]))
    asked, all_others = routes[: len(routes) // 2], routes[len(routes) // 2 :]
    for route in asked:
        headers = route["match"][0]["headers"]
        assert headers.pop("x-canary") == {"exact": "true"}
        assert [one["destination"]["subset"] for one in route.pop("route")] == [canary.SUBSET]
        if not headers:
            del route["match"]
    for route in all_others:
        weights = {one["destination"]["subset"]: one["weight"] for one in route.pop("route")}
        assert weights == {"v1": 100, canary.SUBSET: 0}

    base = json.loads(json.dumps(built(STACK / "base")[ROUTES]["spec"]["http"]))
    assert asked == all_others == [{key: one[key] for key in one if key != "route"} for one in base]


def test_a_canary_is_counted_among_the_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its deployment's pods are engines by their labels, so what is wanted of them is wanted of engines."""
    in_a_hurry(monkeypatch)
    item = {**built(OVERLAY)[CANARY]}
    assert parse_deployment(item).app == ENGINES
    assert REFERENCE.app_of("llm-production", labels(CANARY)) == ENGINES

    cluster = small_cluster()
    cluster.put(PODS, api_objects.pod("engine-new"))
    cluster.put(DEPLOYMENTS, item | {"metadata": {"name": canary.DEPLOYMENT}})
    with recording(tmp_path, cluster) as seen:
        sample = seen.sampled(lambda one: one["desired"].get(ENGINES) == 3)
    assert sample["desired"] == {ENGINES: 3, "llm-api": 1}
    assert sample["ready"][ENGINES] == 2


def test_engines_are_whole_with_their_canary(tmp_path: Path) -> None:
    """Two deployments of engines are one role: neither stands for the other, and none at all is not whole."""
    cluster = Cluster()
    with serving(tmp_path, cluster) as api:
        assert not engines.is_whole(api, namespace=api_objects.NAMESPACE)
        for name, ready, whole in ((STABLE[1], 3, True), (CANARY[1], 2, False)):
            item = api_objects.deployment(name, wanted=3, ready=ready)
            item["spec"]["template"] = {"metadata": {"labels": {"app": ENGINES}}}
            cluster.put(DEPLOYMENTS, item)
            assert engines.is_whole(api, namespace=api_objects.NAMESPACE) is whole


def test_the_scenario_is_about_this_overlay() -> None:
    """Its errors go on long enough to be seen, and its rollback to be judged."""
    scenario = load_scenario(ROOT / "scenarios" / "canary.toml")
    configuration = json.loads((ROOT / "experiments" / "canary.json").read_text())["configuration"]
    share = configuration["weight"] / 100 * configuration["share"]
    expected = scenario.traffic.rate_rps * share * configuration["bad_s"]
    (seen,) = (one for one in scenario.bounds if one.name == "its-errors-are-seen")

    assert scenario.stack_overlay == OVERLAY.name
    assert seen.at_least is not None
    assert poisson.cdf(seen.at_least - 1, expected) < 0.001
    assert configuration["rolled_back_s"] >= 10
