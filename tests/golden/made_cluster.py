"""What the cluster of a made-up run did: its timeline, and one look at it a second."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any

from tests.golden.case import (
    BASELINE_AT_S,
    END_S,
    FAULT_AT_S,
    INJECTED_S,
    LOAD_S,
    NODES,
    PODS,
    READY_AGAIN_S,
    REPLACEMENT,
    VICTIM,
    Case,
)

from sealegs.judgement.facts import MARKS


def timeline_of(case: Case) -> Iterator[dict[str, Any]]:
    """Marks, the fault's states, pods, budgets and evictions."""
    landed_s = INJECTED_S + 1.5
    undone_s = landed_s + case.hold_s
    gone_s = undone_s + 0.5
    marks = (LOAD_S, BASELINE_AT_S, FAULT_AT_S, gone_s, END_S)
    for name, t_s in zip(MARKS, marks, strict=True):
        yield {"t_s": t_s, "kind": "phase", "name": name}
    target = {"node": NODES[1], "pods": [VICTIM]}
    witness = {"source": "recorder", "unschedulable": True, "pods_left": []}
    moments = (FAULT_AT_S + 0.5, INJECTED_S, landed_s, undone_s, gone_s)
    for state, t_s in zip(("armed", "injected", "landed", "undone", "gone"), moments, strict=True):
        if case.lands or state not in {"landed", "gone"}:
            fault = {"kind": "fault", "fault": "node_drain", "state": state, "target": target, "detail": ""}
            yield {"t_s": t_s, **fault, "witness": witness if state in {"landed", "gone"} else {}}
    for pod, node in zip(PODS, NODES, strict=True):
        yield _pod(2.0, pod, node=node, ready=True, event="added")
    for app, healthy in (("llm-inference", 3), ("llm-api", 2)):
        yield _budget(2.0, app, healthy=healthy, expected=healthy)
    yield _endpoints(2.0, PODS)
    if not case.lands:
        return
    left = [pod for pod in PODS if pod != VICTIM]
    eviction: dict[str, Any] = {"kind": "eviction", "pod": VICTIM, "uid": "uid-b", "pdb": "llm-inference"}
    yield {"t_s": INJECTED_S + 0.05, **eviction, "status": 429, "message": "would violate the budget"}
    yield {"t_s": INJECTED_S + 0.15, **eviction, "status": 201, "message": ""}
    yield _pod(INJECTED_S + 0.2, VICTIM, node=NODES[1], ready=True, reason="EvictionByEvictionAPI")
    yield _pod(INJECTED_S + 1.4, VICTIM, node=NODES[1], ready=False, event="deleted")
    yield _endpoints(INJECTED_S + 0.25, left)
    starting: dict[str, Any] = {"node": NODES[2], "ready": False, "started": False}
    yield _pod(INJECTED_S + 0.4, REPLACEMENT, **starting, phase="Pending", event="added")
    yield _pod(INJECTED_S + 2.0, REPLACEMENT, **starting)
    yield _pod(READY_AGAIN_S - 0.5, REPLACEMENT, node=NODES[2], ready=False)
    yield _pod(READY_AGAIN_S, REPLACEMENT, node=NODES[2], ready=True)
    yield _endpoints(READY_AGAIN_S + 0.1, [*left, REPLACEMENT])
    yield _budget(INJECTED_S + 0.2, "llm-inference", healthy=2, expected=3)
    yield _budget(READY_AGAIN_S, "llm-inference", healthy=3, expected=3)
    switched: dict[str, Any] = {"kind": "node", "name": NODES[1], "ready": True, "gpus_allocatable": 2}
    yield {"t_s": INJECTED_S, **switched, "unschedulable": True}
    yield {"t_s": undone_s, **switched, "unschedulable": False}


def _pod(
    t_s: float,
    name: str,
    *,
    node: str,
    ready: bool,
    started: bool = True,
    phase: str = "Running",
    event: str = "modified",
    reason: str | None = None,
) -> dict[str, Any]:
    """One change of a pod."""
    who = {"kind": "pod", "name": name, "uid": f"uid-{name[-1]}", "app": "llm-inference", "node": node}
    state = {"phase": phase, "ready": ready, "deleting": reason is not None, "event": event, "reason": reason}
    return {"t_s": t_s, **who, **state, "started": started, "restarts": 0, "killed": None}


def _endpoints(t_s: float, pods: Iterable[str]) -> dict[str, Any]:
    """The pods that a service sends requests to."""
    return {
        "t_s": t_s,
        "kind": "endpoints",
        "name": "llm-inference",
        "ready": sorted(pods),
        "terminating": [],
    }


def _budget(t_s: float, app: str, *, healthy: int, expected: int) -> dict[str, Any]:
    """One change of a disruption budget that lets one pod be away."""
    allowed = {"desired_healthy": expected - 1, "disruptions_allowed": healthy - expected + 1}
    counts = {"current_healthy": healthy, **allowed, "expected_pods": expected}
    return {"t_s": t_s, "kind": "pdb", "name": app, "app": app, **counts}


def samples_of(case: Case, requests: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """One look a second."""
    begun = sorted(requests, key=lambda one: one["sent_s"])
    sent, open_now = 0, begun[:0]
    for second in range(1, int(END_S) + 1):
        t_s = second + 0.02
        away = case.lands and INJECTED_S + 0.2 <= t_s < READY_AGAIN_S
        before, sent = sent, bisect_right(begun, t_s, key=lambda one: one["sent_s"])
        open_now = [one for one in (*open_now, *begun[before:sent]) if t_s < one["end_s"]]
        pods = {one["pod"] for one in open_now if one["pod"]}
        yield {
            "t_s": t_s,
            "ready": {"llm-inference": 2 if away else 3, "llm-api": 2},
            "desired": {"llm-inference": 3, "llm-api": 2},
            "pending": {"llm-inference": int(away), "llm-api": 0},
            "in_flight": {pod: sum(one["pod"] == pod for one in open_now) for pod in sorted(pods)},
            "queue": dict.fromkeys(sorted(pods), 0),
            "ejections_active": 0,
            "pending_overflow": 0,
            "retries": 0,
            "load_in_flight": len(open_now),
            "load_sent": sent,
        }
