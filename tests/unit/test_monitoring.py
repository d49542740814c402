"""What watches the stack, held against what there is to see: metrics, alerts and their tests, the HPAs."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from tests.unit.test_stack_manifests import built

from engine.metrics import Metrics
from engine.scheduler import Capacity, Scheduler
from sealegs.cluster import golang, monitoring, up
from sealegs.cluster.places import HERE, ROOT, STACK

HOME = STACK / "monitoring"
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load((HOME / "alerts.yaml").read_text())["spec"]["groups"]
    for rule in group["rules"]
}
RECORDED = {
    rule["record"]: rule
    for group in yaml.safe_load((HOME / "rules.yaml").read_text())["spec"]["groups"]
    for rule in group["rules"]
}
DASHBOARD = json.loads((HOME / "dashboard.json").read_text())
# The file in which no alert fires, and what it asks of its run.
SILENCE = "silence"
EVER_FIRED = 'count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[1h]))'
# Prometheus' own.
ALWAYS = {"up", "ALERTS"}
GROUPING = r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)"
OPERATORS = {"and", "or", "unless", "bool", "offset"}
GPUS = 6
CAPACITY = Capacity(
    batch_max=1,
    kv_blocks=1,
    kv_block_tokens=16,
    prefill_chunk_tokens=16,
    prefill_tokens_per_s=1.0,
    decode_step_s=1.0,
    decode_step_per_seq_s=0.0,
)


def metrics_of(expression: str) -> set[str]:
    """Names of metrics in a PromQL expression that names them plainly."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|" + GROUPING, " ", expression)
    names = re.findall(r"(?<![\w:.])([a-zA-Z_][\w:]*)(?![\w:]|\s*\()", bare)
    return set(names) - OPERATORS


def kept() -> Iterator[str]:
    """Patterns of the names that come into Prometheus: what monitors and kube-state-metrics let through."""
    for monitor in yaml.safe_load_all((HOME / "monitors.yaml").read_text()):
        for endpoint in monitor["spec"].get("podMetricsEndpoints", []):
            yield from (rule["regex"] for rule in endpoint["metricRelabelings"] if rule["action"] == "keep")
    allowed = re.search(
        r"--metric-allowlist=(\S+)", (HERE / "monitoring/kube-state-metrics.yaml").read_text()
    )
    assert allowed is not None
    yield allowed[1]


def expressions() -> Iterator[tuple[str, str]]:
    """(where it stands, expression) of every rule, alert and panel."""
    yield from ((name, rule["expr"]) for name, rule in {**RECORDED, **ALERTS}.items())
    for panel in DASHBOARD["panels"]:
        yield from ((panel["title"], target["expr"]) for target in panel["targets"])
    yield from ((one["name"], one["expr"]) for one in DASHBOARD["annotations"]["list"])


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_every_metric_asked_for_comes_in(where: str, expression: str) -> None:
    """A rule, alert or panel names metrics that are recorded or let through, and at least one."""
    names = metrics_of(expression) - ALWAYS - RECORDED.keys()
    unknown = {name for name in names if not any(re.fullmatch(pattern, name) for pattern in kept())}

    assert not unknown, where
    assert metrics_of(expression)


def test_metrics_are_found_in_an_expression() -> None:
    """Labels, functions, groupings, windows and operators are no metrics."""
    ratio = 'sum by (pod, le) (rate(a_total{b="c"}[5m])) / on (x) group_left (y) d:e:rate5m'

    assert metrics_of(f"{ratio} > 14.4 * 0.01 and f or absent(g)") == {"a_total", "d:e:rate5m", "f", "g"}


def test_engine_metrics_are_the_engine_s() -> None:
    """What is asked of engines is what an engine exports, under the same name."""
    registry = Metrics(Scheduler(CAPACITY), model_name="any").registry
    exported = {sample.name for family in registry.collect() for sample in family.samples}
    asked = {name for _, expression in expressions() for name in metrics_of(expression)}
    of_engines = {name for name in asked if name.startswith(("vllm:", "inference_", "llm_request_"))}

    assert of_engines
    assert of_engines <= exported


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_is_tried_on_a_fault_and_on_health(name: str) -> None:
    """Each alert has a file of promtool tests: it fires in a case that was recorded, and in another never."""
    expected = {
        case["name"]: [
            bool(one.get("exp_alerts")) for one in case["alert_rule_test"] if one["alertname"] == name
        ]
        for case in cases_of(name)
    }

    assert any(any(fires) for case, fires in expected.items() if case.startswith("recorded "))
    assert any(fires and not any(fires) for fires in expected.values())


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_was_silent_in_a_run_that_it_could_see(name: str) -> None:
    """In the run in which all are silent there is each metric that the alert asks for."""
    (case,) = cases_of(SILENCE)
    there = {metric for one in case["input_series"] for metric in metrics_of(one["series"])}
    named = metrics_of(ALERTS[name]["expr"])
    asked = {
        bare for one in named for bare in (metrics_of(RECORDED[one]["expr"]) if one in RECORDED else {one})
    }
    (silent,) = case["promql_expr_test"]

    assert case["name"].startswith("recorded ")
    assert asked <= there
    assert silent["expr"] == EVER_FIRED
    assert silent["exp_samples"] == []


