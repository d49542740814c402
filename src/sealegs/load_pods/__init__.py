"""Load inside the cluster under test: Locust's master and workers in pods, apart from the fault's target."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sealegs import evidence, placement, rollout, stack_images
from sealegs.cluster import Cluster, ask, kubectl_of
from sealegs.cluster.command import run
from sealegs.errors import ClusterError
from sealegs.kube import reads
from sealegs.kube.api import Api
from sealegs.kube.objects import LOAD_POOL
from sealegs.load_pods import clocks, objects
from sealegs.load_pods.feed import Feed
from sealegs.load_pods.load import AT_ONCE, Standing
from sealegs.load_pods.presence import FAULT, REMOVE, clear, undo_one
from sealegs.scenario import Scenario
from sealegs.timeline import Timeline
from sealegs.waiting import wait_until

__all__ = ["FAULT", "clear", "stand_up", "undo_one"]

LOG = Path("logs", "load-pods.log")
READY_LIMIT_S = 120.0
LOOK_EVERY_S = 0.5
# For a pod whose runner and whose first process both failed to end it.
BEYOND_S = 900.0


def stand_up(
    cluster: Cluster, api: Api, run_dir: Path, *, scenario: Scenario, api_key: str, timeline: Timeline
) -> Standing:
    """The load pods run, it is noted where, and their clocks are known; nothing is sent yet.

    How to remove them is on disk before the first is made.

    Raises:
        ClusterError: no node is fit for load, or an object was refused.
        TimeoutError: they did not run in time; says what each waits for.
    """
    nodes = placement.places(reads.nodes(api), avoid=_aimed_at(scenario))
    if not nodes:
        raise ClusterError(
            f"{api.where}: no node is fit for load: ready, open to pods, without GPUs and not the fault's "
            f"target; `kubectl label node NAME {LOAD_POOL}=true` makes one so"
        )
    clear(api)
    text = objects.text_of(
        cluster,
        image=stack_images.ensure_load(cluster, nodes=nodes) or objects.IMAGE,
        api_key=api_key,
        workers=scenario.traffic.processes,
        nodes=nodes,
        limit_s=scenario.phases.duration_s + BEYOND_S,
    )
    undo_id = evidence.record_undo(run_dir, fault=FAULT, action=REMOVE, args={"namespace": objects.NAMESPACE})
    run(kubectl_of(cluster, "create", "--filename", "-"), log=run_dir / LOG, stdin=text.encode())
    feeds = _followed(cluster, api, run_dir, workers=scenario.traffic.processes)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        offsets = tuple(pool.map(lambda feed: clocks.measure(api, feed.pod), feeds))
    for feed, offset in zip(feeds, offsets, strict=True):
        timeline.note("load_pod", name=feed.pod.name, node=feed.pod.node, **offset.told())
    return Standing(api, run_dir, feeds, offsets, undo_id)


def _aimed_at(scenario: Scenario) -> Sequence[str]:
    """The node that the experiment is told to aim at, if it is told one."""
    named = str(scenario.experiment_vars.get("node", ""))
    return [named] if named else []


def _followed(cluster: Cluster, api: Api, run_dir: Path, *, workers: int) -> tuple[Feed, ...]:
    """The pods once all of them run, the master first."""
    wait_until(
        lambda: list(rollout.problems(_listed(cluster))),
        ready=lambda problems: not problems,
        limit_s=READY_LIMIT_S,
        every_s=LOOK_EVERY_S,
        what="the load pods to run",
    )
    there = {pod.name: pod for pod in reads.pods(api, namespace=objects.NAMESPACE)}
    return tuple(Feed(api, there[name], run_dir=run_dir) for name in objects.names(workers))


def _listed(cluster: Cluster) -> Sequence[Mapping[str, Any]]:
    """The load pods, which `kubectl create` has made, as the API server has them."""
    listed = ask(cluster, "get", "pods", "--namespace", objects.NAMESPACE, "--output", "json")
    items: list[Mapping[str, Any]] = json.loads(listed)["items"]
    return items
