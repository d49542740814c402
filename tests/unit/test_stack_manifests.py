"""The manifests as kustomize builds them: every overlay and mutant, held against the rules of the stack."""

import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from sealegs.cluster.places import STACK, kubectl

OVERLAYS = sorted(path.parent for path in STACK.glob("overlays/*/kustomization.yaml"))
MUTANTS = sorted(path.parent for path in STACK.glob("mutants/*/kustomization.yaml"))
# What the proxy and the engine need after the last answer: see the sum beside terminationGracePeriodSeconds.
MARGIN_S = 15


@cache
def built(folder: Path) -> Mapping[tuple[str, str], Any]:
    """(kind, name) → object."""
    text = subprocess.run([kubectl(), "kustomize", folder], capture_output=True, text=True, check=True).stdout
    return {(item["kind"], item["metadata"]["name"]): item for item in yaml.safe_load_all(text)}


def container(deployment: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one container of a deployment's pods."""
    found: Mapping[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    return found


def variables(deployment: Mapping[str, Any]) -> dict[str, str]:
    """Environment of a deployment's container."""
    return {one["name"]: one["value"] for one in container(deployment)["env"]}


def seconds(duration: str) -> float:
    """Seconds of a duration of Istio's, such as ``120s``."""
    return float(duration.removesuffix("s"))


@pytest.mark.parametrize("folder", [*OVERLAYS, *MUTANTS], ids=lambda folder: folder.name)
def test_everything_builds_with_the_same_objects(folder: Path) -> None:
    """Each overlay and mutant builds, and none loses an object of the base."""
    assert set(built(STACK / "base")) <= set(built(folder))


@pytest.mark.parametrize("folder", MUTANTS, ids=lambda folder: folder.name)
def test_a_mutant_changes_one_object(folder: Path) -> None:
    """A mutant differs from the overlay it is made of in exactly one object: one defect, one cause."""
    (made_of,) = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    sound, mutated = built((folder / made_of).resolve()), built(folder)

    assert len([key for key in mutated if mutated[key] != sound.get(key)]) == 1


@pytest.mark.parametrize("folder", OVERLAYS, ids=lambda folder: folder.name)
def test_grace_covers_pre_stop_drain_and_margin(folder: Path) -> None:
    """PreStop + drain + margin fit into the grace period, and no route allows more than the drain does."""
    objects = built(folder)
    routes = objects["VirtualService", "llm-inference"]["spec"]["http"]
    longest_s = max(seconds(route["timeout"]) for route in routes if "timeout" in route)
    for app in ("llm-inference", "llm-api"):
        deployment = objects["Deployment", app]
        given = [*container(deployment).get("args", []), f"={variables(deployment).get('DRAIN_LIMIT_S')}"]
        flag = next((one for one in given if one.startswith("--shutdown-timeout")), given[-1])
        drain_s = float(flag.split("=")[1])
        pre_stop_s = container(deployment)["lifecycle"]["preStop"]["sleep"]["seconds"]
        grace_s = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]

        assert longest_s <= drain_s
        assert pre_stop_s + drain_s + MARGIN_S <= grace_s


@pytest.mark.parametrize("folder", OVERLAYS, ids=lambda folder: folder.name)
def test_a_drain_is_allowed_one_pod_at_a_time(folder: Path) -> None:
    """Every app has a budget of maxUnavailable 1 that a sick pod cannot block, and more than one replica."""
    objects = built(folder)
    for app in ("llm-inference", "llm-api"):
        budget = objects["PodDisruptionBudget", app]["spec"]

        assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
        assert objects["Deployment", app]["spec"]["replicas"] > 1
        assert budget["selector"] == objects["Deployment", app]["spec"]["selector"]


def test_the_ejection_cap_lets_one_pod_go() -> None:
    """Of the pods of each app exactly one may be ejected: the floor of pods times cap, as Envoy counts."""
    objects = built(STACK / "overlays" / "kind")
    for app in ("llm-inference", "llm-api"):
        policy = objects["DestinationRule", app]["spec"]["trafficPolicy"]["outlierDetection"]

        assert objects["Deployment", app]["spec"]["replicas"] * policy["maxEjectionPercent"] // 100 == 1


@pytest.mark.parametrize("folder", OVERLAYS, ids=lambda folder: folder.name)
def test_streams_are_not_limited_and_nothing_is_sent_twice(folder: Path) -> None:
    """No limit on the way of a stream, the model's limit on the others, and no retry anywhere."""
    objects = built(folder)
    door = objects["VirtualService", "llm-api"]["spec"]["http"]
    inner = {route["name"]: route for route in objects["VirtualService", "llm-inference"]["spec"]["http"]}

    assert all("timeout" not in route for route in [*door, inner["stream"]])
    limits = {name: route["timeout"] for name, route in inner.items() if name != "stream"}
    assert limits == {"gpt4": "120s", "gpt35": "30s", "default": "60s"}
    assert next(iter(inner)) == "stream"
    assert all(route["retries"] == {"attempts": 0} for route in [*door, *inner.values()])


@pytest.mark.parametrize("folder", OVERLAYS, ids=lambda folder: folder.name)
def test_every_name_leads_somewhere(folder: Path) -> None:
    """Hosts of the mesh are Services, Services select pods, and their ports are names that pods have."""
    objects = built(folder)
    services = {name: item for (kind, name), item in objects.items() if kind == "Service"}
    full = {f"{name}.llm-production.svc.cluster.local": item for name, item in services.items()}
    rules = [item for (kind, _), item in objects.items() if kind == "VirtualService"]
    for route in [route for rule in rules for route in rule["spec"]["http"]]:
        target = route["route"][0]["destination"]
        assert target["port"]["number"] in {port["port"] for port in full[target["host"]]["spec"]["ports"]}
    for kind, name in objects:
        if kind == "DestinationRule":
            assert objects[kind, name]["spec"]["host"] in full
    for name, service in services.items():
        deployment = objects["Deployment", name]
        pods = deployment["spec"]["template"]["metadata"]["labels"]
        ports = {port["name"] for port in container(deployment)["ports"]}
        assert service["spec"]["selector"].items() <= pods.items()
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
        assert service["metadata"]["labels"]["app"] == name
