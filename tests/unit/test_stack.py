"""Applying a stack, or taking it as it stands: what kubectl is asked, and what is waited for."""

import dataclasses
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from sealegs import cluster as clusters
from sealegs import rollout, stack, stack_images, stack_keys
from sealegs.cluster import Cluster
from sealegs.errors import ClusterError
from sealegs.stack_shape import REFERENCE, Gateway, Key, load_shape

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
FOREIGN = load_shape(ROOT / "tests" / "e2e" / "foreign_stack" / "stack.toml")
STANDING = dataclasses.replace(FOREIGN, overlay="", selector={}, key=None)


def deployment(name: str) -> Json:
    """A complete deployment of one replica."""
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas"), 1)
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "generation": 1},
        "spec": {"replicas": 1},
        "status": {**counts, "observedGeneration": 1},
    }


def pod(name: str, component: str, *, node: str = "a", phase: str = "Running") -> Json:
    """A pod with one label, ready if it runs."""
    ready = [{"type": "Ready", "status": str(phase == "Running")}]
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "chat", "labels": {"component": component}},
        "spec": {"nodeName": node, "containers": [{"name": "c"}]},
        "status": {"phase": phase, "conditions": ready},
    }


WHOLE = [deployment("brain"), deployment("door"), pod("brain-1", "brain"), pod("door-1", "door")]


class Kubectl:
    """Answers as kubectl would, and remembers what it was asked."""

    def __init__(self, objects: list[Json]) -> None:
        self.objects = objects
        self.asked: list[tuple[str, ...]] = []
        self.kustomized: list[Json] = []

    def __call__(self, _: Cluster, *words: str) -> str:
        """What kubectl prints."""
        self.asked.append(words)
        if "namespace" in words and "--output" in words:
            return "true"
        if words[0] == "apply":
            generated = Path(words[words.index("--kustomize") + 1])
            read = (yaml.safe_load(one.read_text()) for one in sorted(generated.iterdir()))
            self.kustomized += read
            return "deployment.apps/brain\ndeployment.apps/door"
        if words[1].startswith("services"):
            return "deployment.apps/brain\nservice/old"
        return json.dumps({"items": self.objects if words[0] == "get" else []})

    @property
    def changes(self) -> list[str]:
        """The first word of everything that changes something."""
        return [words[0] for words in self.asked if words[0] != "get"]


@pytest.fixture
def kubectl(monkeypatch: pytest.MonkeyPatch) -> Kubectl:
    """A cluster with the foreign stack."""
    made = Kubectl(list(WHOLE))
    monkeypatch.setattr(stack, "_kubectl", made)
    monkeypatch.setattr(stack, "POLL_S", 0.01)
    monkeypatch.setattr(stack_images, "ensure", lambda _: {"llm-api": "made/llm-api:1"})
    return made


@pytest.fixture
def theirs() -> Iterator[Cluster]:
    """A cluster that is not ours, behind a gateway that answers every request with 200."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Gateway)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
    thread.start()
    yield Cluster("c", Path("none"), "c", f"http://127.0.0.1:{server.server_address[1]}", owned=False)
    server.shutdown()
    server.server_close()
    thread.join()


class _Gateway(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer that there are models."""
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_stack_that_stands_is_left_alone(kubectl: Kubectl, theirs: Cluster) -> None:
    """Nothing is applied and nothing removed, and a pod that is no part of it is not waited for."""
    kubectl.objects.append(pod("job-1", "job", phase="Succeeded"))

    stands = stack.apply(theirs, shape=STANDING, overlay=None, timeout_s=5)

    assert kubectl.changes == []
    assert (stands.overlay, stands.replicas) == ("", {"llm-inference": 1, "llm-api": 1})
    assert ("get", "deployments,pods,poddisruptionbudgets", "--output", "json", "--namespace", "chat") in (
        kubectl.asked
    )


@pytest.mark.parametrize(
    ("left_out", "said"),
    [(0, "no deployment brain in chat"), (3, "no pod with component=door in chat")],
)
def test_a_part_that_is_not_there_is_waited_for(
    kubectl: Kubectl, theirs: Cluster, left_out: int, said: str
) -> None:
    """A name that nothing has is no stack at rest: it says which."""
    del kubectl.objects[left_out]

    with pytest.raises(TimeoutError, match=said):
        stack.apply(theirs, shape=STANDING, overlay=None, timeout_s=0.05)


