"""One engine as a fault's target: picked, waited for until it is busy, and whole again afterwards."""

from collections.abc import Callable
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

AWAIT = "await"
# An engine is scheduled, makes its volume and loads its model.
WHOLE_LIMIT_S = 45.0
LOOK_EVERY_S = 0.2


def arm(run: ActiveRun, fault: str, *, streams_min: int, pod: str, to: str) -> tuple[Pod, int]:
    """Pick an engine, note the fault as armed, and return when enough streams are in flight on it.

    The seed picks it among those that serve streams now, unless `pod` names one; `to` is what is done to it.

    Raises:
        ClusterError: there is no ready engine, or none of that name.
        TimeoutError: too few streams came.
    """
    engines = {one.name: one for one in targets.ready_engines(run) if pod in {"", one.name}}
    if not engines:
        raise ClusterError(f"nothing to {to}: no ready pod of {ENGINES}{f' is named {pod}' if pod else ''}")
    chosen = pod or targets.busy(run, {name: [one] for name, one in engines.items()})
    victim = engines[chosen]
    waiting = f"waiting for {streams_min} streams in flight on it"
    states.note(run, fault, "armed", target=target_of(victim), detail=waiting)
    return victim, targets.streams_on(run, [victim], least=streams_min, where=chosen)


def arm_all(run: ActiveRun, fault: str, *, streams_min: int, to: str) -> tuple[dict[str, Any], int]:
    """Note the fault as armed at all engines, and return when enough streams are in flight on them together.

    Raises:
        ClusterError: there is no ready engine; `to` is what was to be done to them.
        TimeoutError: too few streams came.
    """
    there = targets.ready_engines(run)
    if not there:
        raise ClusterError(f"nothing to {to}: no ready pod of {ENGINES}")
    target = {"pods": sorted(pod.name for pod in there)}
    states.note(run, fault, "armed", target=target, detail=f"waiting for {streams_min} streams in flight")
    return target, targets.streams_on(run, there, least=streams_min, where=ENGINES)


def note_injected(run: ActiveRun, fault: str, victim: Pod, *, streams: int) -> None:
    """Note the moment from which the fault counts as injected: right before the first change."""
    states.note(run, fault, "injected", target=target_of(victim), detail=f"{streams} streams in flight")


def target_of(victim: Pod) -> dict[str, Any]:
    """What the timeline says of the target. No node: what else runs there is not hit."""
    return {"pods": [victim.name], "uid": victim.uid}


def delete(fault: str, *, streams_min: int, pod: str, to: str, grace_s: int | None) -> dict[str, Any]:
    """Delete one engine as soon as `streams_min` streams are in flight on it; None is the pod's own grace.

    Raises:
        ClusterError, TimeoutError: as `arm`.
    """
    with active_run() as run:
        victim, streams = arm(run, fault, streams_min=streams_min, pod=pod, to=to)
        evidence.record_undo(run.run_dir, fault=fault, action=AWAIT, args={"namespace": run.namespace})
        note_injected(run, fault, victim, streams=streams)
        acts.delete_pod(run.api, victim, grace_s=grace_s)
        return {**target_of(victim), "streams": streams}


def landed(
    fault: str, *, ready: Callable[[dict[str, Any]], object], limit_s: float, what: str
) -> dict[str, Any]:
    """What `seen_since` saw of the target is as it has to be: `ready` says so, `what` names it.

    Raises:
        TimeoutError: not within `limit_s`: begins with ``fault did not land``.
        ClusterError: nothing was injected: begins likewise.
    """
    return states.landed(
        fault,
        look=seen_since,
        ready=ready,
        limit_s=limit_s,
        what=lambda target: f"pod {target['pods'][0]} to be seen {what}",
    )


def seen_since(run: ActiveRun, injected: states.Record) -> dict[str, Any]:
    """What the recorder wrote about the target since injection, and how a fresh read finds it."""
    uid = injected["target"]["uid"]
    words = [one for one in states.timeline(run, since_s=injected["t_s"]) if one.get("uid") == uid]
    pods = [one for one in words if one["kind"] == "pod"]
    there = [pod for pod in reads.pods(run.api, namespace=run.namespace) if pod.uid == uid]
    return {
        "source": "recorder and a fresh read",
        "recorded_leaving": any(one["deleting"] or one["event"] == "deleted" for one in pods),
        "leaving": all(pod.deleting for pod in there),
        "recorded_deleted": any(one["event"] == "deleted" for one in pods),
        "there": bool(there),
    }


def awaited(api: Api, undo: evidence.Undo) -> str:
    """Wait until every engine that is wanted is ready; says so. TimeoutError when that takes too long."""
    return await_whole(api, namespace=states.only(undo, AWAIT)["namespace"])


def await_whole(api: Api, *, namespace: str, successes: int = 1) -> str:
    """Wait until every engine that is wanted is ready, in so many looks in a row; says so."""
    wait_until(
        lambda: is_whole(api, namespace=namespace),
        ready=bool,
        limit_s=WHOLE_LIMIT_S,
        every_s=LOOK_EVERY_S,
        successes=successes,
        what=f"every replica of {ENGINES} to be ready again",
    )
    return f"every replica of {ENGINES} is ready again"


def replaced(fault: str, *, limit_s: float) -> str:
    """The target is gone, the recorder saw a replacement ready, a fresh read has every replica. A sentence.

    Where nothing was changed, nothing has to go, and nothing is noted.

    Raises:
        ClusterError: the fault's undo has not been done.
        TimeoutError: that was not seen within `limit_s`.
    """
    with active_run() as run:
        undone = states.undone(run, fault)
        if undone is None:
            return states.NOTHING_GONE
        # Who was killed before the injection was noted has at what it aimed, and when.
        injected = states.last(run, fault, "injected") or undone
        seen = states.reach(
            run,
            fault,
            "gone",
            target=undone["target"],
            look=lambda: _back(run, injected),
            ready=lambda seen: seen["replacements"] and seen["whole"] and not seen["there"],
            limit_s=limit_s,
            what=f"the replacement of {undone['target']['pods'][0]} to be ready",
        )
        return f"{', '.join(seen['replacements'])} took its place"


def is_whole(api: Api, *, namespace: str) -> bool:
    """Whether the engines' deployment, and that of their canary if there is one, has all that it wants."""
    found = [one.complete for one in reads.deployments(api, namespace=namespace) if one.app == ENGINES]
    return bool(found) and all(found)


def _back(run: ActiveRun, injected: states.Record) -> dict[str, Any]:
    """Engines that the recorder saw come and become ready since injection, and whether all are there now."""
    records = states.timeline(run, since_s=injected["t_s"])
    engines = [one for one in records if one["kind"] == "pod" and one["app"] == ENGINES]
    came = {one["uid"] for one in engines if one["event"] == "added"}
    ready = {one["name"]: None for one in engines if one["uid"] in came and one["ready"]}
    return {
        **seen_since(run, injected),
        "replacements": list(ready),
        "whole": is_whole(run.api, namespace=run.namespace),
    }
