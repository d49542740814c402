"""Draining GPU nodes that are serving streams: cordon, then evict everything that a drain evicts.

Several nodes are drained at once, as two people do who do not know of each other: their pods' evictions are
asked for side by side, and it is the budgets that put them in turn.
"""

from dataclasses import dataclass
from typing import Any

from sealegs import evidence
from sealegs.active import ActiveRun, active_run
from sealegs.drain import Plan, plan
from sealegs.errors import ClusterError
from sealegs.faults import states, targets
from sealegs.faults.eviction import evict_all
from sealegs.kube import acts, reads
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod
from sealegs.kube.opt_in import opted_in

FAULT = "node_drain"


@dataclass(frozen=True, kw_only=True)
class Aim:
    """Nodes that are to be drained, what a drain does there, and how many streams they serve."""

    nodes: tuple[str, ...]
    plan: Plan[Pod]
    pods: tuple[str, ...]
    streams: int = 0

    @property
    def target(self) -> dict[str, Any]:
        """What the timeline says of it: the node or nodes, and the stack's pods that have to leave."""
        where = {"node": self.nodes[0]} if len(self.nodes) == 1 else {"nodes": list(self.nodes)}
        return {**where, "pods": list(self.pods)}

    @property
    def where(self) -> str:
        """The nodes in words."""
        return " and ".join(self.nodes)


def inject(
    *, streams_min: int = 3, drain_limit_s: float = 60.0, node: str = "", nodes: int = 1
) -> dict[str, Any]:
    """Drain nodes with GPUs, `nodes` of them, as soon as `streams_min` streams are in flight on them.

    The seed picks them, the first among those that serve streams now, unless `node` names that one.

    Raises:
        ClusterError: nothing can be drained, or an eviction failed for good.
        TimeoutError: too few streams came, or pods were left on a node after `drain_limit_s`.
    """
    with active_run() as run:
        aim = arm(run, streams_min=int(streams_min), node=node, nodes=int(nodes))
        for one in aim.nodes:
            evidence.record_undo(run.run_dir, fault=FAULT, action="uncordon", args={"node": one})
        note_injected(run, aim)
        for one in aim.nodes:
            acts.cordon(run.api, one)
        evictions = evict_all(run, aim.plan.evict, node=aim.where, limit_s=float(drain_limit_s))
        refused = {one.pod: one.refused for one in evictions}
        return {**aim.target, "streams": aim.streams, "refused": refused, "skipped": dict(aim.plan.skipped)}


def landed(*, limit_s: float = 10.0) -> dict[str, Any]:
    """The recorder saw every node cordoned and each of the target's pods deleted, since injection.

    Raises:
        TimeoutError: it did not within `limit_s`: begins with ``fault did not land``.
        ClusterError: nothing was injected: begins likewise.
    """
    return states.landed(
        FAULT,
        look=_seen,
        ready=lambda seen: seen["unschedulable"] and not seen["pods_left"],
        limit_s=float(limit_s),
        what=lambda target: f"{' and '.join(_nodes(target))} cordoned and without the stack's pods",
    )


def undo() -> str:
    """Every undo of this fault that is still open in the run is done; says what that was. Safe to repeat."""
    with active_run() as run:
        return states.undo(run, FAULT, undo_one)


def undo_one(api: Api, undo: evidence.Undo) -> str:
    """Do one undo that was written down; says what was done. Safe to repeat."""
    if undo.action not in UNDOS:
        raise ClusterError(f"undo {undo.id}: nobody here knows how to {undo.action!r}")
    return UNDOS[undo.action](api, undo.args)


def gone(*, limit_s: float = 30.0) -> str:
    """Every node takes pods again, by the recorder's last word and by a fresh read. A sentence about it.

    Where nothing was changed, nothing has to go, and nothing is noted.

    Raises:
        ClusterError: the drain was not undone.
        TimeoutError: a node did not come back within `limit_s`.
    """
    return states.gone(
        FAULT,
        look=_back,
        ready=lambda seen: seen["recorded_schedulable"] and seen["schedulable"] and seen["ready"],
        limit_s=float(limit_s),
        what=lambda target: f"{' and '.join(_nodes(target))} ready and schedulable again",
    )


