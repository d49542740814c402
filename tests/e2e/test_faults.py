"""Every fault on the real cluster: it lands, it goes, and a no-op does not land."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sealegs import stack
from sealegs.active import RUN_DIR
from sealegs.cluster import Cluster
from sealegs.evidence import make_run_dir, open_undos, read_lines, write_json
from sealegs.faults import node_drain, noop
from sealegs.kube import reads
from sealegs.kube.api import Api, connect
from sealegs.recorder import Recorder
from sealegs.timeline import Timeline
from sealegs.waiting import now_ns

pytestmark = pytest.mark.e2e


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One row: the four functions of a fault's module, aimed at a node, and its no-op."""

    name: str
    inject: Callable[[str], object]
    nothing: Callable[[str], object]
    landed: Callable[[], object]
    undo: Callable[[], object]
    gone: Callable[[], object]


FAULTS = [
    Fault(
        name="node_drain",
        inject=lambda node: node_drain.inject(streams_min=0, node=node),
        nothing=lambda node: noop.inject(streams_min=0, node=node),
        landed=lambda: node_drain.landed(limit_s=5),
        undo=node_drain.undo,
        gone=node_drain.gone,
    )
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


def serving_node(api: Api) -> str:
    """A node with an engine on it."""
    return next(pod.node for pod in reads.pods(api, namespace=stack.NAMESPACE) if pod.app == "llm-inference")


def states(run_dir: Path) -> list[str]:
    """States that the fault was noted in."""
    return [one["state"] for one in read_lines(run_dir / "timeline.jsonl").records if one["kind"] == "fault"]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_lands_and_goes(fault: Fault, api: Api, run_dir: Path) -> None:
    """Injected it is seen by the witness, undone it is seen gone, and no undo is left open."""
    fault.inject(serving_node(api))
    fault.landed()
    fault.undo()
    fault.gone()

    assert states(run_dir) == ["armed", "injected", "landed", "undone", "gone"]
    assert open_undos(run_dir) == ()
    assert all(node.schedulable and node.ready for node in reads.nodes(api))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_nothing_does_not_land(fault: Fault, api: Api, run_dir: Path) -> None:
    """The landed check can say no: after a no-op it does, and it has nothing to undo."""
    fault.nothing(serving_node(api))

    with pytest.raises(TimeoutError, match=r"^fault did not land"):
        fault.landed()
    fault.undo()
    fault.gone()
    assert "landed" not in states(run_dir)
