"""Rules and alerts as Prometheus' own tool reads them, and what watches the stack on the real cluster."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from sealegs import stack
from sealegs.cluster import Cluster, ask, golang
from sealegs.cluster.places import STACK
from sealegs.waiting import wait_until

pytestmark = pytest.mark.e2e

HOME = STACK / "monitoring"
TESTS = sorted(path.name for path in (HOME / "tests").glob("*.yaml"))
PROMETHEUS = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1"
PODS = "/apis/custom.metrics.k8s.io/v1beta1/namespaces/llm-production/pods/*"
SEEN_LIMIT_S = 90.0


def promtool(*words: str | Path, where: Path) -> None:
    """Prometheus' tool is content; otherwise the test fails with what it said."""
    program = golang.build("prometheus") / "promtool"
    said = subprocess.run([program, *words], cwd=where, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the rules as plain files, which is what promtool reads, and their tests."""
    folder = tmp_path_factory.mktemp("rules")
    shutil.copytree(HOME / "tests", folder, dirs_exist_ok=True)
    for name in ("rules.yaml", "alerts.yaml"):
        (folder / name).write_text(yaml.safe_dump(yaml.safe_load((HOME / name).read_text())["spec"]))
    panels = json.loads((HOME / "dashboard.json").read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    recorded = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(asked)]
    group = {"groups": [{"name": "dashboard", "rules": recorded}]}
    (folder / "dashboard.yaml").write_text(yaml.safe_dump(group))
    return folder


def test_rules_alerts_and_panels_are_valid(rules: Path) -> None:
    """Promtool reads every expression."""
    promtool("check", "rules", "rules.yaml", "alerts.yaml", "dashboard.yaml", where=rules)


@pytest.mark.parametrize("name", TESTS)
def test_an_alert_fires_on_a_fault_and_is_silent_on_health(name: str, rules: Path) -> None:
    """Each alert fires where its tests say, with these words, and nowhere else."""
    promtool("test", "rules", name, where=rules)


def test_prometheus_sees_everything(cluster: Cluster) -> None:
    """With the stack up, each of its pods is scraped well, every rule evaluates, and no data is missing."""
    facts = stack.apply(cluster)
    wanted = {**facts.replicas, "istio-ingressgateway": 1, "kube-state-metrics": 1}

    def scraped() -> dict[str, int]:
        up = asked(cluster, "sum by (job) (up)")
        return {one["metric"]["job"]: int(one["value"][1]) for one in up}

    def missing() -> list[Any]:
        return asked(cluster, 'ALERTS{alertname=~"NoData|TargetDown"}')

    wait_until(
        scraped,
        ready=lambda seen: seen == wanted,
        limit_s=SEEN_LIMIT_S,
        every_s=1.0,
        what="all to be scraped",
    )
    wait_until(
        missing,
        ready=lambda seen: not seen,
        limit_s=SEEN_LIMIT_S,
        every_s=1.0,
        what="no alert of missing data",
    )
    groups = json.loads(ask(cluster, "get", "--raw", f"{PROMETHEUS}/rules"))["data"]["groups"]
    problems = [rule for group in groups for rule in group["rules"] if rule["health"] != "ok"]
    assert groups
    assert not problems


@pytest.mark.parametrize("name", ["inference_request_in_flight", "llm_request_queue_length"])
def test_an_hpa_would_be_answered(name: str, cluster: Cluster) -> None:
    """The custom metrics API has a number for each engine."""
    engines = ask(
        cluster, "get", "pods", "--namespace=llm-production", "--selector=app=llm-inference", "-oname"
    )

    def known() -> set[str]:
        items = json.loads(ask(cluster, "get", "--raw", f"{PODS}/{name}"))["items"]
        return {f"pod/{item['describedObject']['name']}" for item in items}

    wait_until(
        known,
        ready=lambda seen: seen == set(engines.split()),
        limit_s=SEEN_LIMIT_S,
        every_s=1.0,
        what=f"{name} of every engine",
    )


def asked(cluster: Cluster, query: str) -> list[Any]:
    """What Prometheus answers to an instant query."""
    text = ask(cluster, "get", "--raw", f"{PROMETHEUS}/query?query={quote(query)}")
    found: list[Any] = json.loads(text)["data"]["result"]
    return found