def arm(run: ActiveRun, *, streams_min: int, node: str, nodes: int = 1) -> Aim:
    """Pick the nodes, note the fault as armed, and return when enough streams are in flight on them.

    Raises:
        ClusterError: no node can be drained, these cannot, or there are too few; says why.
        TimeoutError: too few streams came within ``Timeouts.streams_in_flight_s``.
    """
    candidates = targets.serving_nodes(run, node=node, to="drain")
    if nodes > 1:
        candidates = targets.serving_nodes(run, node="", to="drain")
    if nodes > len(candidates):
        raise ClusterError(f"{nodes} nodes are to be drained, and only {len(candidates)} can be")
    first = node or targets.busy(run, candidates)
    others = [one for one in targets.in_order(run, candidates) if one != first]
    chosen = (first, *others[: nodes - 1])
    armed = _aim(run, chosen)
    waiting = f"waiting for {streams_min} streams in flight on {armed.where}"
    states.note(run, FAULT, "armed", target=armed.target, detail=waiting)
    engines = [pod for one in chosen for pod in candidates[one]]
    streams = targets.streams_on(run, engines, least=streams_min, where=armed.where)
    # Pods may have come and gone meanwhile: what is evicted is what is there now.
    return _aim(run, chosen, streams=streams)


def note_injected(run: ActiveRun, aim: Aim) -> None:
    """Note the moment from which the fault counts as injected: right before the first change."""
    told = f"{aim.streams} streams in flight; {len(aim.plan.evict)} pods to evict"
    detail = f"{told}, {len(aim.plan.skipped)} left alone"
    states.note(run, FAULT, "injected", target=aim.target, detail=detail)


def _aim(run: ActiveRun, nodes: tuple[str, ...], *, streams: int = 0) -> Aim:
    """What a drain of nodes would do now. ClusterError when it must not begin, or would move nothing."""
    where = " and ".join(nodes)
    pods = [pod for node in nodes for pod in reads.pods(run.api, node=node)]
    there = {pod.namespace for pod in pods}
    namespaces = None if run.owned else {one for one in there if opted_in(run.api, one)}
    drawn = plan(pods, namespaces=namespaces)
    if drawn.refusals:
        raise ClusterError(f"node {where} must not be drained: {'; '.join(drawn.refusals)}")
    ours = tuple(pod.name for pod in drawn.evict if pod.namespace == run.namespace)
    if not ours:
        raise ClusterError(f"a drain of node {where} would move no pod of namespace {run.namespace}")
    return Aim(nodes=nodes, plan=drawn, pods=ours, streams=streams)


def _uncordon(api: Api, args: states.Record) -> str:
    acts.uncordon(api, args["node"])
    return f"uncordoned {args['node']}"


UNDOS = {"uncordon": _uncordon}


def _seen(run: ActiveRun, struck: states.Record) -> dict[str, Any]:
    """What the recorder, and nobody else, wrote about the target since injection."""
    target, since = struck["target"], states.timeline(run, since_s=struck["t_s"])
    last = {one["name"]: bool(one["unschedulable"]) for one in since if one["kind"] == "node"}
    deleted = {one["name"] for one in since if one["kind"] == "pod" and one["event"] == "deleted"}
    return {
        "source": "recorder",
        "unschedulable": all(last.get(node) for node in _nodes(target)),
        "pods_left": [name for name in target["pods"] if name not in deleted],
    }


def _back(run: ActiveRun, struck: states.Record) -> dict[str, Any]:
    """Whether the nodes are back: the recorder's last word about each, and the API server's now."""
    names = _nodes(struck["target"])
    last = {one["name"]: not one["unschedulable"] for one in states.timeline(run) if one["kind"] == "node"}
    nodes = [reads.node(run.api, name) for name in names]
    return {
        "source": "recorder and a fresh read",
        "recorded_schedulable": all(last.get(name) for name in names),
        "schedulable": all(node.schedulable for node in nodes),
        "ready": all(node.ready for node in nodes),
    }


def _nodes(target: states.Record) -> list[str]:
    """The nodes that a target names."""
    return [str(one) for one in target.get("nodes") or [target["node"]]]
