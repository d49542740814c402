"""A canary release: a share of requests goes to the engines of another version, and its undo is the rollback.

The routes are changed as an operator or a controller of releases changes them. Whether they are followed is
asked of the proxies of llm-api, which do the splitting. A canary that turns bad is a fault of its own, an
`engine_answers`: `spoil` begins it, and it lands and ends as that.
"""

from collections.abc import Mapping
from threading import Event
from typing import Any

from sealegs import evidence
from sealegs.active import ActiveRun, active_run
from sealegs.errors import ClusterError
from sealegs.faults import engine_answers, engine_door, states, targets
from sealegs.kube import reads, routes
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod
from sealegs.probes import streams_in_flight
from sealegs.stack_shape import API
from sealegs.waiting import every, now_s

FAULT = "canary"
# Names of the overlay kind-canary.
ROUTES, DEPLOYMENT, SUBSET, PORT = "llm-inference", "llm-inference-canary", "v2", 8000
SET = "set-weight"
LOOK_EVERY_S = 0.1


def inject(*, weight: int = 20, streams_min: int = 3) -> dict[str, Any]:
    """Send `weight` percent of all requests to the canary as soon as `streams_min` streams are in flight.

    Raises:
        ClusterError: there is no canary, not all of it is ready, or it has that weight already.
        TimeoutError: too few streams came.
    """
    with active_run() as run:
        target, streams = arm(run, weight=int(weight), streams_min=int(streams_min))
        args = {"namespace": run.namespace, "weight": target["weight_before"]}
        evidence.record_undo(run.run_dir, fault=FAULT, action=SET, args=args)
        note_injected(run, target, streams=streams)
        _set(run.api, namespace=run.namespace, weight=target["weight"])
        return {**target, "streams": streams}


def landed(*, limit_s: float = 30.0) -> dict[str, Any]:
    """The proxy of every llm-api pod goes by the canary's new weight.

    Raises:
        TimeoutError: not within `limit_s`: begins with ``fault did not land``.
        ClusterError: nothing was injected: begins likewise.
    """
    return states.landed(
        FAULT,
        look=_seen,
        ready=lambda seen: _all_have(seen["weights"], seen["weight"]),
        limit_s=float(limit_s),
        what=lambda target: f"every proxy of {API} to give the canary {target['weight']} %",
    )


def spoil(*, status: int = 503, share: float = 0.5) -> dict[str, Any]:
    """The canary turns bad: its engines answer a share of the requests with `status`, and stay ready.

    Raises:
        ClusterError: there is no canary, not all of it is ready, or it takes no such orders.
    """
    told = {"status": int(status), "reset_at_token": 0, "share": float(share), "slow_factor": 1.0}
    with active_run() as run:
        pods = _canary(run.api, namespace=run.namespace)
        streams = sum(filter(None, streams_in_flight(run.api, pods).values()))
        aim = engine_answers.Aim(told=told, pods=pods, streams=streams, usual_step_s=None)
        states.note(run, engine_answers.FAULT, "armed", target=aim.target)
        args = {"namespace": run.namespace, "uids": [one.uid for one in pods]}
        evidence.record_undo(run.run_dir, fault=engine_answers.FAULT, action=engine_answers.BEHAVE, args=args)
        engine_answers.note_injected(run, aim)
        for one in pods:
            engine_door.tell(run.api, one, told)
        return {**aim.target, **told, "streams": streams}


def busy(*, limit_s: float = 10.0) -> dict[str, Any]:
    """Wait until the canary has begun a stream, so that a rollback right after has something to cut.

    That it does not within `limit_s` is for the verdict to judge, and no reason to break the experiment off.

    Raises:
        ClusterError: there is no canary, or not all of it is ready.
    """
    start_s, begun = now_s(), False
    before: int | None = None
    with active_run() as run:
        pods = _canary(run.api, namespace=run.namespace)
        for looked_s in every(LOOK_EVERY_S, until=Event()):
            streams = sum(filter(None, streams_in_flight(run.api, pods).values()))
            # One that it has had for a while may be over before the routes are changed.
            begun = before is not None and streams > before
            if begun or looked_s - start_s > float(limit_s):
                break
            before = streams
    return {"streams": streams, "begun": begun}


