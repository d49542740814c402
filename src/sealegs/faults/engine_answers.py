"""Engines that are ready and answer wrong: an error to a share of requests, streams reset, tokens slow.

The reference engine is told so at run time, at a door inside its container. Seen it is by requests straight
at it, which go past the door: what counts is how it answers, not what it says that it does.
"""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sealegs import evidence
from sealegs.active import ActiveRun, active_run
from sealegs.errors import ClusterError
from sealegs.faults import engine_door, states, targets
from sealegs.kube import reads
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod
from sealegs.probes import ENGINES
from sealegs.waiting import TIMEOUTS, wait_until

FAULT = "engine_answers"
BEHAVE = "behave"
ALL = 0
# Enough answers, and tokens of each, for one that no stall of the machine has made slow.
TOKENS_MIN = 6
REQUESTS_MIN = 3
LOOK_EVERY_S = 0.2
OK = 200


@dataclass(frozen=True, kw_only=True)
class Aim:
    """The engines to be told, and how long one of them usually takes for a step, where that counts."""

    told: Mapping[str, Any]
    pods: Sequence[Pod]
    streams: int
    usual_step_s: float | None

    @property
    def target(self) -> dict[str, Any]:
        """What the timeline says of the target. No node: what else runs there is not hit."""
        return {"pods": [pod.name for pod in self.pods]}


def inject(
    *,
    status: int = 0,
    reset_at_token: int = 0,
    share: float = 1.0,
    slow_factor: float = 1.0,
    engines: int = 1,
    pod: str = "",
    streams_min: int = 3,
) -> dict[str, Any]:
    """Have engines answer wrong as soon as `streams_min` streams are in flight on them.

    A `share` of each caller's requests, evenly spread, is answered with `status`, or its stream is reset in
    place of token `reset_at_token`, the first being 1. Every step takes `slow_factor` times as long. It is
    done to so many `engines`, or all with 0: those that serve first, in an order of the seed; or to `pod`.

    Raises:
        ClusterError: there are no such engines, they take no such orders, or nothing wrong was ordered.
        TimeoutError: too few streams came.
    """
    told = {
        "status": int(status),
        "reset_at_token": int(reset_at_token),
        "share": float(share),
        "slow_factor": float(slow_factor),
    }
    wrong = told["status"] or told["reset_at_token"] or told["slow_factor"] > 1
    if not wrong or told["share"] <= 0:
        raise ClusterError(f"nothing to tell: {told} is how an engine answers that is sound")
    with active_run() as run:
        aim = arm(run, told, engines=int(engines), pod=pod, streams_min=int(streams_min))
        args = {"namespace": run.namespace, "uids": [one.uid for one in aim.pods]}
        evidence.record_undo(run.run_dir, fault=FAULT, action=BEHAVE, args=args)
        note_injected(run, aim)
        for one in aim.pods:
            engine_door.tell(run.api, one, told)
        return {**aim.target, **told, "streams": aim.streams}


def landed(*, limit_s: float = 30.0) -> dict[str, Any]:
    """Requests straight at each of the engines were answered as wrongly as it was told to.

    Raises:
        TimeoutError: not within `limit_s`: begins with ``fault did not land``.
        ClusterError: nothing was injected: begins likewise.
    """
    return states.landed(
        FAULT,
        look=_seen,
        ready=lambda seen: set(seen["wrong"]) == set(seen["told"]),
        limit_s=float(limit_s),
        what=lambda target: f"{', '.join(target['pods'])} answering wrong",
    )


def undo() -> str:
    """The engines behave again. Safe to repeat."""
    with active_run() as run:
        return states.undo(run, FAULT, undo_one)


def undo_one(api: Api, undo: evidence.Undo) -> str:
    """Tell those of the engines to behave that are still there; says which. Safe to repeat.

    One that has been started again since has forgotten what it was told.

    Raises:
        ClusterError: some did not answer, told after the others were; or the undo is not one of this fault's.
    """
    args = states.only(undo, BEHAVE)
    pods = [one for one in reads.pods(api, namespace=args["namespace"]) if one.uid in args["uids"]]
    there = [one for one in pods if one.started and not one.finished and not one.deleting]
    silent: list[str] = []
    for pod in there:
        try:
            engine_door.tell(api, pod, {})
        except ClusterError as error:
            silent.append(str(error))
    if silent:
        raise ClusterError("; ".join(silent))
    return f"told {', '.join(pod.name for pod in there) or 'nobody, for none is left,'} to behave"


def gone(*, limit_s: float = 30.0) -> str:
    """Requests straight at each of the engines that are still there were answered right. A sentence about it.

    Where nothing was changed, nothing has to go, and nothing is noted.

    Raises:
        ClusterError: the engines were not told to behave.
        TimeoutError: some were not seen to within `limit_s`.
    """
    return states.gone(
        FAULT,
        look=_seen,
        ready=lambda seen: set(seen["right"]) == set(seen["answers"]),
        limit_s=float(limit_s),
        what=lambda target: f"{', '.join(target['pods'])} answering right",
    )


