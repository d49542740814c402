"""What a record of a run's evidence has to look like, so that whoever reads it may trust it.

A record that was damaged or edited into another shape is no record: it is counted, and makes the run INVALID.
Fields that are not named here may hold anything: nobody reads them but to print them.
"""

from collections.abc import Callable, Mapping
from typing import Any

# A run lasts hours. What says more, or less than nothing, was not written by a run's clock.
TIME_S_MAX = 30 * 86_400.0

Record = Mapping[str, Any]
Fits = Callable[[Any], bool]


def time(value: object) -> bool:
    """Seconds since run start."""
    return isinstance(value, int | float) and number(value) and 0 <= value <= TIME_S_MAX


def number(value: object) -> bool:
    """A number, which in JSON is finite."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def whole(value: object) -> bool:
    """A whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def moment(value: object) -> bool:
    """A moment of a clock that began at nothing."""
    return isinstance(value, int) and whole(value) and value >= 0


def text(value: object) -> bool:
    """Text."""
    return isinstance(value, str)


def flag(value: object) -> bool:
    """True or false."""
    return isinstance(value, bool)


def table(value: object) -> bool:
    """An object."""
    return isinstance(value, dict)


def names(value: object) -> bool:
    """A list of texts."""
    return isinstance(value, list) and all(map(text, value))


def counts(value: object) -> bool:
    """Name → number."""
    return isinstance(value, dict) and all(map(number, value.values()))


def pods(value: object) -> bool:
    """A list of pods, each its name or an object that has it."""
    return isinstance(value, list) and all(text(one.get("name") if table(one) else one) for one in value)


def words(value: object) -> bool:
    """Name → text."""
    return isinstance(value, dict) and all(map(text, value.values()))


def alerts(value: object) -> bool:
    """What is known of alerts that fired."""
    return isinstance(value, list) and all(table(one) and fits(one, needed=ALERT) for one in value)


def target(value: object) -> bool:
    """What a fault is aimed at."""
    return isinstance(value, dict) and fits(value, known=TARGET)


ALERT: Mapping[str, Fits] = {"name": text, "labels": words, "from_s": time}
TARGET: Mapping[str, Fits] = {
    "node": text,
    "nodes": names,
    "pod": text,
    "pods": pods,
    # The API server is away, so that nobody can look; and all that is being answered is at stake.
    **dict.fromkeys(("api_server", "every_stream"), flag),
}
# Of each kind of timeline record: what it must have, and what it must have right where it has it.
NEEDED: Mapping[str, Mapping[str, Fits]] = {
    "phase": {"name": text},
    "fault": {"state": text},
    "pod": {"name": text},
    "pdb": {"app": text, "current_healthy": whole, "desired_healthy": whole},
    "node": {"name": text},
    "eviction": {"pod": text},
    "endpoints": {"name": text},
    "load_pod": {"name": text},
    "autoscaler": {"app": text, "wanted": whole, "active": flag},
    "needs": {"asked": names, "missing": names},
    "alerts": {"fired": alerts},
}
KNOWN: Mapping[str, Mapping[str, Fits]] = {
    "fault": {"fault": text, "target": target, "witness": table, "detail": text},
    "pod": {
        **dict.fromkeys(("uid", "app", "node", "phase", "event", "reason", "killed"), text),
        **dict.fromkeys(("ready", "deleting", "started"), flag),
        "restarts": whole,
    },
    "pdb": {"name": text, "disruptions_allowed": whole, "expected_pods": whole},
    "node": {"ready": flag, "unschedulable": flag, "gpus_allocatable": number},
    "eviction": {"uid": text, "status": whole, "pdb": text, "message": text},
    "endpoints": {"ready": names, "terminating": names},
    "load_pod": {"node": text},
    "config_watched": {"serving": table, "wanted": text},
    "alerts": {"unknown": text, "rules": names},
}
SAMPLE: Mapping[str, Fits] = {
    **dict.fromkeys(("ready", "desired", "pending", "in_flight", "queue", "ejected"), counts),
    **dict.fromkeys(
        ("ejections_active", "pending_overflow", "retries", "load_in_flight", "load_sent"), number
    ),
}


def clocks(value: object) -> bool:
    """What is known of the clocks of load pods."""
    return isinstance(value, list) and all(
        table(one) and fits(one, needed=CLOCK, known=DRIFT) for one in value
    )


CLOCK: Mapping[str, Fits] = {"clock_uncertainty_s": number}
DRIFT: Mapping[str, Fits] = {"clock_drift_s": number}
SUMMARY: Mapping[str, Fits] = {
    **dict.fromkeys(("planned", "sent", "sent_again", "cap_refused", "never_sent"), whole),
    **dict.fromkeys(("canary_s_p99_before", "canary_s_p99_after", "receive_error_s_p99"), number),
    **dict.fromkeys(("stall_s_p99", "stalled_share", "cpu_hot_share"), number),
    **dict.fromkeys(("wall_zero_s_before", "wall_zero_s_after"), number),
    "canaries_taken": flag,
    "boot_id": text,
    "pods": clocks,
}


def nodes(value: object) -> bool:
    """What is known of the cluster's nodes."""
    return isinstance(value, list) and all(table(one) and fits(one, needed=NODE) for one in value)


def cluster(value: object) -> bool:
    """Where the run was."""
    return isinstance(value, dict) and fits(value, needed={"name": text}, known={"owned": flag})


NODE: Mapping[str, Fits] = {"name": text, "zone": text, "gpus": number, "kubelet": text}
IDENTITY: Mapping[str, Fits] = {"run_id": text, "scenario": text, "started_monotonic_ns": moment}
IDENTITY_KNOWN: Mapping[str, Fits] = {
    **dict.fromkeys(
        ("started_at", "boot_id", "pid_namespace", "commit", "sidecar_mode", "namespace", "command"), text
    ),
    **dict.fromkeys(("door", "mutant"), text),
    **dict.fromkeys(("versions", "images", "stack"), table),
    "cluster": cluster,
    "schema": whole,
    "seed": whole,
    "dirty": flag,
    "nodes": nodes,
}


def fits(
    record: Record, *, needed: Mapping[str, Fits] | None = None, known: Mapping[str, Fits] | None = None
) -> bool:
    """Whether a record has what is needed, and of what is known nothing that does not fit. None is absent."""
    return all(one(record.get(key)) for key, one in (needed or {}).items()) and all(
        record.get(key) is None or one(record[key]) for key, one in (known or {}).items()
    )


def is_timeline(record: Record) -> bool:
    """Whether a record can be one of the timeline: it has a time, a kind, and what is read of that kind."""
    kind = record.get("kind")
    return (
        isinstance(kind, str)
        and time(record.get("t_s"))
        and fits(record, needed=NEEDED.get(kind), known=KNOWN.get(kind))
    )


def is_sample(record: Record) -> bool:
    """Whether a record can be a look at the cluster."""
    return time(record.get("t_s")) and fits(record, known=SAMPLE)