def undo() -> str:
    """The canary has the weight that it had before: the rollback. Safe to repeat."""
    with active_run() as run:
        return states.undo(run, FAULT, undo_one)


def undo_one(api: Api, undo: evidence.Undo) -> str:
    """Give the canary its old weight; says so. Safe to repeat.

    Raises:
        ClusterError: the routes are gone, or the undo is not one of this fault's.
    """
    args = states.only(undo, SET)
    _set(api, namespace=args["namespace"], weight=args["weight"])
    return f"gave the canary {args['weight']} % again"


def gone(*, limit_s: float = 30.0) -> str:
    """The proxy of every llm-api pod goes by the canary's old weight. A sentence about it.

    Where nothing was changed, nothing has to go, and nothing is noted.

    Raises:
        ClusterError: the release was not rolled back.
        TimeoutError: that was not seen within `limit_s`.
    """
    return states.gone(
        FAULT,
        look=_seen,
        ready=lambda seen: _all_have(seen["weights"], seen["weight_before"]),
        limit_s=float(limit_s),
        what=lambda target: f"every proxy of {API} gives the canary {target['weight_before']} %",
    )


def arm(run: ActiveRun, *, weight: int, streams_min: int) -> tuple[dict[str, Any], int]:
    """Note the fault as armed, and return when enough streams are in flight on all engines together.

    Raises:
        ClusterError, TimeoutError: as `inject`.
    """
    if not 0 < weight < routes.WHOLE:
        raise ClusterError(f"nothing to shift: {weight} % would leave one of the versions without requests")
    pods = _canary(run.api, namespace=run.namespace)
    before = routes.weights(run.api, ROUTES, namespace=run.namespace, subset=SUBSET)
    if len(before) > 1 or weight in before:
        raise ClusterError(
            f"nothing to shift: the canary's weights are {sorted(before)} already, asked for is {weight}"
        )
    engines = targets.ready_engines(run)
    # Whose streams must not notice: where requests go is changed for all engines.
    target = {
        "pods": sorted(pod.name for pod in engines),
        "canary": sorted(pod.name for pod in pods),
        "weight": weight,
        "weight_before": before.pop(),
    }
    states.note(run, FAULT, "armed", target=target, detail=f"waiting for {streams_min} streams in flight")
    return target, targets.streams_on(run, engines, least=streams_min, where="the engines")


def note_injected(run: ActiveRun, target: states.Record, *, streams: int) -> None:
    """Note the moment from which the fault counts as injected: right before the routes change."""
    states.note(run, FAULT, "injected", target=target, detail=f"{streams} streams in flight")


def _canary(api: Api, *, namespace: str) -> list[Pod]:
    """The canary's pods. A version of which some are not ready gets no requests: ClusterError."""
    pods = [pod for pod in reads.pods_of(api, DEPLOYMENT, namespace=namespace) if not pod.deleting]
    waiting = [pod.name for pod in pods if not pod.ready]
    if waiting or not pods:
        raise ClusterError(
            f"no canary to send requests to: of {len(pods)} pods of {DEPLOYMENT} "
            f"{len(waiting)} are not ready: {', '.join(waiting)}"
        )
    return pods


def _set(api: Api, *, namespace: str, weight: int) -> None:
    routes.set_weight(api, ROUTES, namespace=namespace, subset=SUBSET, percent=weight)


def _seen(run: ActiveRun, injected: states.Record) -> dict[str, Any]:
    """What each proxy of llm-api gives the canary, in its own words, beside what it was and is to give."""
    pods = [pod for pod in reads.pods(run.api, namespace=run.namespace) if pod.app == API]
    there = [pod for pod in pods if pod.ready and not pod.deleting]
    return {
        "source": "the routes of each proxy, as it dumps them",
        **{name: injected["target"][name] for name in ("weight", "weight_before")},
        "weights": {pod.name: sorted(_given_by(run.api, pod)) for pod in there},
    }


def _given_by(api: Api, pod: Pod) -> set[int]:
    """What a proxy gives the canary; nothing when it does not say."""
    try:
        return routes.weights_at(api, pod, port=PORT, subset=SUBSET)
    except ClusterError:
        return set()


def _all_have(weights: Mapping[str, list[int]], wanted: int) -> bool:
    """Whether there are proxies, and all of them have one weight in all routes: this one."""
    return bool(weights) and all(its == [wanted] for its in weights.values())
