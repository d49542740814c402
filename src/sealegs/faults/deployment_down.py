"""A deployment beside the stack scaled to nothing, as the one that steers the mesh or serves the metrics.

What it steers keeps what it was last told. Whether that is enough is the claim.
"""

from dataclasses import dataclass
from typing import Any

from sealegs import evidence
from sealegs.active import ActiveRun, active_run
from sealegs.errors import ClusterError
from sealegs.faults import services, states
from sealegs.kube import acts, reads
from sealegs.kube.api import Api
from sealegs.recorder import AROUND
from sealegs.waiting import wait_until

FAULT = "deployment_down"
WHOLE_LIMIT_S = 60.0
LOOK_EVERY_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Aim:
    """A deployment that is to be scaled to nothing, the replicas that it has, and the streams in flight."""

    target: dict[str, Any]
    replicas: int
    streams: int


def inject(*, namespace: str, deployment: str, service: str = "", streams_min: int = 3) -> dict[str, Any]:
    """Scale a deployment to nothing as soon as `streams_min` streams are in flight.

    `service` is the one that it is behind; by default of the same name.

    Raises:
        ClusterError: there is no such deployment, it wants nothing, nobody watches it, or its namespace has
            not opted in.
        TimeoutError: too few streams came.
    """
    with active_run() as run:
        aim = arm(
            run, namespace=namespace, deployment=deployment, service=service, streams_min=int(streams_min)
        )
        args = {"namespace": namespace, "deployment": deployment, "replicas": aim.replicas}
        evidence.record_undo(run.run_dir, fault=FAULT, action="scale", args=args)
        note_injected(run, aim)
        acts.scale(run.api, deployment, namespace=namespace, replicas=0)
        return {**aim.target, "streams": aim.streams}


def landed(*, limit_s: float = 45.0) -> dict[str, Any]:
    """The recorder saw nobody ready behind the service, and a fresh read finds no pod of the deployment.

    Raises as `states.landed` does.
    """
    return states.landed(
        FAULT,
        look=_seen,
        ready=lambda seen: seen["recorded_ready"] == [] and not seen["pods"],
        limit_s=float(limit_s),
        what=lambda target: f"{target['namespace']}/{target['deployment']} without a pod",
    )


def undo() -> str:
    """The deployment has the replicas again that it had. Safe to repeat."""
    with active_run() as run:
        return states.undo(run, FAULT, undo_one)


def undo_one(api: Api, undo: evidence.Undo) -> str:
    """Scale the deployment to what it had and wait until that is ready; says so. Safe to repeat.

    Raises:
        ClusterError: the deployment is gone, or the undo is not one of this fault's.
        TimeoutError: it was not ready within `WHOLE_LIMIT_S`.
    """
    args = states.only(undo, "scale")
    deployment, namespace = args["deployment"], args["namespace"]
    acts.scale(api, deployment, namespace=namespace, replicas=args["replicas"])
    wait_until(
        lambda: reads.deployment(api, deployment, namespace=namespace),
        ready=lambda found: found.complete,
        limit_s=WHOLE_LIMIT_S,
        every_s=LOOK_EVERY_S,
        what=f"every replica of {namespace}/{deployment} to be ready",
    )
    return f"scaled {namespace}/{deployment} to {args['replicas']} again"


def gone(*, limit_s: float = 30.0) -> str:
    """The recorder saw somebody ready behind the service again, and a fresh read every replica. A sentence.

    Where nothing was changed nothing has to go; raises as `states.gone` does.
    """
    return states.gone(
        FAULT,
        look=_seen,
        ready=lambda seen: seen["recorded_ready"] and seen["whole"],
        limit_s=float(limit_s),
        what=lambda target: f"{target['namespace']}/{target['deployment']} whole, and behind its service",
    )


def arm(run: ActiveRun, *, namespace: str, deployment: str, service: str, streams_min: int) -> Aim:
    """Find the deployment, note the fault as armed, and return when enough streams are in flight.

    Raises:
        ClusterError, TimeoutError: as `inject`.
    """
    services.require_opt_in(run, namespace)
    replicas = reads.deployment(run.api, deployment, namespace=namespace).wanted
    if not replicas:
        raise ClusterError(f"nothing to scale down: {namespace}/{deployment} wants no replica")
    named = {"namespace": namespace, "deployment": deployment, "service": service or deployment}
    _require_watched(run, **named)
    target = {**named, "every_stream": True}
    streams = services.arm(run, FAULT, target=target, streams_min=streams_min)
    return Aim(target=target, replicas=replicas, streams=streams)


def note_injected(run: ActiveRun, aim: Aim) -> None:
    """Note the moment from which the fault counts as injected: right before the scaling."""
    detail = f"{aim.streams} streams in flight; {aim.replicas} replicas to take away"
    states.note(run, FAULT, "injected", target=aim.target, detail=detail)


def _require_watched(run: ActiveRun, *, namespace: str, deployment: str, service: str) -> None:
    """The recorder has the deployment's pods behind the service, and so will see them go.

    Raises:
        ClusterError: nobody is ready there, others are too, or it is not watched; says what is.
    """
    ready = services.recorded(run, service, since_s=0.0) or []
    # Records of a service do not say where it is: one of that name may be another's.
    own = {pod.name for pod in reads.pods_of(run.api, deployment, namespace=namespace)}
    if not ready or not own.issuperset(ready):
        watched = sorted({run.namespace, run.api.shape.gateway.namespace, *AROUND})
        raise ClusterError(
            f"nobody would see {namespace}/{deployment} go: behind service {service} the recorder has "
            f"{', '.join(ready) or 'nobody'} ready, and needs its pods alone; watched are the services of "
            f"{', '.join(watched)}"
        )


def _seen(run: ActiveRun, injected: states.Record) -> dict[str, Any]:
    """Who is behind the service, by the recorder since injection, and what is of the deployment now."""
    target = injected["target"]
    deployment, namespace = target["deployment"], target["namespace"]
    found = reads.deployment(run.api, deployment, namespace=namespace)
    return {
        "source": "recorder and a fresh read",
        "recorded_ready": services.recorded(run, target["service"], since_s=injected["t_s"]),
        "pods": sorted(pod.name for pod in reads.pods_of(run.api, deployment, namespace=namespace)),
        "whole": found.wanted > 0 and found.complete,
    }
