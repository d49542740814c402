"""Killing one engine that is serving streams: no preStop and no drain, and its pod is gone at once.

Deleted with a grace of 0 it leaves the API while its container still runs: the kubelet sends SIGTERM and
a second later SIGKILL. Seen here: 0.8 s on an idle machine, 4-5 s on a busy one, in which short answers end.
"""

from typing import Any

from sealegs import evidence
from sealegs.active import ActiveRun, active_run
from sealegs.errors import ClusterError
from sealegs.faults import states, targets
from sealegs.kube import acts, reads
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod
from sealegs.probes import ENGINES
from sealegs.waiting import wait_until

FAULT = "pod_kill"
# An engine is scheduled, makes its volume and loads its model.
WHOLE_LIMIT_S = 45.0
LOOK_EVERY_S = 0.2


def inject(*, streams_min: int = 3, pod: str = "") -> dict[str, Any]:
    """Delete one engine without grace as soon as `streams_min` streams are in flight on it.

    The seed picks it among those that serve streams now, unless `pod` names one.

    Raises:
        ClusterError: there is no ready engine, or none of that name.
        TimeoutError: too few streams came.
    """
    with active_run() as run:
        victim, streams = arm(run, streams_min=int(streams_min), pod=pod)
        evidence.record_undo(run.run_dir, fault=FAULT, action="await", args={"namespace": run.namespace})
        note_injected(run, victim, streams=streams)
        acts.delete_pod(run.api, victim, grace_s=0)
        return {**_target(victim), "streams": streams}


def landed(*, limit_s: float = 10.0) -> dict[str, Any]:
    """The recorder saw this very pod deleted, and a fresh read finds it no more.

    Raises:
        TimeoutError: not within `limit_s`: begins with ``fault did not land``.
        ClusterError: nothing was injected: begins likewise.
    """
    with active_run() as run:
        injected = states.injected(run, FAULT)
        target = injected["target"]
        return states.reach(
            run,
            FAULT,
            "landed",
            target=target,
            look=lambda: _seen_since(run, injected),
            ready=lambda seen: seen["recorded_deleted"] and not seen["there"],
            limit_s=float(limit_s),
            what=f"pod {target['pods'][0]} to be seen gone",
        )


def undo() -> str:
    """The engine's replacement is ready, which is all that can be undone of a kill. Safe to repeat."""
    with active_run() as run:
        return states.undo(run, FAULT, undo_one)


def undo_one(api: Api, undo: evidence.Undo) -> str:
    """Wait until every engine that is wanted is ready; says so. TimeoutError when that takes too long."""
    if undo.action != "await":
        raise ClusterError(f"undo {undo.id}: nobody here knows how to {undo.action!r}")
    wait_until(
        lambda: _is_whole(api, namespace=undo.args["namespace"]),
        ready=bool,
        limit_s=WHOLE_LIMIT_S,
        every_s=LOOK_EVERY_S,
        what=f"every replica of {ENGINES} to be ready again",
    )
    return f"every replica of {ENGINES} is ready again"


def gone(*, limit_s: float = 30.0) -> str:
    """The recorder saw a replacement become ready, and a fresh read has every replica. A sentence about it.

    Where nothing was changed, nothing has to go, and nothing is noted.

    Raises:
        ClusterError: the kill's undo has not been done.
        TimeoutError: the replacement was not seen within `limit_s`.
    """
    with active_run() as run:
        undone = states.undone(run, FAULT)
        if undone is None:
            return states.NOTHING_GONE
        injected = states.injected(run, FAULT)
        seen = states.reach(
            run,
            FAULT,
            "gone",
            target=undone["target"],
            look=lambda: _back(run, since_s=injected["t_s"]),
            ready=lambda seen: seen["replacements"] and seen["whole"],
            limit_s=float(limit_s),
            what=f"the replacement of {undone['target']['pods'][0]} to be ready",
        )
        return f"{', '.join(seen['replacements'])} took its place"


def arm(run: ActiveRun, *, streams_min: int, pod: str) -> tuple[Pod, int]:
    """Pick the engine, note the fault as armed, and return when enough streams are in flight on it.

    Raises:
        ClusterError, TimeoutError: as `inject`.
    """
    engines = {one.name: one for one in targets.ready_engines(run) if pod in {"", one.name}}
    if not engines:
        raise ClusterError(f"nothing to kill: no ready pod of {ENGINES}{f' is named {pod}' if pod else ''}")
    chosen = pod or targets.busy(run, {name: [one] for name, one in engines.items()})
    victim = engines[chosen]
    waiting = f"waiting for {streams_min} streams in flight on it"
    states.note(run, FAULT, "armed", target=_target(victim), detail=waiting)
    return victim, targets.streams_on(run, [victim], least=streams_min, where=chosen)


def note_injected(run: ActiveRun, victim: Pod, *, streams: int) -> None:
    """Note the moment from which the fault counts as injected: right before the kill."""
    states.note(run, FAULT, "injected", target=_target(victim), detail=f"{streams} streams in flight")


def _target(victim: Pod) -> dict[str, Any]:
    """What the timeline says of the target. No node: what else runs there is not hit."""
    return {"pods": [victim.name], "uid": victim.uid}


def _seen_since(run: ActiveRun, injected: states.Record) -> dict[str, Any]:
    """What the recorder wrote about the victim since injection, and whether it is still there."""
    uid = injected["target"]["uid"]
    words = [one for one in states.timeline(run, since_s=injected["t_s"]) if one.get("uid") == uid]
    there = {pod.uid for pod in reads.pods(run.api, namespace=run.namespace)}
    return {
        "source": "recorder and a fresh read",
        "recorded_deleted": any(one["kind"] == "pod" and one["event"] == "deleted" for one in words),
        "there": uid in there,
    }


def _back(run: ActiveRun, *, since_s: float) -> dict[str, Any]:
    """Engines that the recorder saw come and become ready since a moment, and whether all are there now."""
    records = states.timeline(run, since_s=since_s)
    engines = [one for one in records if one["kind"] == "pod" and one["app"] == ENGINES]
    came = {one["uid"] for one in engines if one["event"] == "added"}
    ready = {one["name"]: None for one in engines if one["uid"] in came and one["ready"]}
    return {
        "source": "recorder and a fresh read",
        "replacements": list(ready),
        "whole": _is_whole(run.api, namespace=run.namespace),
    }


def _is_whole(api: Api, *, namespace: str) -> bool:
    """Whether the engines' deployment has all that it wants."""
    return any(one.app == ENGINES and one.complete for one in reads.deployments(api, namespace=namespace))
