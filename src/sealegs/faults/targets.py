"""What a fault may be aimed at, and at which: one that serves streams now, picked by the seed alone."""

import random
from collections.abc import Iterable, Mapping, Sequence

from sealegs.active import ActiveRun
from sealegs.errors import ClusterError
from sealegs.kube import reads
from sealegs.kube.objects import Pod
from sealegs.probes import ENGINES, streams_in_flight
from sealegs.waiting import TIMEOUTS, wait_until

LOOK_EVERY_S = 0.2


def ready_engines(run: ActiveRun) -> list[Pod]:
    """The stack's engines that take requests."""
    pods = reads.pods(run.api, namespace=run.namespace)
    return [pod for pod in pods if pod.app == ENGINES and pod.ready and not pod.deleting]


def serving_nodes(run: ActiveRun, *, node: str, to: str) -> dict[str, list[Pod]]:
    """Node → its ready engines, for the nodes that a fault can be aimed at: only `node` if it names one.

    Raises:
        ClusterError: there is none; `to` is what cannot be done to it.
    """
    there = {one.name: one for one in reads.nodes(run.api)}
    found: dict[str, list[Pod]] = {}
    for pod in ready_engines(run):
        found.setdefault(pod.node, []).append(pod)
    usable = {name for name, one in there.items() if one.gpus and one.ready and one.schedulable}
    # A node that somebody else has cordoned is not ours to open again.
    found = {name: engines for name, engines in found.items() if name in usable and node in {"", name}}
    if not found:
        which = f"node {node} is not one that" if node else f"none of {len(there)} nodes"
        raise ClusterError(
            f"nothing to {to}: {which} has GPUs, is ready and not cordoned, and has a ready pod of {ENGINES}"
        )
    return found


def in_order(run: ActiveRun, candidates: Iterable[str]) -> list[str]:
    """Candidates in an order that the seed alone decides."""
    order = sorted(candidates)
    random.Random(run.seed).shuffle(order)  # noqa: S311  a choice that can be repeated, not a secret
    return order


def busy(run: ActiveRun, candidates: Mapping[str, Sequence[Pod]]) -> str:
    """A candidate whose engines serve streams now: the first `in_order`."""
    order = in_order(run, candidates)
    streams = wait_until(
        lambda: {name: streams_in_flight(run.api, candidates[name]) for name in order},
        ready=lambda streams: any(any(pods.values()) for pods in streams.values()),
        limit_s=TIMEOUTS.streams_in_flight_s,
        every_s=LOOK_EVERY_S,
        what="one that serves a stream",
    )
    return next(name for name in order if any(streams[name].values()))


def streams_on(run: ActiveRun, engines: Sequence[Pod], *, least: int, where: str) -> int:
    """How many streams are in flight on some engines, as soon as there are `least`.

    Raises:
        TimeoutError: too few came within ``Timeouts.streams_in_flight_s``.
    """
    streams = wait_until(
        lambda: streams_in_flight(run.api, engines),
        ready=lambda streams: sum(filter(None, streams.values())) >= least,
        limit_s=TIMEOUTS.streams_in_flight_s,
        every_s=LOOK_EVERY_S,
        what=f"{least} streams in flight on {where}",
    )
    return sum(filter(None, streams.values()))
