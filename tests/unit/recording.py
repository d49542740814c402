"""A recorder at work on a small cluster, for tests of what it writes down."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.unit import api_objects, api_server
from tests.unit.api_objects import engine_metrics
from tests.unit.api_server import DEPLOYMENTS, NODES, PDBS, PODS, Cluster

from sealegs import evidence, recorder
from sealegs.kube import watch
from sealegs.recorder import Recorder, samples
from sealegs.timeline import Timeline
from sealegs.waiting import now_ns, wait_until

Records = list[dict[str, Any]]


@dataclass(frozen=True)
class Recording:
    """A recorder at work, and what it has written."""

    recorder: Recorder
    run_dir: Path

    def timeline(self, kind: str) -> Records:
        """Records of one kind, without their times."""
        records = evidence.read_lines(self.run_dir / "timeline.jsonl").records
        return [{key: one[key] for key in one if key != "t_s"} for one in records if one["kind"] == kind]

    def samples(self) -> Records:
        """Samples so far."""
        return list(evidence.read_lines(self.run_dir / "samples.jsonl").records)

    def until(self, kind: str, **found: object) -> dict[str, Any]:
        """The first record of a kind with these values, waited for."""
        return first(lambda: [one for one in self.timeline(kind) if found.items() <= one.items()])

    def sampled(self, good: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The first sample that is good, waited for."""
        return first(lambda: [one for one in self.samples() if good(one)])


def first(look: Callable[[], Records]) -> dict[str, Any]:
    """The first of what there is, waited for."""
    return wait_until(look, ready=bool, limit_s=3, every_s=0.01, what="something like it")[0]


@contextmanager
def recording(tmp_path: Path, cluster: Cluster) -> Iterator[Recording]:
    """A recorder on a cluster, as a run has it."""
    run_dir = evidence.make_run_dir(tmp_path, run_id="run")
    zero_ns = now_ns()
    timeline = Timeline(run_dir, zero_ns=zero_ns)
    with api_server.serving(tmp_path, cluster) as api:
        recorded = Recorder(
            api,
            run_dir,
            timeline=timeline,
            zero_ns=zero_ns,
            namespace=api_objects.NAMESPACE,
            load_status=lambda: {"in_flight": 7, "sent": 42},
        )
        with recorded:
            yield Recording(recorded, run_dir)
        timeline.close()


def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beats and second tries come fast."""
    monkeypatch.setattr(recorder, "SAMPLE_EVERY_S", 0.02)
    monkeypatch.setattr(recorder, "LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(samples, "ANSWER_LIMIT_S", 0.1)
    monkeypatch.setattr(watch, "RETRY_S", 0.02)


def small_cluster() -> Cluster:
    """One engine on one node, a door, their deployments and a budget."""
    made = Cluster()
    made.put(NODES, api_objects.node("worker-a"))
    made.put(PODS, api_objects.pod("engine-a"))
    made.put(PODS, api_objects.pod("door-a", app="llm-api"))
    made.put(PDBS, api_objects.pdb("llm-inference", healthy=3, allowed=1))
    made.put(DEPLOYMENTS, api_objects.deployment("llm-inference", wanted=1, ready=1))
    made.put(DEPLOYMENTS, api_objects.deployment("llm-api", wanted=1, ready=1))
    made.metrics["engine-a"] = engine_metrics(running=4, waiting=2)
    return made
