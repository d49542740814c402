"""Evictions as a drain asks for them: until they are granted, until the pods are gone, and no longer."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit import api_objects
from tests.unit.api_server import PODS
from tests.unit.drain_stage import Stage, staged

from sealegs import evidence
from sealegs.errors import ClusterError
from sealegs.faults import node_drain
from sealegs.kube import acts
from sealegs.kube.api import Answer, Api
from sealegs.kube.objects import Pod


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Three nodes with an engine each; that of worker-c serves nothing."""
    with staged(tmp_path, monkeypatch) as ready:
        yield ready


def test_refusals_are_retried_and_noted(stage: Stage) -> None:
    """A budget's 429 is asked again until it is granted; every answer is in the timeline with its budget."""
    stage.cluster.evictions["engine-a"] = [429, 429]

    done = node_drain.inject(streams_min=3, drain_limit_s=5, node="worker-a")

    answers = [(one["pod"], one["status"], one["pdb"]) for one in stage.timeline("eviction")]
    refused = ("engine-a", 429, "llm-inference")
    assert answers == [refused, refused, ("engine-a", 201, None)]
    assert done["refused"] == {"engine-a": 2}
    assert stage.cluster.get(f"{PODS}/engine-a") is None


def test_a_drain_that_is_never_granted_says_so(stage: Stage) -> None:
    """It ends at its limit with the pod's name, the number of refusals and the budget; others are gone."""
    stage.cluster.evictions["engine-b"] = [429] * 10_000

    with pytest.raises(
        TimeoutError, match=r"1 of 2 pods.* engine-b: \d+ evictions refused \(429\) by .*llm-inf"
    ):
        node_drain.inject(streams_min=3, drain_limit_s=0.05, node="worker-b")

    assert stage.cluster.get(f"{PODS}/door-b") is None
    assert len(evidence.open_undos(stage.run_dir)) == 1


def test_several_budgets_on_a_pod_end_the_drain_at_once(stage: Stage) -> None:
    """The API's 500 is final: it is not asked again, and its words are passed on."""
    stage.cluster.evictions["engine-a"] = [500]

    with pytest.raises(ClusterError, match=r"engine-a: eviction refused with 500: .* more than one"):
        node_drain.inject(streams_min=3, drain_limit_s=5, node="worker-a")

    assert [one["status"] for one in stage.timeline("eviction")] == [500]


def test_a_name_that_is_another_pods_is_left_in_peace(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod that was replaced under its own name is gone: its successor is not evicted for it."""
    stage.cluster.evictions["engine-a"] = [409]
    ask = acts.evict

    def replace_and_ask(api: Api, pod: Pod) -> Answer:
        successor = api_objects.pod("engine-a", on="worker-b")
        successor["metadata"]["uid"] = "uid-successor"
        stage.cluster.put(PODS, successor)
        return ask(api, pod)

    monkeypatch.setattr(acts, "evict", replace_and_ask)
    node_drain.inject(streams_min=3, drain_limit_s=5, node="worker-a")

    assert [one["status"] for one in stage.timeline("eviction")] == [409]


def test_a_drain_waits_for_pods_to_end(stage: Stage) -> None:
    """An eviction that was granted is not enough: while the pod is there, the drain is not done."""
    stage.cluster.stubborn.add("engine-a")

    with pytest.raises(TimeoutError, match="engine-a: eviction granted, but its containers have not ended"):
        node_drain.inject(streams_min=3, drain_limit_s=0.05, node="worker-a")


def test_an_interrupted_drain_stops_asking(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever interrupts it gets on at once with its rollback, and no pod is evicted behind its back."""
    stage.cluster.evictions["engine-a"] = [429] * 10_000
    ask, ours = acts.evict, os.getpid()

    def ask_and_interrupt(api: Api, pod: Pod) -> Answer:
        if not stage.timeline("eviction"):
            os.kill(ours, signal.SIGINT)
        return ask(api, pod)

    monkeypatch.setattr(acts, "evict", ask_and_interrupt)
    # A shell has its background jobs ignore SIGINT, and Python inherits that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            node_drain.inject(streams_min=3, drain_limit_s=3, node="worker-a")
    finally:
        signal.signal(signal.SIGINT, before)

    assert len(stage.timeline("eviction")) <= 10
    assert node_drain.undo() == "uncordoned worker-a"
