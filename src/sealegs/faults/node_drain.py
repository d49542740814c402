"""Draining a GPU node that is serving streams: cordon, then evict everything that a drain evicts."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sealegs import evidence
from sealegs.active import ActiveRun, active_run
from sealegs.drain import Plan, plan
from sealegs.errors import ClusterError
from sealegs.faults.eviction import evict_all
from sealegs.kube import acts, reads
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod
from sealegs.probes import ENGINES, streams_in_flight
from sealegs.waiting import TIMEOUTS, wait_until

FAULT = "node_drain"
OPT_IN = "sealegs/allow-faults"
LOOK_EVERY_S = 0.2

Record = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Aim:
    """A node that is to be drained, what a drain does there, and how many streams it serves."""

    node: str
    plan: Plan[Pod]
    pods: tuple[str, ...]
    streams: int = 0

    @property
    def target(self) -> dict[str, Any]:
        """What the timeline says of it: the node, and the stack's pods that have to leave."""
        return {"node": self.node, "pods": list(self.pods)}


def inject(*, streams_min: int = 3, drain_limit_s: float = 60.0, node: str = "") -> dict[str, Any]:
    """Drain one node with GPUs as soon as `streams_min` streams are in flight on it; returns what was done.

    The seed picks it among those that serve streams now, unless `node` names one.

    Raises:
        ClusterError: nothing can be drained, or an eviction failed for good.
        TimeoutError: too few streams came, or pods were left on the node after `drain_limit_s`.
    """
    with active_run() as run:
        aim = arm(run, streams_min=int(streams_min), node=node)
        evidence.record_undo(run.run_dir, fault=FAULT, action="uncordon", args={"node": aim.node})
        note_injected(run, aim)
        acts.cordon(run.api, aim.node)
        evictions = evict_all(run, aim.plan.evict, node=aim.node, limit_s=float(drain_limit_s))
        refused = {one.pod: one.refused for one in evictions}
        return {**aim.target, "streams": aim.streams, "refused": refused, "skipped": dict(aim.plan.skipped)}


def landed(*, limit_s: float = 10.0) -> dict[str, Any]:
    """The recorder saw the node cordoned and each of the target's pods deleted, since injection.

    Raises:
        TimeoutError: it did not within `limit_s`: begins with ``fault did not land``.
        ClusterError: nothing was injected: begins likewise.
    """
    with active_run() as run:
        injected = _injected(run)
        if injected is None:
            raise ClusterError("fault did not land: nothing was injected")
        try:
            seen = wait_until(
                lambda: _seen_since(injected, _timeline(run)),
                ready=lambda seen: seen["unschedulable"] and not seen["pods_left"],
                limit_s=float(limit_s),
                every_s=LOOK_EVERY_S,
                what=f"the recorder to see {injected['target']['node']} cordoned and its pods deleted",
            )
        except TimeoutError as unseen:
            raise TimeoutError(f"fault did not land: {unseen}") from unseen
        _note(run, "landed", target=injected["target"], witness=seen)
        return seen


def undo() -> str:
    """Every undo of this fault that is still open in the run is done; says what that was. Safe to repeat."""
    with active_run() as run:
        undos = _open_undos(run)
        told = []
        for one in undos:
            told.append(undo_one(run.api, one))
            evidence.mark_undone(run.run_dir, one.id)
        if not undos:
            return "nothing to undo: no drain of this run is open"
        done = ", ".join(told)
        injected = _injected(run)
        target = injected["target"] if injected else {"node": undos[0].args["node"], "pods": []}
        _note(run, "undone", target=target, detail=done)
        return done


def undo_one(api: Api, undo: evidence.Undo) -> str:
    """Do one undo that was written down; says what was done. Safe to repeat."""
    if undo.action not in UNDOS:
        raise ClusterError(f"undo {undo.id}: nobody here knows how to {undo.action!r}")
    return UNDOS[undo.action](api, undo.args)


def gone(*, limit_s: float = 30.0) -> str:
    """The node takes pods again, by the recorder's last word and by a fresh read. A sentence about it.

    Where nothing was changed, nothing has to go, and nothing is noted.

    Raises:
        ClusterError: the drain was not undone.
        TimeoutError: the node did not come back within `limit_s`.
    """
    with active_run() as run:
        if _open_undos(run):
            raise ClusterError("fault is not gone: its undo has not been done; `sealegs heal` does it")
        undone = _last(run, "undone")
        if undone is None:
            return "nothing is gone: nothing was changed"
        node = undone["target"]["node"]
        seen = wait_until(
            lambda: _back(run, node),
            ready=lambda seen: seen["recorded_schedulable"] and seen["schedulable"] and seen["ready"],
            limit_s=float(limit_s),
            every_s=LOOK_EVERY_S,
            what=f"node {node} to be ready and schedulable again",
        )
        _note(run, "gone", target=undone["target"], witness=seen)
        return f"{node} is ready and schedulable again"


def arm(run: ActiveRun, *, streams_min: int, node: str) -> Aim:
    """Pick the node, note the fault as armed, and return when enough streams are in flight on it.

    Raises:
        ClusterError: no node can be drained, or this one cannot; says why.
        TimeoutError: too few streams came within ``Timeouts.streams_in_flight_s``.
    """
    candidates = _candidates(run, node=node)
    chosen = node or _busy(run, candidates)
    armed = _aim(run, chosen)
    _note(run, "armed", target=armed.target, detail=f"waiting for {streams_min} streams in flight on it")
    engines = candidates[chosen]
    streams = wait_until(
        lambda: streams_in_flight(run.api, engines),
        ready=lambda streams: sum(filter(None, streams.values())) >= streams_min,
        limit_s=TIMEOUTS.streams_in_flight_s,
        every_s=LOOK_EVERY_S,
        what=f"{streams_min} streams in flight on {chosen}",
    )
    # Pods may have come and gone meanwhile: what is evicted is what is there now.
    return _aim(run, chosen, streams=sum(filter(None, streams.values())))


