"""What faults have in common whose target is beside the stack, most of them behind a service of its own.

Its witness is who the recorder saw behind that, which follows readiness and not what was asked for.
"""

from sealegs.active import ActiveRun
from sealegs.errors import ClusterError
from sealegs.faults import states, targets
from sealegs.kube import opt_in


def require_opt_in(run: ActiveRun, namespace: str) -> None:
    """The cluster was made here, or whoever owns it has labelled the namespace. ClusterError if not."""
    if not run.owned and not opt_in.opted_in(run.api, namespace):
        raise ClusterError(f"namespace {namespace} has not opted in to faults: {opt_in.how(namespace)}")


def arm(run: ActiveRun, fault: str, *, target: states.Record, streams_min: int) -> int:
    """Note a fault that is aimed at no engine as armed; how many streams are in flight when enough are.

    Raises:
        TimeoutError: too few streams came.
    """
    states.note(run, fault, "armed", target=target, detail=f"waiting for {streams_min} streams in flight")
    engines = targets.ready_engines(run)
    return targets.streams_on(run, engines, least=streams_min, where="the engines")


def recorded(run: ActiveRun, service: str, *, since_s: float) -> list[str] | None:
    """The pods that the recorder last saw ready behind a service since a moment; None if it said nothing."""
    records = states.timeline(run, since_s=since_s)
    words = [one for one in records if one["kind"] == "endpoints" and one["name"] == service]
    return list(words[-1]["ready"]) if words else None
