"""A cluster whose stack has other names, seen by the recorder and by the steps of an experiment."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.unit import api_objects, api_server
from tests.unit.api_objects import Json, engine_metrics
from tests.unit.api_server import NODES, Cluster
from tests.unit.recording import Recording

from sealegs import evidence
from sealegs.active import RUN_DIR, active_run
from sealegs.errors import ClusterError
from sealegs.faults import targets
from sealegs.kube import reads
from sealegs.kube.api import connect
from sealegs.probes import engine_load
from sealegs.recorder import Recorder
from sealegs.stack_shape import Gateway, StackShape, load_shape
from sealegs.timeline import Timeline
from sealegs.waiting import now_ns

FOREIGN = load_shape(Path(__file__).parents[1] / "e2e" / "foreign_stack" / "stack.toml")
# One that takes nothing from ours: not even the device, the gateway and where metrics are.
STRANGE = dataclasses.replace(
    FOREIGN,
    gpus="amd.com/gpu",
    engines=dataclasses.replace(
        FOREIGN.engines, metrics_port=9000, metrics_path="/metrics", running="busy", waiting="queued"
    ),
    gateway=Gateway(namespace="chat", service="in", labels={"component": "edge"}),
)
CHAT_PODS, CHAT_PDBS = "/api/v1/namespaces/chat/pods", "/apis/policy/v1/namespaces/chat/poddisruptionbudgets"


def pod(name: str, component: str) -> Json:
    """A pod of the foreign stack."""
    made = api_objects.pod(name, namespace="chat")
    made["metadata"]["labels"] = {"component": component}
    return made


@pytest.fixture
def cluster() -> Cluster:
    """A cluster with the foreign stack: an engine, a door, a budget, and a pod that is neither."""
    made = Cluster()
    node = api_objects.node("worker-a")
    node["status"]["allocatable"] = {"amd.com/gpu": "4"}
    made.put(NODES, node)
    for name in ("brain", "door", "edge", "cache"):
        made.put(CHAT_PODS, pod(f"{name}-a", name))
    edge = pod("edge-a", "edge")
    edge["spec"]["containers"] = [{"name": "envoy"}]
    made.put(CHAT_PODS, edge)
    budget = api_objects.pdb("any", healthy=3, allowed=1)
    budget["spec"]["selector"] = {"matchLabels": {"component": "brain"}}
    budget["metadata"]["namespace"] = "chat"
    made.put(CHAT_PDBS, budget)
    for name in ("brain", "door"):
        deployment = api_objects.deployment(name, wanted=1, ready=1)
        made.put("/apis/apps/v1/namespaces/chat/deployments", deployment)
    made.metrics["brain-a"] = engine_metrics(running=3, waiting=1)
    return made


@contextmanager
def recording(folder: Path, cluster: Cluster, shape: StackShape) -> Iterator[Recording]:
    """A recorder that knows how the stack is named."""
    run_dir = evidence.make_run_dir(folder, run_id="run")
    zero_ns = now_ns()
    timeline = Timeline(run_dir, zero_ns=zero_ns)
    with api_server.serving(folder, cluster) as api:
        recorder = Recorder(
            dataclasses.replace(api, shape=shape),
            run_dir,
            timeline=timeline,
            zero_ns=zero_ns,
            namespace=shape.namespace,
            load_status=lambda: None,
        )
        with recorder:
            yield Recording(recorder, run_dir)
        timeline.close()


def test_the_recorder_says_roles(tmp_path: Path, cluster: Cluster) -> None:
    """What judgement reads has one name for each role, whatever the stack calls it."""
    with recording(tmp_path, cluster, FOREIGN) as seen:
        sample = seen.sampled(lambda one: one["in_flight"])
        apps = {one["name"]: one["app"] for one in seen.timeline("pod")}
        budgets = [one["app"] for one in seen.timeline("pdb")]

    assert apps == {"brain-a": "llm-inference", "door-a": "llm-api", "edge-a": "", "cache-a": ""}
    assert budgets == ["llm-inference"]
    assert sample["ready"] == sample["desired"] == {"llm-inference": 1, "llm-api": 1}
    assert (sample["in_flight"], sample["queue"]) == ({"brain-a": 4}, {"brain-a": 1})


def test_a_gateway_may_stand_among_the_stacks_pods(tmp_path: Path, cluster: Cluster) -> None:
    """It is told apart by its labels, and its access log is copied from its own container."""
    cluster.logs["edge-a"] = ['2099-01-01T00:00:00.000000001Z {"request_id":"r1","response_code":503}']
    with recording(tmp_path, cluster, STRANGE) as seen:
        seen.until("pod", name="edge-a", app="istio-ingressgateway")
        seen.until("pod", name="brain-a", app="llm-inference")

    assert (seen.run_dir / "logs" / "edge-a.access.jsonl").read_text().startswith('{"request_id":"r1"')


def test_an_experiments_step_finds_the_foreign_engines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: Cluster
) -> None:
    """The run's folder tells a step, and `sealegs heal`, what the engines are called."""
    run_dir = evidence.make_run_dir(tmp_path, run_id="run")
    monkeypatch.setenv(RUN_DIR, str(run_dir))
    with api_server.serving(tmp_path, cluster):
        where = {"kubeconfig": str(tmp_path / "kubeconfig"), "context": "test", "owned": True}
        run = {"seed": 1, "namespace": "chat", "started_monotonic_ns": now_ns(), "cluster": where}
        evidence.write_json(run_dir / "run.json", {**run, "stack": STRANGE.document})
        with active_run() as active:
            assert [one.name for one in targets.ready_engines(active)] == ["brain-a"]
            assert list(targets.serving_nodes(active, node="", to="drain")) == ["worker-a"]
        evidence.write_json(run_dir / "run.json", {**run, "stack": {"namespace": 1}})
        with pytest.raises(ClusterError, match=r"run.json:1: 'namespace' must be text"):
            active_run()


def test_metrics_are_read_where_the_stack_serves_them(tmp_path: Path, cluster: Cluster) -> None:
    """Port, path and names are the file's; of GPUs those of the device that it names."""
    with api_server.serving(tmp_path, cluster):
        api = connect(tmp_path / "kubeconfig", context="test", shape=STRANGE)
        engine, *_ = reads.pods(api, namespace="chat")
        assert engine_load(api, engine) is None
        assert [one.gpus for one in reads.nodes(api)] == [4]
        api.close()

    assert "GET /api/v1/namespaces/chat/pods/brain-a:9000/proxy/metrics" in cluster.asked


def test_an_engines_metrics_have_the_names_of_the_file(tmp_path: Path, cluster: Cluster) -> None:
    """What another engine calls its batch and its queue is read as that."""
    named = dataclasses.replace(FOREIGN.engines, running="busy", waiting="queued")
    cluster.metrics["brain-a"] = 'busy{model="m"} 2\nqueued 5\n' + engine_metrics(running=9)
    with api_server.serving(tmp_path, cluster):
        shape = dataclasses.replace(FOREIGN, engines=named)
        api = connect(tmp_path / "kubeconfig", context="test", shape=shape)
        engine, *_ = reads.pods(api, namespace="chat")
        load = engine_load(api, engine)
        api.close()

    assert load is not None
    assert (load.running, load.waiting) == (2, 5)
