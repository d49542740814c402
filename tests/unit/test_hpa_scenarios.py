"""What scenarios claim of autoscaling is composed of the stack's own settings, and held against them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from tests.unit.test_mesh_scenarios import bounds, seconds
from tests.unit.test_stack_manifests import built, container, variables

from sealegs.cluster.places import HERE, STACK
from sealegs.scenario import load_scenario

ROOT = Path(__file__).parents[2]
# kube-controller-manager's own default, which acts here: --horizontal-pod-autoscaler-sync-period.
SYNC_S = 15
# Until more is in flight than the autoscaler accepts, and slack for two cores.
FILL_S, SLACK_S = 5, 5
VOLUME_S, CONTAINER_S, PROCESS_S = 10, 10, 3


def spec(kind: str, name: str = "llm-inference") -> Mapping[str, Any]:
    """The spec of one of the objects that the scenarios run on."""
    found: Mapping[str, Any] = built(STACK / "overlays" / "kind-hpa-small")[kind, name]["spec"]
    return found


def scrape_s() -> float:
    """How often Prometheus looks at the engines."""
    text = (HERE / "monitoring" / "prometheus.yaml").read_text()
    (found,) = (one["spec"] for one in yaml.safe_load_all(text) if one["kind"] == "Prometheus")
    return seconds(found["scrapeInterval"])


def test_each_deadline_of_a_reaction_is_the_one_before_and_a_step() -> None:
    """Scrape, sync, volume, container, model, probes, policy: every second of a deadline is accounted for."""
    deployment = built(STACK / "overlays" / "kind-hpa-small")["Deployment", "llm-inference"]
    probes = container(deployment)
    (policy,) = spec("HorizontalPodAutoscaler")["behavior"]["scaleUp"]["policies"]
    steps_s = {
        "decided": FILL_S + scrape_s() + SYNC_S + SLACK_S,
        "scheduled": VOLUME_S,
        "started": CONTAINER_S,
        "loaded": float(variables(deployment)["MODEL_LOAD_S"])
        + PROCESS_S
        + probes["startupProbe"]["periodSeconds"],
        "ready": probes["readinessProbe"]["periodSeconds"] + 1,
        "routable": 2,
        "served": 3,
        "slo-met": policy["periodSeconds"],
    }
    found = bounds("hpa-scale-up")

    deadline_s = 0.0
    for name, step_s in steps_s.items():
        deadline_s += step_s
        assert (name, found[name].at_most) == (name, deadline_s)


def test_a_step_that_never_comes_is_seen_to_be_late() -> None:
    """The run watches for longer than any deadline, and load goes up when the phase of the bounds begins."""
    scenario = load_scenario(ROOT / "scenarios" / "hpa-scale-up.toml")
    phases, arrivals = scenario.phases, scenario.traffic.arrivals
    watched_s = phases.fault_s_max + phases.recovery_s

    assert arrivals.step_s == phases.warmup_s + phases.baseline_s
    assert all(one.at_most < watched_s for one in scenario.bounds if one.at_most is not None)
    served = next(one for one in scenario.bounds if one.name == "served")
    assert served.at_most is not None
    assert served.at_most <= phases.fault_s_max


def test_going_down_is_watched_for_as_long_as_it_takes() -> None:
    """The window in which the most that was wanted counts, a look, and the period until the next may go."""
    scenario = load_scenario(ROOT / "scenarios" / "hpa-scale-down.toml")
    phases, arrivals = scenario.phases, scenario.traffic.arrivals
    behavior = spec("HorizontalPodAutoscaler")["behavior"]["scaleDown"]
    (policy,) = behavior["policies"]
    window_s = behavior["stabilizationWindowSeconds"]

    *before, _ = arrivals.factors or ()
    assert len(before) * (arrivals.step_s or 0) == phases.warmup_s + phases.baseline_s
    assert (policy["type"], policy["value"]) == ("Pods", 1)
    assert phases.fault_s_max >= window_s + SYNC_S + policy["periodSeconds"]
    floor = bounds("hpa-scale-down")["never-below-the-floor"]
    assert floor.at_least == spec("HorizontalPodAutoscaler")["minReplicas"]


def test_one_engine_is_gone_before_the_next_is_taken() -> None:
    """What an engine takes to leave, when streams are short, is less than the policy's period."""
    deployment = built(STACK / "overlays" / "kind-hpa-small")["Deployment", "llm-inference"]
    (policy,) = spec("HorizontalPodAutoscaler")["behavior"]["scaleDown"]["policies"]
    scenario = load_scenario(ROOT / "scenarios" / "hpa-scale-down.toml")
    longest_s = scenario.traffic.context_tokens_max / scenario.traffic.tokens_per_s

    assert (
        container(deployment)["lifecycle"]["preStop"]["sleep"]["seconds"] + longest_s
        < policy["periodSeconds"]
    )


def test_there_are_as_many_gpus_as_engines_may_be_wanted() -> None:
    """So that nothing that the autoscaler adds waits for one."""
    cluster = yaml.safe_load((ROOT / "cluster" / "kind" / "config.yaml").read_text())
    gpus = sum(int(node["labels"].get("nvidia.com/gpu.count", 0)) for node in cluster["nodes"])
    deployment = built(STACK / "overlays" / "kind-hpa-small")["Deployment", "llm-inference"]
    each = int(container(deployment)["resources"]["limits"]["nvidia.com/gpu"])

    assert spec("HorizontalPodAutoscaler")["maxReplicas"] * each == gpus
