"""Every fault on the real cluster: it lands, it goes, and a no-op does not land."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e import control_rows, engine_rows, node_rows, pod_rows
from tests.e2e.conformance import Fault, serving_node

from sealegs import stack
from sealegs.active import RUN_DIR
from sealegs.cluster import Cluster
from sealegs.evidence import make_run_dir, open_undos, read_lines, write_json
from sealegs.heal import undo_all
from sealegs.kube import reads
from sealegs.kube.api import Api, connect
from sealegs.recorder import Recorder
from sealegs.timeline import Timeline
from sealegs.waiting import now_ns

pytestmark = pytest.mark.proof

FAULTS = (*control_rows.FAULTS, *engine_rows.FAULTS, *node_rows.FAULTS, *pod_rows.FAULTS)


@pytest.fixture
def api(cluster: Cluster) -> Iterator[Api]:
    """The cluster's API server, with the sound stack on it."""
    stack.apply(cluster)
    opened = connect(cluster.kubeconfig, context=cluster.context)
    yield opened
    opened.close()


@pytest.fixture
def run_dir(cluster: Cluster, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A run without load, being recorded. What a failed test left undone is undone: the next one needs it."""
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
    list(undo_all(api, made))


def states(run_dir: Path) -> list[str]:
    """States that the fault was noted in."""
    return [one["state"] for one in read_lines(run_dir / "timeline.jsonl").records if one["kind"] == "fault"]


@pytest.mark.core
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_lands_and_goes(fault: Fault, api: Api, run_dir: Path) -> None:
    """Injected it is seen by the witness; undone, twice, it is seen gone, and no undo is left open."""
    fault.inject(serving_node(api))
    fault.module.landed(limit_s=fault.lands_s)
    fault.module.undo()
    fault.module.gone(limit_s=fault.goes_s)
    again = fault.module.undo()

    assert states(run_dir) == ["armed", "injected", "landed", "undone", "gone"]
    assert open_undos(run_dir) == ()
    assert again.startswith("nothing to undo")
    assert all(node.schedulable and node.ready for node in reads.nodes(api))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_runner_killed_after_the_injection_is_healed(fault: Fault, api: Api, run_dir: Path) -> None:
    """What is on disk is enough: `sealegs heal`'s own undo puts back what no rollback ever did."""
    fault.inject(serving_node(api))

    assert open_undos(run_dir)
    assert list(undo_all(api, run_dir))
    assert open_undos(run_dir) == ()
    assert all(node.schedulable for node in reads.nodes(api))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_nothing_does_not_land(fault: Fault, api: Api, run_dir: Path) -> None:
    """The landed check can say no: after a no-op it does, and it has nothing to undo."""
    fault.nothing(serving_node(api))

    with pytest.raises(TimeoutError, match=r"^fault did not land"):
        fault.module.landed(limit_s=5)
    fault.module.undo()
    fault.module.gone()
    assert "landed" not in states(run_dir)