def note_injected(run: ActiveRun, aim: Aim) -> None:
    """Note the moment from which the fault counts as injected: right before the first change."""
    told = f"{aim.streams} streams in flight; {len(aim.plan.evict)} pods to evict"
    _note(run, "injected", target=aim.target, detail=f"{told}, {len(aim.plan.skipped)} left alone")


def _candidates(run: ActiveRun, *, node: str) -> dict[str, list[Pod]]:
    """Node → its ready engines, for the nodes that a drain can be aimed at: only `node` if it names one."""
    there = {one.name: one for one in reads.nodes(run.api)}
    found: dict[str, list[Pod]] = {}
    for pod in reads.pods(run.api, namespace=run.namespace):
        if pod.app == ENGINES and pod.ready and not pod.deleting:
            found.setdefault(pod.node, []).append(pod)
    usable = {name for name, one in there.items() if one.gpus and one.ready and one.schedulable}
    # A node that somebody else has cordoned is not ours to open again.
    found = {name: engines for name, engines in found.items() if name in usable and node in {"", name}}
    if not found:
        which = f"node {node} is not one that" if node else f"none of {len(there)} nodes"
        raise ClusterError(
            f"nothing to drain: {which} has GPUs, is ready and not cordoned, and has a ready pod of {ENGINES}"
        )
    return found


def _busy(run: ActiveRun, candidates: Mapping[str, list[Pod]]) -> str:
    """A node that serves streams now: the first of an order that the seed alone decides."""
    order = sorted(candidates)
    random.Random(run.seed).shuffle(order)  # noqa: S311  a choice that can be repeated, not a secret
    streams = wait_until(
        lambda: {name: streams_in_flight(run.api, candidates[name]) for name in order},
        ready=lambda streams: any(any(pods.values()) for pods in streams.values()),
        limit_s=TIMEOUTS.streams_in_flight_s,
        every_s=LOOK_EVERY_S,
        what="a node that serves a stream",
    )
    return next(name for name in order if any(streams[name].values()))


def _aim(run: ActiveRun, node: str, *, streams: int = 0) -> Aim:
    """What a drain of a node would do now. ClusterError when it must not begin, or would move nothing."""
    pods = reads.pods(run.api, node=node)
    namespaces = (
        None if run.owned else {one for one in {pod.namespace for pod in pods} if _opted_in(run, one)}
    )
    drawn = plan(pods, namespaces=namespaces)
    if drawn.refusals:
        raise ClusterError(f"node {node} must not be drained: {'; '.join(drawn.refusals)}")
    ours = tuple(pod.name for pod in drawn.evict if pod.namespace == run.namespace)
    if not ours:
        raise ClusterError(f"a drain of node {node} would move no pod of namespace {run.namespace}")
    return Aim(node=node, plan=drawn, pods=ours, streams=streams)


def _opted_in(run: ActiveRun, namespace: str) -> bool:
    """Whether faults may touch a namespace."""
    return reads.namespace_labels(run.api, namespace).get(OPT_IN) == "true"


def _uncordon(api: Api, args: Record) -> str:
    acts.uncordon(api, args["node"])
    return f"uncordoned {args['node']}"


UNDOS = {"uncordon": _uncordon}


def _open_undos(run: ActiveRun) -> list[evidence.Undo]:
    """Undos of this fault that wait to be done, the newest first."""
    return [one for one in evidence.open_undos(run.run_dir) if one.fault == FAULT]


def _note(
    run: ActiveRun, state: str, *, target: Record, detail: str = "", witness: Record | None = None
) -> None:
    """Note that the fault has reached a state."""
    known = {"fault": FAULT, "state": state, "target": dict(target), "detail": detail}
    run.timeline.note("fault", **known, witness=dict(witness or {}))


def _timeline(run: ActiveRun) -> tuple[dict[str, Any], ...]:
    """What the timeline says so far, as it stands on disk."""
    return evidence.read_lines(run.run_dir / "timeline.jsonl").records


def _last(run: ActiveRun, state: str) -> dict[str, Any] | None:
    """The fault's last record in a state."""
    found = [one for one in _timeline(run) if one.get("fault") == FAULT and one.get("state") == state]
    return found[-1] if found else None


def _injected(run: ActiveRun) -> dict[str, Any] | None:
    return _last(run, "injected")


def _seen_since(injected: Record, timeline: tuple[Record, ...]) -> dict[str, Any]:
    """What the recorder, and nobody else, wrote about the target since injection."""
    target = injected["target"]
    since = [one for one in timeline if one["t_s"] >= injected["t_s"]]
    nodes = [one for one in since if one["kind"] == "node" and one["name"] == target["node"]]
    deleted = {one["name"] for one in since if one["kind"] == "pod" and one["event"] == "deleted"}
    return {
        "source": "recorder",
        "unschedulable": bool(nodes) and bool(nodes[-1]["unschedulable"]),
        "pods_left": [name for name in target["pods"] if name not in deleted],
    }


def _back(run: ActiveRun, name: str) -> dict[str, Any]:
    """Whether a node is back: the recorder's last word about it, and the API server's now."""
    words = [one for one in _timeline(run) if one["kind"] == "node" and one["name"] == name]
    node = reads.node(run.api, name)
    return {
        "source": "recorder and a fresh read",
        "recorded_schedulable": bool(words) and not words[-1]["unschedulable"],
        "schedulable": node.schedulable,
        "ready": node.ready,
    }
