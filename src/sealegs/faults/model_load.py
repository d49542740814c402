"""Rolling out engines that cannot load their model, or take long to: nobody may be taken away for them.

Their template gets another variable, so this takes the reference engine, which reads it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sealegs import evidence
from sealegs.active import ActiveRun, active_run
from sealegs.errors import ClusterError
from sealegs.faults import engines, states
from sealegs.kube import acts, reads
from sealegs.kube.api import Api
from sealegs.probes import ENGINES
from sealegs.waiting import now_ns

FAULT = "model_load"
ROLL_BACK = "roll-back"
ABSENT = "/absent"
# A sound engine has loaded by then, on a machine that is busy too.
LATE_S = 25.0


def inject(*, load_s: float = 0.0, streams_min: int = 3) -> dict[str, Any]:
    """Roll out engines whose model is not there, as soon as `streams_min` streams are in flight on all.

    With `load_s` it is there, but takes at least so many seconds to load.

    Raises:
        ClusterError: there is no ready engine, or its deployment cannot be changed and put back.
        TimeoutError: too few streams came.
    """
    told = {"MODEL_LOAD_S": f"{float(load_s):g}"} if float(load_s) else {"MODEL_PATH": ABSENT}
    with active_run() as run:
        target, streams = arm(run, streams_min=int(streams_min))
        whose = _whose(run)
        args = {**whose, "variables": _had(run.api, whose, told)}
        evidence.record_undo(run.run_dir, fault=FAULT, action=ROLL_BACK, args=args)
        note_injected(run, target, told, streams=streams)
        acts.set_variables(run.api, **whose, variables=told)
        return {**target, **told, "streams": streams}


def landed(*, limit_s: float = 60.0) -> dict[str, Any]:
    """An engine that came since has failed and was started again, or loads for longer than one that is sound.

    By the recorder's word and by a fresh read.

    Raises:
        TimeoutError: not within `limit_s`: begins with ``fault did not land``.
        ClusterError: nothing was injected: begins likewise.
    """
    return states.landed(
        FAULT,
        look=_seen,
        ready=lambda seen: seen[seen["wanted"]],
        limit_s=float(limit_s),
        what=lambda _: "a new engine that does not load",
    )


def undo() -> str:
    """The engines' template is the old one again, which rolls it back. Safe to repeat."""
    with active_run() as run:
        return states.undo(run, FAULT, undo_one)


def undo_one(api: Api, undo: evidence.Undo) -> str:
    """Give the template the variables that it had; says so. Safe to repeat."""
    args = states.only(undo, ROLL_BACK)
    acts.set_variables(api, **args)
    return f"rolled {args['deployment']} back"


def gone(*, limit_s: float = 60.0) -> str:
    """No engine of the new template is there, and all that are wanted are ready. A sentence about it.

    Where nothing was changed, nothing has to go, and nothing is noted.

    Raises:
        ClusterError: the rollout was not undone.
        TimeoutError: that was not seen within `limit_s`.
    """
    return states.gone(
        FAULT,
        look=_seen,
        ready=lambda seen: seen["whole"] and not seen["there"],
        limit_s=float(limit_s),
        what=lambda _: "no engine of the new template left",
    )


def arm(run: ActiveRun, *, streams_min: int) -> tuple[dict[str, Any], int]:
    """Note the fault as armed, and return when enough streams are in flight on the engines together."""
    return engines.arm_all(run, FAULT, streams_min=streams_min, to="roll out")


def note_injected(run: ActiveRun, target: states.Record, told: Mapping[str, str], *, streams: int) -> None:
    """Note the moment from which the fault counts as injected: right before the template changes."""
    detail = f"{streams} streams in flight"
    states.note(run, FAULT, "injected", target=target, detail=detail, witness={"told": dict(told)})


def _whose(run: ActiveRun) -> dict[str, str]:
    """Which container's variables: the one of an engine, by the deployment that makes them."""
    (container,) = {
        pod.container for pod in reads.pods(run.api, namespace=run.namespace) if pod.app == ENGINES
    }
    deployment = run.api.shape.engines.deployment
    return {"deployment": deployment, "namespace": run.namespace, "container": container}


def _had(api: Api, whose: Mapping[str, str], names: Iterable[str]) -> dict[str, str | None]:
    """What variables of these names are now, which undo puts back; None is one that is not there.

    Raises:
        ClusterError: one comes from elsewhere: whoever sets it loses from where.
    """
    there = reads.variables(api, **whose)
    elsewhere = [name for name in names if name in there and there[name] is None]
    if elsewhere:
        raise ClusterError(
            f"{', '.join(elsewhere)} of {whose['namespace']}/{whose['deployment']} comes by valueFrom, which "
            "undo could not put back: write its value there instead"
        )
    return {name: there.get(name) for name in names}


def _seen(run: ActiveRun, injected: states.Record) -> dict[str, Any]:
    """Engines of the new template that are there, by what they were told: which failed, and which load late.

    Not by when they came: the old template may need new engines too.
    """
    records = [one for one in states.timeline(run, since_s=injected["t_s"]) if one["kind"] == "pod"]
    told = injected["witness"]["told"]
    runs_since_s: dict[str, float] = {}
    for one in records:
        if one["phase"] == "Running":
            runs_since_s.setdefault(one["uid"], one["t_s"])
    failed = {one["uid"] for one in records if one["restarts"]}
    now_s = (now_ns() - int(run.run["started_monotonic_ns"])) / 1e9
    new = reads.told(run.api, told, namespace=run.namespace)
    there = [pod for pod in reads.pods(run.api, namespace=run.namespace) if pod.uid in new]
    return {
        "source": "recorder and a fresh read",
        "wanted": "failed" if "MODEL_PATH" in told else "late",
        "there": [pod.name for pod in there],
        "failed": [pod.name for pod in there if pod.uid in failed and pod.restarts],
        "late": [
            pod.name
            for pod in there
            if not pod.started and now_s - runs_since_s.get(pod.uid, now_s) > LATE_S and not pod.deleting
        ],
        "whole": engines.is_whole(run.api, namespace=run.namespace),
    }
