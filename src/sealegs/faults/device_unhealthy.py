"""A GPU that fails under an engine that is serving: its node has one less to give, what runs on it runs on.

As on a critical XID error: the device plugin calls it unhealthy, and the kubelet takes it out of what can be
allocated. It evicts nobody for it. The simulated GPUs of the cluster made here are marked so in their plugin.
"""

from dataclasses import dataclass
from typing import Any

from sealegs import evidence
from sealegs.active import ActiveRun, active_run
from sealegs.errors import ClusterError
from sealegs.faults import engines, states
from sealegs.kube import exec as kube_exec
from sealegs.kube import reads
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod

FAULT = "device_unhealthy"
HEAL = "heal"
PLUGIN, PLUGIN_NAMESPACE = "device-plugin", "kube-system"
MARK_LIMIT_S = 15.0


@dataclass(frozen=True, kw_only=True)
class Aim:
    """The engine whose GPU is to fail, that GPU, and how many its node has to give before."""

    victim: Pod
    device: str
    gpus: int
    streams: int


def inject(*, streams_min: int = 3, pod: str = "") -> dict[str, Any]:
    """Mark the GPU of one engine as unhealthy as soon as `streams_min` streams are in flight on it.

    The seed picks it among those that serve streams now, unless `pod` names one.

    Raises:
        ClusterError: there is no such engine, it has no GPU, or its node's device plugin is not ours.
        TimeoutError: too few streams came.
    """
    with active_run() as run:
        aim = arm(run, streams_min=int(streams_min), pod=pod)
        args = {"node": aim.victim.node, "device": aim.device}
        evidence.record_undo(run.run_dir, fault=FAULT, action=HEAL, args=args)
        note_injected(run, aim)
        _mark(run.api, "unhealthy", **args)
        return {**engines.target_of(aim.victim), **args, "streams": aim.streams}


def landed(*, limit_s: float = 15.0) -> dict[str, Any]:
    """The kubelet has one GPU less to give than before, by the recorder's word of the node and a fresh read.

    Raises:
        TimeoutError: not within `limit_s`: begins with ``fault did not land``.
        ClusterError: nothing was injected: begins likewise.
    """
    return states.landed(
        FAULT,
        look=_seen,
        ready=lambda seen: seen["recorded_gpus"] == seen["gpus"] == seen["before"] - 1,
        limit_s=float(limit_s),
        what=lambda target: f"the node of {target['pods'][0]} with one GPU less to give",
    )


def undo() -> str:
    """The GPU is healthy again. Safe to repeat."""
    with active_run() as run:
        return states.undo(run, FAULT, undo_one)


def undo_one(api: Api, undo: evidence.Undo) -> str:
    """Mark the GPU as healthy; says which. Safe to repeat.

    Raises:
        ClusterError: the node's device plugin did not take it, or the undo is not one of this fault's.
    """
    args = states.only(undo, HEAL)
    _mark(api, "healthy", **args)
    return f"{args['device']} of {args['node']} is healthy"


def gone(*, limit_s: float = 30.0) -> str:
    """The kubelet has as many GPUs to give as before, by the recorder's word and a fresh read. A sentence.

    Where nothing was changed, nothing has to go, and nothing is noted.

    Raises:
        ClusterError: the GPU was not marked as healthy.
        TimeoutError: that was not seen within `limit_s`.
    """
    return states.gone(
        FAULT,
        look=_seen,
        ready=lambda seen: seen["recorded_gpus"] in {None, seen["gpus"]} and seen["gpus"] >= seen["before"],
        limit_s=float(limit_s),
        what=lambda target: f"the node of {target['pods'][0]} with all its GPUs to give",
    )


def arm(run: ActiveRun, *, streams_min: int, pod: str) -> Aim:
    """Pick the engine, find its GPU, and return when enough streams are in flight on it.

    Raises:
        ClusterError, TimeoutError: as `inject`.
    """
    victim, streams = engines.arm(run, FAULT, streams_min=streams_min, pod=pod, to="take a GPU from")
    _plugin(run.api, victim.node)
    names = kube_exec.output(
        run.api, victim, ["printenv", "NVIDIA_VISIBLE_DEVICES"], limit_s=MARK_LIMIT_S
    ).strip()
    gpus = reads.node(run.api, victim.node).gpus
    return Aim(victim=victim, device=names.split(",")[0], gpus=gpus, streams=streams)


def note_injected(run: ActiveRun, aim: Aim) -> None:
    """Note the moment from which the fault counts as injected: right before the GPU is marked."""
    known = {"node": aim.victim.node, "device": aim.device, "gpus": aim.gpus}
    target, detail = engines.target_of(aim.victim), f"{aim.streams} streams in flight on {aim.device}"
    states.note(run, FAULT, "injected", target=target, detail=detail, witness=known)


def _mark(api: Api, health: str, *, node: str, device: str) -> None:
    """Have a node's device plugin call a GPU healthy or unhealthy."""
    argv = ["device-plugin", "mark", device, health]
    kube_exec.output(api, _plugin(api, node), argv, limit_s=MARK_LIMIT_S)


def _plugin(api: Api, node: str) -> Pod:
    """The device plugin of the cluster made here, on a node. ClusterError when there is none that runs."""
    pods = reads.pods(api, namespace=PLUGIN_NAMESPACE, node=node)
    found = next((one for one in pods if one.app == PLUGIN and one.ready), None)
    if found is None:
        raise ClusterError(f"no pod {PLUGIN} of {PLUGIN_NAMESPACE} is ready on {node}: its GPUs are not ours")
    return found


def _seen(run: ActiveRun, injected: states.Record) -> dict[str, Any]:
    """How many GPUs the target's node has to give: the recorder's last word since then, and a fresh read."""
    name = injected["witness"]["node"]
    records = states.timeline(run, since_s=injected["t_s"])
    words = [one["gpus_allocatable"] for one in records if one["kind"] == "node" and one["name"] == name]
    return {
        "source": "recorder and a fresh read",
        "node": name,
        "before": injected["witness"]["gpus"],
        "recorded_gpus": words[-1] if words else None,
        "gpus": reads.node(run.api, name).gpus,
    }
