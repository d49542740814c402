"""A run that has come as far as its fault: three nodes with an engine each, for tests of what faults do."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit import api_objects, api_server
from tests.unit.api_objects import engine_metrics
from tests.unit.api_server import NODES, PODS, Cluster

from sealegs import evidence
from sealegs.active import RUN_DIR
from sealegs.faults import eviction, states, targets
from sealegs.kube.api import Api
from sealegs.recorder import Recorder
from sealegs.timeline import Timeline
from sealegs.waiting import TIMEOUTS, now_ns, wait_until

ZERO_NS = now_ns()
NOTED_LIMIT_S = 10.0
STREAMS = {"worker-a": 4, "worker-b": 5, "worker-c": 0}


@dataclass(frozen=True)
class Stage:
    """A run on three nodes with one engine each; the engine of worker-c serves nothing."""

    cluster: Cluster
    api: Api
    run_dir: Path

    def timeline(self, kind: str) -> list[dict[str, Any]]:
        """Records of one kind."""
        records = evidence.read_lines(self.run_dir / "timeline.jsonl").records
        return [one for one in records if one["kind"] == kind]

    def until(self, kind: str, **known: object) -> None:
        """Return when the recorder has noted a record of a kind that says this."""
        wait_until(
            lambda: self.timeline(kind),
            ready=lambda found: any(known.items() <= one.items() for one in found),
            limit_s=NOTED_LIMIT_S,
            every_s=0.01,
            what=f"a record of kind {kind} with {known}",
        )

    def states(self) -> list[str]:
        """The states that the fault has reached."""
        return [one["state"] for one in self.timeline("fault")]

    def cordoned(self) -> list[str]:
        """The nodes that are cordoned."""
        items = self.cluster.list(NODES, {})["items"]
        return [one["metadata"]["name"] for one in items if one["spec"].get("unschedulable")]

    def changes_asked(self) -> list[str]:
        """Every request that would have changed something."""
        return [one for one in self.cluster.asked if not one.startswith("GET")]

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """With the recorder watching."""
        timeline = Timeline(self.run_dir, zero_ns=ZERO_NS)
        recorder = Recorder(
            self.api,
            self.run_dir,
            timeline=timeline,
            zero_ns=ZERO_NS,
            namespace=api_objects.NAMESPACE,
            load_status=lambda: None,
        )
        with recorder:
            yield
        timeline.close()


def write_run(run_dir: Path, *, kubeconfig: Path, owned: bool = True, seed: int = 8) -> None:
    """Write the part of run.json that a fault reads."""
    where = {"kubeconfig": str(kubeconfig), "context": "test", "owned": owned}
    run = {"seed": seed, "namespace": api_objects.NAMESPACE, "started_monotonic_ns": ZERO_NS}
    evidence.write_json(run_dir / "run.json", {**run, "cluster": where})


@contextmanager
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A run that its experiment's steps find in the environment; waits are looked at often."""
    monkeypatch.setattr(eviction, "ASK_AGAIN_S", 0.01)
    monkeypatch.setattr(eviction, "LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(states, "LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(targets, "LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(targets, "TIMEOUTS", replace(TIMEOUTS, streams_in_flight_s=0.03))
    run_dir = evidence.make_run_dir(tmp_path, run_id="run")
    monkeypatch.setenv(RUN_DIR, str(run_dir))
    cluster = Cluster()
    for name, streams in STREAMS.items():
        cluster.put(NODES, api_objects.node(name))
        cluster.put(PODS, api_objects.pod(f"engine-{name[-1]}", on=name))
        cluster.metrics[f"engine-{name[-1]}"] = engine_metrics(running=streams)
    cluster.put(PODS, api_objects.pod("door-b", on="worker-b", app="llm-api"))
    with api_server.serving(tmp_path, cluster) as api:
        write_run(run_dir, kubeconfig=tmp_path / "kubeconfig")
        yield Stage(cluster, api, run_dir)
