"""Losing a GPU node that is serving streams, as when its power fails: nothing on it says goodbye.

A node of the cluster made here is a container of this machine, under the node's name; killing that is a power
cut. With Kubernetes' defaults the control plane takes 40-55 s to notice: the node's lease has to grow old.
Until then it says what the node told it last: what counts is what was told since the power came back.
"""

from datetime import datetime
from typing import Any

from sealegs import evidence
from sealegs.active import ActiveRun, active_run
from sealegs.cluster.command import output
from sealegs.errors import ClusterError
from sealegs.faults import states, targets
from sealegs.kube import acts, reads
from sealegs.kube.api import Api
from sealegs.waiting import wait_until

FAULT = "node_loss"
BACK_LIMIT_S = 45.0
LOOK_EVERY_S = 0.2
MACHINE = "{{.State.Running}} {{.State.StartedAt}}"


def inject(*, streams_min: int = 3, node: str = "") -> dict[str, Any]:
    """Power one node with GPUs off as soon as `streams_min` streams are in flight on it.

    The seed picks it among those that serve streams now, unless `node` names one.

    Raises:
        ClusterError: the cluster was not made here, there is no such node, or Docker failed.
        TimeoutError: too few streams came.
    """
    with active_run() as run:
        target, streams = arm(run, streams_min=int(streams_min), node=node)
        args = {"node": target["node"], "namespace": run.namespace}
        evidence.record_undo(run.run_dir, fault=FAULT, action="start", args=args)
        note_injected(run, target, streams=streams)
        _docker("kill", target["node"])
        return {**target, "streams": streams}


def landed(*, limit_s: float = 75.0) -> dict[str, Any]:
    """The recorder saw the node not ready, a fresh read has it so, and the machine is off.

    Raises:
        TimeoutError: not within `limit_s`: begins with ``fault did not land``.
        ClusterError: nothing was injected: begins likewise.
    """
    return states.landed(
        FAULT,
        look=_seen,
        ready=lambda seen: seen["recorded_ready"] is False and not seen["ready"] and not seen["running"],
        limit_s=float(limit_s),
        what=lambda target: f"node {target['node']} lost",
    )


def undo() -> str:
    """The node is powered on again, and ready. Safe to repeat."""
    with active_run() as run:
        return states.undo(run, FAULT, undo_one)


def undo_one(api: Api, undo: evidence.Undo) -> str:
    """Power the node on and wait for it with its GPUs; says so. Safe to repeat.

    A kubelet that is back before its device plug-in rejects the pods that had GPUs. They have failed for good
    and are replaced, but nobody collects them, and the next run would wait for them: they are deleted.

    Raises:
        ClusterError: Docker failed, or the undo is not one of this fault's.
        TimeoutError: the node was not back within `BACK_LIMIT_S`.
    """
    args = states.only(undo, "start")
    name = args["node"]
    _docker("start", name)
    wait_until(
        lambda: _state(api, name),
        ready=_is_back,
        limit_s=BACK_LIMIT_S,
        every_s=LOOK_EVERY_S,
        what=f"node {name} to be ready, with its GPUs",
    )
    for pod in reads.pods(api, namespace=args["namespace"]):
        if pod.node == name and pod.finished:
            acts.delete_pod(api, pod, grace_s=0)
    return f"powered on {name}"


def gone(*, limit_s: float = 60.0) -> str:
    """The node is ready and has its GPUs again, by the recorder's last word and a fresh read. A sentence.

    Where nothing was changed, nothing has to go, and nothing is noted.

    Raises:
        ClusterError: the node was not powered on.
        TimeoutError: it did not come back within `limit_s`.
    """
    return states.gone(
        FAULT,
        look=_seen,
        # Without a word since, it was lost for too short a time to be seen, and the last is of a ready node.
        ready=lambda seen: seen["recorded_ready"] is not False and _is_back(seen),
        limit_s=float(limit_s),
        what=lambda target: f"node {target['node']} ready again, with its GPUs",
    )


def arm(run: ActiveRun, *, streams_min: int, node: str) -> tuple[dict[str, Any], int]:
    """Pick the node, note the fault as armed, and return when enough streams are in flight on it.

    Raises:
        ClusterError, TimeoutError: as `inject`.
    """
    if not run.owned:
        raise ClusterError("node_loss powers a machine off: it is done only to the cluster made here")
    candidates = targets.serving_nodes(run, node=node, to="power off")
    chosen = node or targets.busy(run, candidates)
    pods = [pod.name for pod in reads.pods(run.api, node=chosen) if pod.namespace == run.namespace]
    target = {"node": chosen, "pods": sorted(pods)}
    waiting = f"waiting for {streams_min} streams in flight on it"
    states.note(run, FAULT, "armed", target=target, detail=waiting)
    return target, targets.streams_on(run, candidates[chosen], least=streams_min, where=chosen)


def note_injected(run: ActiveRun, target: states.Record, *, streams: int) -> None:
    """Note the moment from which the fault counts as injected: right before the power goes."""
    told = f"{streams} streams in flight; {len(target['pods'])} pods on it"
    states.note(run, FAULT, "injected", target=target, detail=told)


def _seen(run: ActiveRun, struck: states.Record) -> dict[str, Any]:
    """The recorder's last word about the node since then, and how it is now."""
    name = struck["target"]["node"]
    records = states.timeline(run, since_s=struck["t_s"])
    words = [one for one in records if one["kind"] == "node" and one["name"] == name]
    return {
        "source": "recorder, a fresh read and Docker",
        "recorded_ready": words[-1]["ready"] if words else None,
        **_state(run.api, name),
    }


def _state(api: Api, name: str) -> dict[str, Any]:
    """What the API server says of a node, whether it was told so since the machine's start, and if it is on.

    A kubelet that starts tells it at once, in one patch: ready, GPUs and the time, by this machine's clock.
    Until the device plug-in is back that is no GPU (Kubernetes 1.37: ``kubelet_node_status.go``,
    ``devicemanager/manager.go``). Its lease says only that it runs, and its boot id is this machine's.
    """
    running, started_at = _docker("inspect", "--format", MACHINE, name).split()
    node, told_at = reads.told_node(api, name)
    return {
        "ready": node.ready,
        "gpus": node.gpus,
        "told_since_start": told_at is not None and told_at >= datetime.fromisoformat(started_at),
        "running": running == "true",
    }


def _is_back(seen: states.Record) -> bool:
    """Whether a node is on and, by what it told since it was powered on, ready with its GPUs."""
    return bool(seen["ready"] and seen["gpus"] and seen["told_since_start"] and seen["running"])


def _docker(*words: str) -> str:
    """What Docker says to a command about a node's container."""
    return output(["docker", *words])
