"""Every fault on the real cluster: it lands, it goes, and a no-op does not land."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from sealegs import stack
from sealegs.active import RUN_DIR, active_run
from sealegs.cluster import Cluster
from sealegs.evidence import make_run_dir, open_undos, read_lines, write_json
from sealegs.faults import node_drain, node_loss, noop, pod_kill
from sealegs.kube import reads
from sealegs.kube.api import Api, connect
from sealegs.kube.objects import Pod
from sealegs.recorder import Recorder
from sealegs.timeline import Timeline
from sealegs.waiting import now_ns

pytestmark = pytest.mark.e2e


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One row: the four functions of a fault's module, aimed at a node, and its no-op.

    `lands_s` and `goes_s` are how long its witnesses may take.
    """

    name: str
    inject: Callable[[str], object]
    nothing: Callable[[str], object]
    module: ModuleType
    lands_s: float = 5
    goes_s: float = 30


def kill_nothing(node: str) -> None:
    """Aim at the node's engine as the kill does and claim to have injected it, but change nothing."""
    with active_run() as run:
        victim, streams = pod_kill.arm(run, streams_min=0, pod=engine_on(run.api, node))
        pod_kill.note_injected(run, victim, streams=streams)


def lose_nothing(node: str) -> None:
    """Aim as the loss does and claim to have injected it, but change nothing."""
    with active_run() as run:
        target, streams = node_loss.arm(run, streams_min=0, node=node)
        node_loss.note_injected(run, target, streams=streams)


def kill_engine(node: str) -> None:
    """Kill the engine on a node."""
    with active_run() as run:
        pod = engine_on(run.api, node)
    pod_kill.inject(streams_min=0, pod=pod)


FAULTS = [
    Fault(
        name="node_drain",
        inject=lambda node: node_drain.inject(streams_min=0, node=node),
        nothing=lambda node: noop.inject(streams_min=0, node=node),
        module=node_drain,
    ),
    Fault(name="pod_kill", inject=kill_engine, nothing=kill_nothing, module=pod_kill),
    Fault(
        name="node_loss",
        inject=lambda node: node_loss.inject(streams_min=0, node=node),
        nothing=lose_nothing,
        module=node_loss,
        lands_s=75,
        goes_s=60,
    ),
]


@pytest.fixture
def api(cluster: Cluster) -> Iterator[Api]:
    """The cluster's API server, with the sound stack on it."""
    stack.apply(cluster)
    opened = connect(cluster.kubeconfig, context=cluster.context)
    yield opened
    opened.close()


@pytest.fixture
def run_dir(cluster: Cluster, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A run without load, being recorded."""
    zero_ns = now_ns()
    made = make_run_dir(tmp_path, run_id="fault")
    known = {"context": cluster.context, "kubeconfig": str(cluster.kubeconfig), "owned": cluster.owned}
    document = {"run_id": "fault", "seed": 1, "started_monotonic_ns": zero_ns, "namespace": stack.NAMESPACE}
    write_json(made / "run.json", {**document, "cluster": known})
    monkeypatch.setenv(RUN_DIR, str(made))
    timeline = Timeline(made, zero_ns=zero_ns)
    with Recorder(
        api, made, timeline=timeline, zero_ns=zero_ns, namespace=stack.NAMESPACE, load_status=lambda: None
    ):
        yield made
    timeline.close()


def engines(api: Api) -> list[Pod]:
    """The engines that are there."""
    return [pod for pod in reads.pods(api, namespace=stack.NAMESPACE) if pod.app == "llm-inference"]


def serving_node(api: Api) -> str:
    """A node with an engine on it."""
    return engines(api)[0].node


def engine_on(api: Api, node: str) -> str:
    """The engine on a node."""
    return next(pod.name for pod in engines(api) if pod.node == node)


def states(run_dir: Path) -> list[str]:
    """States that the fault was noted in."""
    return [one["state"] for one in read_lines(run_dir / "timeline.jsonl").records if one["kind"] == "fault"]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_lands_and_goes(fault: Fault, api: Api, run_dir: Path) -> None:
    """Injected it is seen by the witness, undone it is seen gone, and no undo is left open."""
    fault.inject(serving_node(api))
    fault.module.landed(limit_s=fault.lands_s)
    fault.module.undo()
    fault.module.gone(limit_s=fault.goes_s)

    assert states(run_dir) == ["armed", "injected", "landed", "undone", "gone"]
    assert open_undos(run_dir) == ()
    assert all(node.schedulable and node.ready for node in reads.nodes(api))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_nothing_does_not_land(fault: Fault, api: Api, run_dir: Path) -> None:
    """The landed check can say no: after a no-op it does, and it has nothing to undo."""
    fault.nothing(serving_node(api))

    with pytest.raises(TimeoutError, match=r"^fault did not land"):
        fault.module.landed(limit_s=5)
    fault.module.undo()
    fault.module.gone()
    assert "landed" not in states(run_dir)
