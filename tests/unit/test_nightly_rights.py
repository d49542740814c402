"""The CronJob's account may do what a run asks of a cluster: requests of the code, held against its roles."""

import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml
from tests.unit import api_objects, api_server
from tests.unit.api_server import PODS, Cluster
from tests.unit.recording import in_a_hurry, recording, small_cluster

from sealegs import evidence, kube, needs, stack
from sealegs.errors import ClusterError, MissingError
from sealegs.kube import acts, reads
from sealegs.kube import exec as kube_exec
from sealegs.kube.api import Api, Stop
from sealegs.kube.objects import parse_pod
from sealegs.kube.watch import watch
from sealegs.scenario.claim import NEEDS
from sealegs.stack_shape import REFERENCE
from sealegs.timeline import Timeline
from sealegs.waiting import now_ns

ROOT = Path(__file__).parents[2]
CRONJOB = ROOT / "deploy" / "nightly" / "cronjob.yaml"
# /api/v1/namespaces/NAMESPACE/pods/NAME/log, and the same without a namespace, a name or what follows it.
PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/v\w+/(?:namespaces/(?P<namespace>[^/]+)/)?"
    r"(?P<kind>[a-z]+)(?:/(?P<name>[^/]+)(?:/(?P<sub>[a-z]+).*)?)?"
)
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
Rules: TypeAlias = list[tuple[str, Mapping[str, Any]]]
APPLIED = ("get", "list", "watch", "create", "patch", "delete")


@dataclass(frozen=True)
class Right:
    """One thing that an account may do, or that somebody asks for."""

    verb: str
    group: str
    kind: str
    namespace: str = ""
    name: str = ""


@pytest.fixture(scope="module")
def rules() -> Rules:
    """(namespace, rule) of each role of the file; those of a ClusterRole hold in every namespace."""
    roles = [one for one in yaml.safe_load_all(CRONJOB.read_text()) if one["kind"].endswith("Role")]
    return [(one["metadata"].get("namespace", ""), rule) for one in roles for rule in one["rules"]]


def refused(rules: Rules, asked: Iterable[Right]) -> list[Right]:
    """What the roles do not grant."""

    def grants(namespace: str, rule: Mapping[str, Any], one: Right) -> bool:
        return (
            namespace in {"", one.namespace}
            and one.verb in rule["verbs"]
            and one.group in rule["apiGroups"]
            and not {"*", one.kind}.isdisjoint(rule["resources"])
            and ("resourceNames" not in rule or one.name in rule["resourceNames"])
        )

    return sorted({one for one in asked if not any(grants(*rule, one) for rule in rules)}, key=repr)


def rights(requests: list[str], *, watched: bool = False) -> Iterator[Right]:
    """What requests, as ``METHOD path``, need; what is no object, such as the version, anybody may read."""
    for method, path in (one.split() for one in requests):
        if found := PATH.fullmatch(path):
            kind = "/".join(filter(None, (found["kind"], found["sub"])))
            reading = ("get",) if found["name"] else ("list", "watch") if watched else ("list",)
            for verb in reading if method == "GET" else (VERBS[method],):
                yield Right(verb, found["group"] or "", kind, found["namespace"] or "", found["name"] or "")


