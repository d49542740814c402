"""What scenarios claim of the mesh is what the stack tells it: each limit is held at both of its places."""

import json
from collections.abc import Mapping
from math import floor
from pathlib import Path
from typing import Any

import pytest
import yaml

from sealegs.cluster.places import STACK
from sealegs.scenario import load_scenario
from sealegs.scenario.claim import Bound

ROOT = Path(__file__).parents[2]
HANG = ROOT / "scenarios" / "engine-hang.toml"
# Istio's own default, which acts where nothing is set.
DEFAULT_5XX = 5


def mesh_object(kind: str, name: str) -> Mapping[str, Any]:
    """The spec of one of the mesh's objects."""
    objects = yaml.safe_load_all((STACK / "base" / "mesh.yaml").read_text())
    (found,) = (one for one in objects if (one["kind"], one["metadata"]["name"]) == (kind, name))
    spec: Mapping[str, Any] = found["spec"]
    return spec


def bounds(scenario: str) -> dict[str, Bound]:
    """The bounds of one of our scenarios by name."""
    return {one.name: one for one in load_scenario(ROOT / "scenarios" / f"{scenario}.toml").bounds}


def seconds(duration: str) -> float:
    """Seconds of a duration of Istio's, such as ``120s``."""
    return float(duration.removesuffix("s"))


DETECTION = mesh_object("DestinationRule", "llm-inference")["trafficPolicy"]["outlierDetection"]


def test_an_engine_is_out_after_the_errors_that_are_set() -> None:
    """So many or one more, which may have been under way; never as many as Istio's default would take."""
    found, set_to = bounds("outlier-ejection"), DETECTION["consecutiveGatewayErrors"]

    assert found["not-before-three"].at_least == set_to
    assert found["errors-until-out"].at_most == set_to + 1
    assert set_to + 1 < DEFAULT_5XX


def test_it_is_out_for_the_time_that_is_set() -> None:
    """For the base time and until the next look, not for a second base time."""
    bound = bounds("outlier-ejection")["out-for-base-time"]
    base_s, interval_s = seconds(DETECTION["baseEjectionTime"]), seconds(DETECTION["interval"])

    assert bound.at_least is not None
    assert bound.at_most is not None
    assert base_s - 1 <= bound.at_least <= base_s
    assert base_s + interval_s < bound.at_most < 2 * base_s


@pytest.mark.parametrize("scenario", ["outlier-ejection", "outlier-cap"])
def test_only_as_many_are_out_as_the_cap_allows(scenario: str) -> None:
    """Envoy rounds the share of all engines down."""
    (deployment, *_) = yaml.safe_load_all((STACK / "base" / "llm-inference.yaml").read_text())
    allowed = floor(deployment["spec"]["replicas"] * DETECTION["maxEjectionPercent"] / 100)
    bound = bounds(scenario)["one-of-three-out"]

    assert (bound.at_least, bound.at_most) == (allowed, allowed)


def test_whole_answers_end_at_their_routes_limits() -> None:
    """Each route with a limit has two bounds on what comes whole, and the fault lasts to see the longest."""
    routes = mesh_object("VirtualService", "llm-inference")["http"]
    limits_s = {one["name"]: seconds(one["timeout"]) for one in routes if "timeout" in one}
    scenario = load_scenario(ROOT / "scenarios" / "route-timeouts.toml")
    found = bounds("route-timeouts")

    assert set(scenario.traffic.model_types) == set(limits_s)
    (whole,) = scenario.traffic.whole
    for model, limit_s in limits_s.items():
        before, after = found[f"{model}-not-before"], found[f"{model}-not-after"]
        assert (before.measure, before.model_type, before.at_least) == ("timeout-s-min", model, limit_s - 0.5)
        assert (after.measure, after.model_type, after.at_most) == ("lasted-s-max", model, limit_s + 2)
        assert before.profile == after.profile == whole
    assert float(scenario.experiment_vars["hold_s"]) > max(limits_s.values()) + 10


def test_a_stream_is_to_last_longer_than_any_limit() -> None:
    """The route of streams has none; the bound on them lies beyond those of all others."""
    routes = {one["name"]: one for one in mesh_object("VirtualService", "llm-inference")["http"]}
    scenario = load_scenario(ROOT / "scenarios" / "route-timeouts.toml")
    bound = bounds("route-timeouts")["streams-go-on"]

    assert "timeout" not in routes["stream"]
    assert bound.profile in set(scenario.traffic.profiles) - set(scenario.traffic.whole)
    assert bound.at_least is not None
    assert bound.at_least > max(seconds(one["timeout"]) for one in routes.values() if "timeout" in one)


def test_a_silent_stream_is_ended_at_the_limit_and_by_the_mesh() -> None:
    """The hang lasts longer than the limit and the bound on it, and the client is more patient than both."""
    (patch,) = mesh_object("EnvoyFilter", "llm-stream-idle")["configPatches"]
    (streams,) = (
        one for one in mesh_object("VirtualService", "llm-inference")["http"] if one["name"] == "stream"
    )
    scenario, bound = load_scenario(HANG), bounds("engine-hang")["silence-bounded"]
    at_least, at_most = bound.at_least, bound.at_most
    assert scenario.experiment
    hold_s = json.loads(scenario.experiment.read_text())["configuration"]["hold_s_min"]

    assert patch["match"]["routeConfiguration"]["vhost"]["route"]["name"] == streams["name"]
    limit_s = seconds(patch["patch"]["value"]["route"]["idle_timeout"])
    assert (at_least, at_most) == (limit_s, limit_s + 5)
    assert at_most
    assert at_most + 3 < hold_s
    deadlines = scenario.traffic.deadlines
    assert min(deadlines.gap_s, deadlines.first_token_s) > hold_s