def arm(run: ActiveRun, told: Mapping[str, Any], *, engines: int, pod: str, streams_min: int) -> Aim:
    """Pick the engines, note the fault as armed, and return when enough streams are in flight on them.

    Raises:
        ClusterError, TimeoutError: as `inject`.
    """
    pods = _chosen(run, engines=engines, pod=pod)
    waiting = f"waiting for {streams_min} streams in flight on them"
    states.note(run, FAULT, "armed", target={"pods": [one.name for one in pods]}, detail=waiting)
    usual_step_s = _usual_step_s(run, pods[0]) if told["slow_factor"] > 1 else None
    where = ", ".join(one.name for one in pods)
    streams = targets.streams_on(run, pods, least=streams_min, where=where)
    return Aim(told=told, pods=pods, streams=streams, usual_step_s=usual_step_s)


def note_injected(run: ActiveRun, aim: Aim) -> None:
    """Note the moment from which the fault counts as injected: right before the first engine is told."""
    known = {"told": dict(aim.told), "usual_step_s": aim.usual_step_s}
    detail = f"{aim.streams} streams in flight"
    states.note(run, FAULT, "injected", target=aim.target, detail=detail, witness=known)


def _chosen(run: ActiveRun, *, engines: int, pod: str) -> list[Pod]:
    """The engines to be told: so many that serve streams, all that are ready, or the one that is named."""
    ready = {one.name: one for one in targets.ready_engines(run) if pod in {"", one.name}}
    wanted = len(ready) if pod or engines == ALL else engines
    if not ready or wanted > len(ready):
        named = f" and is named {pod}" if pod else ""
        raise ClusterError(
            f"nothing to tell: {len(ready)} pods of {ENGINES} of {wanted or 1} are ready{named}"
        )
    if wanted == len(ready):
        return [ready[name] for name in sorted(ready)]
    chosen: list[Pod] = []
    while len(chosen) < wanted:
        chosen.append(ready.pop(targets.busy(run, {name: [one] for name, one in ready.items()})))
    return chosen


def _usual_step_s(run: ActiveRun, pod: Pod) -> float:
    """How long an engine takes for a step while it is sound. TimeoutError when it is too full to answer."""
    found = wait_until(
        lambda: _step_s(engine_door.ask_straight(run.api, pod, requests=REQUESTS_MIN, tokens=TOKENS_MIN)),
        ready=lambda step_s: step_s is not None,
        limit_s=TIMEOUTS.streams_in_flight_s,
        every_s=LOOK_EVERY_S,
        what=f"{pod.name} to answer a request that shows its usual pace",
    )
    return found or 0.0


def _seen(run: ActiveRun, injected: states.Record) -> dict[str, Any]:
    """How the engines that are still there answer; which of them wrong in every way, and which in none."""
    told, usual_step_s = injected["witness"]["told"], injected["witness"]["usual_step_s"]
    requests = max(REQUESTS_MIN, math.ceil(1 / told["share"]))
    tokens = max(TOKENS_MIN, told["reset_at_token"])
    pods = [
        pod
        for pod in reads.pods(run.api, namespace=run.namespace)
        if pod.name in injected["target"]["pods"] and not (pod.deleting or pod.finished)
    ]

    def ask(pod: Pod) -> list[dict[str, Any]]:
        if not pod.ready:
            return []
        return engine_door.ask_straight(run.api, pod, requests=requests, tokens=tokens)

    # Side by side: a slow or full engine takes seconds to answer.
    with ThreadPoolExecutor(max(1, len(pods))) as pool:
        answers = dict(zip([pod.name for pod in pods], pool.map(ask, pods), strict=True))
    wrongs = {name: _wrongs(its, told, usual_step_s=usual_step_s) for name, its in answers.items()}
    served = {name: any(one["status"] == OK and one["whole"] for one in its) for name, its in answers.items()}
    return {
        "source": "requests straight at the engines",
        "told": injected["target"]["pods"],
        "wrong": [name for name, its in wrongs.items() if all(its)],
        "right": [name for name, its in wrongs.items() if served[name] and not any(its)],
        "answers": answers,
    }


def _wrongs(
    answers: Sequence[Mapping[str, Any]], told: Mapping[str, Any], *, usual_step_s: float | None
) -> list[bool]:
    """Whether answers are wrong, for each way of it that an engine was told.

    A step is slow above the geometric mean of what it usually takes and what it was told to take.
    """
    found = []
    if told["status"]:
        found.append(any(one["status"] == told["status"] for one in answers))
    if told["reset_at_token"]:
        cut_after = told["reset_at_token"] - 1
        found.append(
            any(one["status"] == OK and one["tokens"] == cut_after and not one["whole"] for one in answers)
        )
    if told["slow_factor"] > 1:
        slow_s = (usual_step_s or 0) * math.sqrt(told["slow_factor"])
        found.append((_step_s(answers) or 0) > slow_s)
    return found


def _step_s(answers: Sequence[Mapping[str, Any]]) -> float | None:
    """The fastest answer's step; None when no answer had two tokens."""
    return min((one["step_s"] for one in answers if one["step_s"] is not None), default=None)