def cases_of(name: str) -> list[dict[str, Any]]:
    """The cases of a file of promtool tests."""
    cases: list[dict[str, Any]] = yaml.safe_load((HOME / "tests" / f"{name}.yaml").read_text())["tests"]
    return cases


def test_no_test_is_left_of_an_alert_that_is_gone() -> None:
    """Files of promtool tests and alerts are the same set, but for the run in which all are silent."""
    assert {path.stem for path in (HOME / "tests").glob("*.yaml")} == ALERTS.keys() | {SILENCE}


def test_a_scenario_asks_for_an_alert_that_is_there() -> None:
    """An alert that a bound names is one of ours: another would never fire."""
    files = [tomllib.loads(path.read_text()) for path in sorted((ROOT / "scenarios").glob("*.toml"))]
    named = {bound["alert"] for file in files for bound in file.get("bounds", []) if "alert" in bound}

    assert named
    assert named <= ALERTS.keys()


def test_panels_have_a_place_of_their_own() -> None:
    """No two panels of the dashboard share an id or a place, and none is wider than the page."""
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]

    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in DASHBOARD["panels"])


def test_every_program_runs_from_the_image_made_here() -> None:
    """Each program's image stands in a manifest, and no mark is left unfilled."""
    references = {name: f"sealegs/{name}:tag" for name in monitoring.PROGRAMS}
    texts = monitoring.manifests(references)

    assert not [text for text in texts.values() if re.search(r"@[A-Z_]+@", text)]
    assert all(any(reference in text for text in texts.values()) for reference in references.values())
    assert monitoring.prometheus_version() == "v3.16.0"


def test_every_family_is_compiled_and_expected() -> None:
    """Each family of programs has an estimate, and each one that monitoring takes programs from is built."""
    assert {f"compile {family}" for family in golang.FAMILIES} <= up.COLD_S.keys()
    for program, family in monitoring.PROGRAMS.items():
        assert program in golang.FAMILIES[family].programs


def autoscalers() -> Mapping[str, Any]:
    """App → what its HPA says."""
    objects = built(STACK / "overlays" / "kind-hpa")
    return {name: item["spec"] for (kind, name), item in objects.items() if kind == "HorizontalPodAutoscaler"}


def test_an_hpa_asks_for_what_the_adapter_answers() -> None:
    """Metrics of pods are in the adapter's rule and let through; a container's is of one that is there."""
    adapter = (HERE / "monitoring" / "prometheus-adapter.yaml").read_text()
    served = re.search(r'__name__=~"([^"]+)"', adapter)
    assert served is not None
    asked = 0
    for app, spec in autoscalers().items():
        pods = built(STACK / "overlays" / "kind-hpa")["Deployment", app]["spec"]["template"]["spec"]
        for metric in spec["metrics"]:
            if metric["type"] == "Pods":
                name = metric["pods"]["metric"]["name"]
                asked += 1
                assert re.fullmatch(served[1], name)
                assert any(re.fullmatch(pattern, name) for pattern in kept())
            else:
                container = metric["containerResource"]["container"]
                assert container in {one["name"] for one in pods["containers"]}
    assert asked


def test_an_hpa_takes_one_pod_at_a_time() -> None:
    """Its bounds are the budget of disruptions and the GPUs, and it takes one pod a minute at most."""
    objects = built(STACK / "overlays" / "kind-hpa")
    assert autoscalers().keys() == {"llm-inference", "llm-api"}
    for app, spec in autoscalers().items():
        down = spec["behavior"]["scaleDown"]

        assert objects["PodDisruptionBudget", app]["spec"]["maxUnavailable"] < spec["minReplicas"]
        assert spec["maxReplicas"] <= GPUS
        assert objects["Deployment", app]["spec"]["replicas"] == spec["minReplicas"]
        assert down["stabilizationWindowSeconds"] >= 60
        assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 60}]


def test_the_ejection_cap_lets_one_engine_go_at_the_floor() -> None:
    """Of the fewest engines that an HPA leaves, one may be ejected, as Envoy counts."""
    objects = built(STACK / "overlays" / "kind-hpa")
    policy = objects["DestinationRule", "llm-inference"]["spec"]["trafficPolicy"]["outlierDetection"]

    assert autoscalers()["llm-inference"]["minReplicas"] * policy["maxEjectionPercent"] // 100 == 1
