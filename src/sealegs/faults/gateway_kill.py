"""Killing a pod of the gateway: every stream that passes through it ends where it is.

With one gateway nobody can connect until its replacement is ready; with several, the others take what is new.
"""

from typing import Any

from sealegs import evidence
from sealegs.active import ActiveRun, active_run
from sealegs.errors import ClusterError
from sealegs.faults import services, states, targets
from sealegs.kube import acts, reads
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod
from sealegs.stack_shape import GATEWAY
from sealegs.waiting import wait_until

FAULT = "gateway_kill"
WHOLE_LIMIT_S = 60.0
LOOK_EVERY_S = 0.2


def inject(*, streams_min: int = 3, pod: str = "") -> dict[str, Any]:
    """Delete one pod of the gateway without grace as soon as `streams_min` streams are in flight.

    The seed picks it, unless `pod` names one.

    Raises:
        ClusterError: there is no ready gateway, none of that name, or its namespace has not opted in.
        TimeoutError: too few streams came.
    """
    with active_run() as run:
        victim, streams = arm(run, streams_min=int(streams_min), pod=pod)
        args = {"namespace": victim.namespace, "replicas": len(_pods(run.api, victim.namespace))}
        evidence.record_undo(run.run_dir, fault=FAULT, action="await", args=args)
        note_injected(run, victim, streams=streams)
        acts.delete_pod(run.api, victim, grace_s=0)
        return {**_target(victim), "streams": streams}


def landed(*, limit_s: float = 10.0) -> dict[str, Any]:
    """The recorder saw the pod leave the gateway's service, and a fresh read finds it no more.

    Raises as `states.landed` does.
    """
    return states.landed(
        FAULT,
        look=_seen,
        ready=lambda seen: seen["recorded_left"] and not seen["there"],
        limit_s=float(limit_s),
        what=lambda target: f"pod {target['pods'][0]} gone",
    )


def undo() -> str:
    """The gateway's replacement is ready, which is all that can be undone of a kill. Safe to repeat."""
    with active_run() as run:
        return states.undo(run, FAULT, undo_one)


def undo_one(api: Api, undo: evidence.Undo) -> str:
    """Wait until the gateway has as many ready pods as it had; says so.

    Raises:
        ClusterError: the undo is not one of this fault's.
        TimeoutError: it had not within `WHOLE_LIMIT_S`.
    """
    args = states.only(undo, "await")
    pods = wait_until(
        lambda: _pods(api, args["namespace"]),
        ready=lambda pods: len(pods) >= args["replicas"],
        limit_s=WHOLE_LIMIT_S,
        every_s=LOOK_EVERY_S,
        what=f"{args['replicas']} ready pods of the gateway",
    )
    return f"{len(pods)} of {args['replicas']} pods of the gateway are ready"


def gone(*, limit_s: float = 30.0) -> str:
    """Behind the gateway's service the recorder saw the very pods that a fresh read has ready. A sentence.

    Where nothing was changed nothing has to go; raises as `states.gone` does.
    """
    return states.gone(
        FAULT,
        look=_seen,
        ready=lambda seen: seen["pods"] and seen["recorded_ready"] == seen["pods"],
        limit_s=float(limit_s),
        what=lambda target: f"the gateway whole without {target['pods'][0]}",
    )


def arm(run: ActiveRun, *, streams_min: int, pod: str) -> tuple[Pod, int]:
    """Pick the gateway's pod, note the fault as armed, and return when enough streams are in flight.

    Raises:
        ClusterError, TimeoutError: as `inject`.
    """
    namespace = run.api.shape.gateway.namespace
    services.require_opt_in(run, namespace)
    there = {name: one for name, one in _pods(run.api, namespace).items() if pod in {"", name}}
    if not there:
        named = f" is named {pod}" if pod else ""
        raise ClusterError(f"nothing to kill: no ready pod of the gateway in {namespace}{named}")
    victim = there[targets.in_order(run, there)[0]]
    return victim, services.arm(run, FAULT, target=_target(victim), streams_min=streams_min)


def note_injected(run: ActiveRun, victim: Pod, *, streams: int) -> None:
    """Note the moment from which the fault counts as injected: right before the kill."""
    states.note(run, FAULT, "injected", target=_target(victim), detail=f"{streams} streams in flight")


def _target(victim: Pod) -> dict[str, Any]:
    """What the timeline says of the target: the pod, through which every stream passes, or many do."""
    return {"pods": [victim.name], "uid": victim.uid, "every_stream": True}


def _seen(run: ActiveRun, injected: states.Record) -> dict[str, Any]:
    """Who is behind the gateway's service, by the recorder since injection, and who is ready or there now."""
    (name,), uid = injected["target"]["pods"], injected["target"]["uid"]
    gateway = run.api.shape.gateway
    recorded = services.recorded(run, gateway.service, since_s=injected["t_s"])
    return {
        "source": "recorder and a fresh read",
        "recorded_ready": recorded,
        "recorded_left": recorded is not None and name not in recorded,
        "there": any(pod.uid == uid for pod in reads.pods(run.api, namespace=gateway.namespace)),
        "pods": sorted(_pods(run.api, gateway.namespace)),
    }


def _pods(api: Api, namespace: str) -> dict[str, Pod]:
    """Name → pod of each of the gateway's that is ready and stays."""
    pods = reads.pods(api, namespace=namespace)
    return {pod.name: pod for pod in pods if pod.app == GATEWAY and pod.ready and not pod.deleting}
