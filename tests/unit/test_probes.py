"""The read-only questions of experiments, asked of an API server in this process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit import api_objects, api_server
from tests.unit.api_objects import engine_metrics
from tests.unit.api_server import DEPLOYMENTS, PODS, Cluster

from sealegs import evidence, probes
from sealegs.active import RUN_DIR, active_run
from sealegs.errors import ClusterError
from sealegs.kube import reads
from sealegs.kube.api import Api
from sealegs.kube.objects import Deployment


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """The cluster of a run that probes find in the environment: one of two deployments lacks a pod."""
    made = Cluster()
    made.put(DEPLOYMENTS, api_objects.deployment("llm-api", wanted=2, ready=2))
    made.put(DEPLOYMENTS, api_objects.deployment("llm-inference", wanted=3, ready=2))
    where = {"kubeconfig": str(tmp_path / "kubeconfig"), "context": "test", "owned": True}
    run = {"seed": 1, "namespace": api_objects.NAMESPACE, "started_monotonic_ns": 0, "cluster": where}
    evidence.write_json(tmp_path / "run.json", run)
    monkeypatch.setenv(RUN_DIR, str(tmp_path))
    monkeypatch.setattr(probes, "LOOK_EVERY_S", 0.02)
    with api_server.serving(tmp_path, made):
        yield made


def test_the_stack_is_ready_when_every_deployment_is(cluster: Cluster) -> None:
    """One replica too few, and the gate stays shut."""
    assert not probes.stack_is_ready()
    cluster.put(DEPLOYMENTS, api_objects.deployment("llm-inference", wanted=3, ready=3))
    assert probes.stack_is_ready()
    # Not of the stack, though beside it.
    cluster.put(DEPLOYMENTS, api_objects.deployment("redis", wanted=1, ready=0))
    assert probes.stack_is_ready()


def test_no_stack_is_not_a_ready_one(cluster: Cluster) -> None:
    """Nothing found is never a pass."""
    for app in ("llm-api", "llm-inference"):
        cluster.delete(DEPLOYMENTS, app)
    assert not probes.stack_is_ready()


def test_hold_ends_when_the_stack_is_complete(cluster: Cluster) -> None:
    """It does not last to its limit, and says what it saw."""
    cluster.put(DEPLOYMENTS, api_objects.deployment("llm-inference", wanted=3, ready=3))

    held = probes.hold(s_min=0.05, s_max=60)

    assert 0.05 <= held["held_s"] < 5
    assert held["complete"]
    assert held["deployments"] == {"llm-api": "2 of 2 ready", "llm-inference": "3 of 3 ready"}


def test_hold_ends_at_its_limit(cluster: Cluster) -> None:
    """A stack that does not come back is not waited for, and is reported, not raised."""
    held = probes.hold(s_min=0, s_max=0.05)

    assert held["held_s"] >= 0.05
    assert not held["complete"]
    assert held["deployments"]["llm-inference"] == "2 of 3 ready"
    assert cluster.asked


def test_hold_survives_an_api_server_that_refuses(cluster: Cluster) -> None:
    """Silence is what was last seen: incomplete, of nothing."""
    cluster.refuses.add(DEPLOYMENTS)

    held = probes.hold(s_min=0, s_max=0.05)

    assert (held["complete"], held["deployments"]) == (False, {})


def test_hold_ends_at_its_limit_when_the_api_server_hangs(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that takes a question and says nothing is waited for no longer than the hold may last."""
    limits_s: list[float] = []

    def hang(_: Api, *, namespace: str, limit_s: float) -> list[Deployment]:
        assert namespace == api_objects.NAMESPACE
        limits_s.append(limit_s)
        raise ClusterError("the API server did not answer")

    monkeypatch.setattr(reads, "deployments", hang)
    held = probes.hold(s_min=0.2, s_max=0.2)

    assert (held["complete"], held["deployments"]) == (False, {})
    assert max(limits_s) <= 0.2
    assert cluster.asked == []


def test_an_engine_that_does_not_say_is_not_counted_as_idle(cluster: Cluster) -> None:
    """Streams in flight are None for a pod without an answer, and what its batch holds for the others."""
    for name in ("busy", "mute", "odd"):
        cluster.put(PODS, api_objects.pod(name))
    cluster.metrics["busy"] = engine_metrics(running=4, waiting=2)
    cluster.metrics["odd"] = "up 1\n"

    with active_run() as run:
        engines = reads.pods(run.api, namespace=run.namespace)
        streams = probes.streams_in_flight(run.api, engines)
        busy = probes.engine_load(run.api, engines[0])

    assert streams == {"busy": 4, "mute": None, "odd": None}
    assert busy == probes.EngineLoad(running=4, waiting=2)