def test_what_the_recorder_asks_for_is_granted(
    rules: Rules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that it watches, reads and copies, the alerts at its end among it."""
    in_a_hurry(monkeypatch)
    cluster = small_cluster()
    gateway = api_objects.pod("gate", app="istio-ingressgateway", namespace="istio-system")
    cluster.put("/api/v1/namespaces/istio-system/pods", gateway)
    with recording(tmp_path, cluster) as seen:
        seen.sampled(bool)

    asked = list(rights(cluster.asked, watched=True))
    assert {one.kind for one in asked} >= {"pods/log", "pods/proxy", "services/proxy", "deployments"}
    assert refused(rules, asked) == []


def test_what_needs_are_looked_for_by_is_granted(rules: Rules, tmp_path: Path) -> None:
    """Each need that a scenario may name."""
    cluster = Cluster()
    cluster.put("/apis", {"metadata": {"name": "networking.istio.io"}})
    timeline = Timeline(evidence.make_run_dir(tmp_path, run_id="run"), zero_ns=now_ns())
    with api_server.serving(tmp_path, cluster) as api, suppress(MissingError):
        needs.require(api, NEEDS, timeline=timeline)
    timeline.close()

    assert cluster.asked
    assert refused(rules, rights(cluster.asked)) == []


def functions() -> list[Callable[..., Any]]:
    """Every function of `sealegs.kube` that asks something of an API server."""
    modules = [import_module(f"{kube.__name__}.{one.name}") for one in pkgutil.iter_modules(kube.__path__)]
    found = {one for module in modules for _, one in inspect.getmembers(module, inspect.isfunction)}
    asking = [one for one in found if "api" in inspect.signature(one).parameters]
    return [one for one in asking if not one.__name__.startswith("_")]


def call(function: Callable[..., Any], api: Api, *, namespace: str = api_objects.NAMESPACE) -> None:
    """Have a function ask for something in a namespace that is not there."""
    pod = api_objects.pod("a", namespace=namespace)
    pod["metadata"]["uid"] = "uid"
    stop = Stop()
    stop.set()
    texts = ("name", "node", "deployment", "container", "subset", "metric", "label", "key", "text", "value")
    words: dict[str, Any] = {
        **dict.fromkeys((*texts, "holder"), "a"),
        **dict.fromkeys(("replicas", "grace_s", "percent", "port", "limit_s"), 1),
        **dict.fromkeys(("on_change", "on_lost"), print),
        "api": api,
        "argv": ["cat"],
        "names": [],
        "namespace": namespace,
        "path": PODS,
        "pod": "a" if function is kube_exec.running else parse_pod(pod),
        "stop": stop,
        "variables": {},
    }
    parameters = inspect.signature(function).parameters.values()
    asked = [one.name for one in parameters if one.default is one.empty or one.name == "namespace"]
    given = {name: words[name] for name in asked}
    with suppress(ClusterError, KeyError):
        result = function(**given)
        if isinstance(result, AbstractContextManager):
            with result:
                pass


def test_what_the_code_can_ask_for_is_granted(rules: Rules, tmp_path: Path) -> None:
    """Each question and each act that there is, in the stack's namespace, on a node and about a Lease."""
    cluster = Cluster()
    with api_server.serving(tmp_path, cluster) as api:
        for function in functions():
            before = len(cluster.asked)
            call(function, api)
            # A watch that is told to stop asks for nothing.
            assert len(cluster.asked) > before or function is watch, function

    assert refused(rules, rights(cluster.asked)) == []


def test_what_faults_ask_for_beside_the_stack_is_granted(rules: Rules, tmp_path: Path) -> None:
    """A deployment is scaled in the namespaces that experiments name, a pod of the gateway deleted."""
    texts = [path.read_text() for path in sorted((ROOT / "experiments").glob("*.json"))]
    beside = {name for text in texts for name in re.findall(r'"namespace": "([a-z-]+)"', text)}
    cluster = Cluster()
    with api_server.serving(tmp_path, cluster) as api:
        for namespace in beside:
            for function in (reads.deployment, reads.pods_of, acts.scale):
                call(function, api, namespace=namespace)
        for gateway in (reads.pods, acts.delete_pod):
            call(gateway, api, namespace=REFERENCE.gateway.namespace)

    assert beside == {"istio-system", "monitoring"}
    assert refused(rules, rights(cluster.asked)) == []


def test_what_a_stack_is_made_of_may_be_applied_and_removed(rules: Rules) -> None:
    """Each kind of the base, and each that is looked through for what to prune, where it stands.

    kubectl watches what it deletes until it is gone.
    """
    kinds = [one.partition(".")[::2] for one in stack.KINDS.split(",")]
    asked = {Right(verb, group, kind, REFERENCE.namespace) for kind, group in kinds for verb in APPLIED}
    for path in (ROOT / "stack" / "base").glob("[!k]*.yaml"):
        for one in yaml.safe_load_all(path.read_text()):
            group = one["apiVersion"].rpartition("/")[0]
            kind = f"{one['kind'].lower()}{'es' if one['kind'].endswith('s') else 's'}"
            verbs = ("get", "create", "patch") if kind == "namespaces" else APPLIED
            asked |= {Right(verb, group, kind, one["metadata"].get("namespace", "")) for verb in verbs}

    assert refused(rules, asked) == []