def test_an_overlay_of_yours_is_applied_and_pruned(
    kubectl: Kubectl, theirs: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With our images where it names them; what has its label and is not in it any more goes."""
    monkeypatch.setattr(stack_keys, "taken", lambda *_: "secret")

    stack.apply(theirs, shape=FOREIGN, overlay=tmp_path, timeout_s=5)

    (generated,) = kubectl.kustomized
    assert generated["images"] == [{"name": "llm-api", "newName": "made/llm-api", "newTag": "1"}]
    assert kubectl.changes == ["apply", "delete"]
    assert ("delete", "--namespace", "chat", "service/old") in kubectl.asked
    selector = ("--namespace", "chat", "--selector", "app.kubernetes.io/part-of=chat")
    assert all(words[-4:] == selector for words in kubectl.asked if "deployments,pods" in words[1])


def test_pods_crowd_by_role() -> None:
    """The second engine on a node is surplus, whatever engines are called."""
    pods = [pod("b1", "brain"), pod("b2", "brain"), pod("b3", "brain", node="b"), pod("d1", "door")]

    assert rollout.crowded(pods, places=3, shape=FOREIGN) == ["b2"]


def test_the_key_is_the_one_that_the_file_names(monkeypatch: pytest.MonkeyPatch, theirs: Cluster) -> None:
    """Of several entries the named one, of others any; a stack without a Secret is asked for none."""
    stored = {"data": {"other": "eA==", "load-test": "eQo="}}
    asked: list[tuple[str, ...]] = []

    def ask(_: Cluster, *words: str) -> str:
        asked.append(words)
        return json.dumps(stored)

    monkeypatch.setattr(stack_keys, "ask", ask)

    assert stack.api_key(theirs, shape=FOREIGN) == "y"
    assert asked[0][:5] == ("get", "secret", "chat-keys", "--namespace", "chat")
    assert stack_keys.taken(theirs, "chat", Key(secret="s", entry="none")) == "x"  # noqa: S106  its name
    made = stack_keys.manifest(theirs, FOREIGN)
    assert made is not None
    assert (made["metadata"]["name"], made["stringData"]) == ("chat-keys", {"load-test": "y"})
    assert stack.api_key(theirs, shape=STANDING) == stack.NO_KEY
    assert stack_keys.manifest(theirs, STANDING) is None
    stored.clear()
    with pytest.raises(ClusterError, match="the Secret chat/chat-keys is absent or empty"):
        stack.api_key(theirs, shape=FOREIGN)


def test_the_gateway_is_the_one_that_the_file_names(monkeypatch: pytest.MonkeyPatch, theirs: Cluster) -> None:
    """Its URL, or that of its Service; none of either is an error that says what to do."""
    balancers = {("edge", "in"): "10.0.0.7"}
    monkeypatch.setattr(
        clusters, "ask", lambda _, *words: balancers.get((words[1], words[4]), "") if "-n" in words else ""
    )
    ours = dataclasses.replace(theirs, owned=True)

    assert clusters.at_gateway(theirs, Gateway(url="http://x:1")).gateway_url == "http://x:1"
    assert clusters.at_gateway(ours, Gateway()).gateway_url == theirs.gateway_url
    edge = Gateway(namespace="edge", service="in", port=8080)
    assert clusters.at_gateway(theirs, edge).gateway_url == "http://10.0.0.7:8080"
    with pytest.raises(ClusterError, match="has no service edge/out on port 80: install Istio"):
        clusters.at_gateway(theirs, Gateway(namespace="edge", service="out"))


def test_the_opt_in_is_that_of_the_stacks_namespace(
    kubectl: Kubectl, theirs: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A label on our namespace says nothing of yours."""
    stack.require_opt_in(theirs, shape=FOREIGN)
    assert kubectl.asked[0][:3] == ("get", "namespace", "chat")
    monkeypatch.setattr(stack, "_kubectl", lambda *_: "")

    with pytest.raises(ClusterError, match="kubectl label namespace chat sealegs/allow-faults=true"):
        stack.require_opt_in(theirs, shape=FOREIGN)


def test_no_experiment_names_our_stack() -> None:
    """Where an experiment asks for pods it takes the names of the run's stack, and says ours as defaults."""
    for path in (ROOT / "experiments").rglob("*.json"):
        experiment = json.loads(path.read_text())
        defaults = experiment.pop("configuration")
        steps = json.dumps(
            {name: experiment[name] for name in experiment if name not in {"title", "description"}}
        )

        assert REFERENCE.namespace not in steps, path
        assert "app=" not in steps, path
        asked = {name for name in REFERENCE.variables if f"${{{name}}}" in steps}
        assert {name: defaults.get(name) for name in asked} == {
            name: REFERENCE.variables[name] for name in asked
        }, path
