"""The failure of a GPU as its experiment has it: a device plugin that takes marks, an API server here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.unit import api_objects
from tests.unit.api_server import NODES, PODS
from tests.unit.drain_stage import Stage, staged

from sealegs import evidence
from sealegs.active import active_run
from sealegs.errors import ClusterError
from sealegs.faults import device_unhealthy
from sealegs.kube import exec as kube_exec
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod

SYSTEM_PODS = "/api/v1/namespaces/kube-system/pods"
DEVICE = "sim-gpu-1"


@dataclass
class Programs:
    """What was run in which pod, and what was known when a mark was made."""

    stage: Stage
    run: list[tuple[str, str]] = field(default_factory=list)
    knew: list[tuple[int, list[str]]] = field(default_factory=list)

    def output(self, _: Api, pod: Pod, argv: Sequence[str], *, limit_s: float) -> str:
        """What `sealegs.kube.exec.output` does."""
        assert limit_s > 0
        self.run.append((pod.name, " ".join(argv)))
        if argv[0] == "printenv":
            return f"{DEVICE}\n"
        self.knew.append((len(evidence.open_undos(self.stage.run_dir)), self.stage.states()))
        return ""

    def marks(self) -> list[tuple[str, str]]:
        """The marks among them."""
        return [one for one in self.run if "mark" in one[1]]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Three nodes with two GPUs, an engine and a device plugin each; that of worker-c serves nothing."""
    with staged(tmp_path, monkeypatch) as ready:
        for letter in "abc":
            plugin = {"app": "device-plugin", "on": f"worker-{letter}", "namespace": "kube-system"}
            ready.cluster.put(SYSTEM_PODS, api_objects.pod(f"plugin-{letter}", **plugin))
        yield ready


@pytest.fixture
def programs(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """The programs in those pods."""
    made = Programs(stage)
    monkeypatch.setattr(kube_exec, "output", made.output)
    return made


def count(stage: Stage, gpus: int) -> None:
    """The kubelet of worker-b counts so many GPUs that it can give."""
    stage.cluster.put(NODES, api_objects.node("worker-b", gpus=gpus))


def test_a_failure_goes_through_all_its_states(stage: Stage, programs: Programs) -> None:
    """Armed, injected, landed, undone, gone: the GPU that the engine has, marked by its own node's plugin."""
    with stage.recorded():
        done = device_unhealthy.inject(streams_min=3, pod="engine-b")
        count(stage, 1)
        assert device_unhealthy.landed(limit_s=2)["gpus"] == 1
        assert device_unhealthy.undo() == f"{DEVICE} of worker-b is healthy"
        with pytest.raises(TimeoutError, match=r"^fault is not gone: .*'gpus': 1"):
            device_unhealthy.gone(limit_s=0.05)
        count(stage, 2)
        assert device_unhealthy.gone(limit_s=2) == "seen: the node of engine-b with all its GPUs to give"

    assert stage.states() == ["armed", "injected", "landed", "undone", "gone"]
    assert programs.marks() == [
        ("plugin-b", f"device-plugin mark {DEVICE} unhealthy"),
        ("plugin-b", f"device-plugin mark {DEVICE} healthy"),
    ]
    assert programs.knew[0] == (1, ["armed", "injected"])
    assert (done["pods"], done["device"], done["streams"]) == (["engine-b"], DEVICE, 5)
    assert all(one["target"]["pods"] == ["engine-b"] for one in stage.timeline("fault"))
    assert stage.changes_asked() == []


def test_a_failure_that_does_nothing_does_not_land(stage: Stage, programs: Programs) -> None:
    """What inject wrote is no witness: while the kubelet counts as before, landed raises."""
    with stage.recorded():
        with active_run() as run:
            aim = device_unhealthy.arm(run, streams_min=1, pod="engine-b")
            device_unhealthy.note_injected(run, aim)
        with pytest.raises(TimeoutError, match=r"^fault did not land: .*'recorded_gpus': None, 'gpus': 2"):
            device_unhealthy.landed(limit_s=0.05)
        device_unhealthy.undo()
        assert device_unhealthy.gone().startswith("nothing is gone")

    assert programs.marks() == []
    assert stage.states() == ["armed", "injected"]


@pytest.mark.usefixtures("programs")
def test_landed_needs_the_recorder(stage: Stage) -> None:
    """A count that nobody watched fall is not believed."""
    device_unhealthy.inject(streams_min=1, pod="engine-b")
    count(stage, 1)

    with pytest.raises(TimeoutError, match=r"^fault did not land: .*'recorded_gpus': None, 'gpus': 1"):
        device_unhealthy.landed(limit_s=0.05)


def test_a_node_without_our_plugin_is_left_alone(stage: Stage, programs: Programs) -> None:
    """GPUs that no plugin of ours serves are not marked: it ends while it is only armed."""
    plugin = {"app": "device-plugin", "on": "worker-b", "namespace": "kube-system"}
    stage.cluster.put(SYSTEM_PODS, api_objects.pod("plugin-b", ready=False, **plugin))

    with pytest.raises(ClusterError, match=r"no pod device-plugin of kube-system is ready on worker-b"):
        device_unhealthy.inject(streams_min=1, pod="engine-b")
    assert (programs.run, stage.states()) == ([], ["armed"])


def test_undo_is_safe_to_repeat(stage: Stage, programs: Programs) -> None:
    """A second undo changes nothing and notes nothing; one undo can be replayed from its record alone."""
    device_unhealthy.inject(streams_min=1, pod="engine-b")
    (recorded,) = evidence.open_undos(stage.run_dir)
    with pytest.raises(ClusterError, match="its undo has not been done"):
        device_unhealthy.gone()
    device_unhealthy.undo()

    assert device_unhealthy.undo().startswith("nothing to undo")
    stage.cluster.delete(PODS, "engine-b")  # the GPU is the node's, whatever became of the engine
    assert device_unhealthy.undo_one(stage.api, recorded) == f"{DEVICE} of worker-b is healthy"
    with pytest.raises(ClusterError, match="nobody here knows how to 'replace'"):
        device_unhealthy.undo_one(stage.api, replace(recorded, action="replace"))
    assert len(programs.marks()) == 3
    assert stage.states() == ["armed", "injected", "undone"]
