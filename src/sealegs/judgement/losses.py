"""Why requests were lost: one cause each, from what is known about that request alone.

Causes are looked for in order of certainty, and the first that fits stands. A request that none fits is
unexplained: it is counted, because a wrong explanation is worse than none.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from sealegs.judgement import mesh
from sealegs.judgement.absences import Absence, absences_of
from sealegs.judgement.facts import Facts, FaultStory
from sealegs.judgement.fates import HOLE, REQUEST_IDS_MAX, TRUNCATED, Fates, Words
from sealegs.judgement.lost import Lost, lost_of

UNEXPLAINED = "unexplained"
# Each in a reader's words. Flags of the mesh are causes of their own.
MEANINGS = {
    "client-cap": "not sent: the client had as many requests in flight as the scenario allows",
    "client-never-sent": "not sent: the client did not come to it before its time was over",
    "client-stopped": "cut by the client itself, because the load was stopped",
    "client-no-row": "the client left no row: nobody knows whether it was sent, or how it ended",
    "wrong-answer": "answered, but not with the tokens that belong to it",
    "fault": "open on a pod that the fault hit, when it struck or while that pod was away for it",
    "pod-EvictionByEvictionAPI": "on a pod that was evicted, and not by the fault",
    "pod-PreemptionByScheduler": "on a pod that made room for one of higher priority",
    "pod-DeletionByTaintManager": "on a pod whose node was tainted, as lost nodes are",
    "pod-DeletionByPodGC": "on a pod that was cleared away because its node is no more",
    "pod-TerminationByKubelet": "on a pod that its node ended, for want of memory or disk, or to shut down",
    "pod-OOMKilled": "on a pod whose container was killed because it used more memory than its limit",
    "pod-deleted": "on a pod that was being deleted, as by a rollout or a scaling down",
    "pod-restarted": "on a pod whose container ended and was started again",
    "refused-by-engine": "an engine itself said no, as when its queue is full",
    "engine-unreachable": "the api found no engine to answer",
    "refused-by-api": "the api itself said no",
    "deadline-on-the-way": "the client stopped waiting; only afterwards did the request reach an engine",
    "deadline-queued": "the client stopped waiting; an engine had it in its queue",
    "deadline-prefill": "the client stopped waiting; an engine was reading the prompt",
    "deadline-decode": "the client stopped waiting; an engine was writing the answer",
    "deadline-delivery": "the client stopped waiting; an engine had written the whole answer",
    "deadline": "the client stopped waiting; no engine's log tells where the request was",
    "no-connection": "the client got no connection",
    "engine-aborted": "an engine ended the answer itself, and nothing was seen that took its pod away",
    "engine-error": "an engine reported an error inside the answer",
    UNEXPLAINED: "nothing that was recorded explains it",
    **{f"mesh-{flag}": f"failed in the mesh: {meaning}" for flag, meaning in mesh.FLAGS.items()},
}
CLIENTS = {
    "cap_refused": "client-cap",
    "never_sent": "client-never-sent",
    "cut_by_us": "client-stopped",
    HOLE: "client-no-row",
}
REFUSED = ("http_4xx", "http_429", "http_5xx")
WAITED = ("deadline_first_token", "deadline_total", "stall")
# How a request can end whose pod went away. A refusal for want of room or of a key is not among them.
CUT = (*TRUNCATED, "reset_before_headers", "http_5xx", "deadline_first_token", "deadline_total")
# That the client hung up, or a delay was ordered, is no reason; that attempts were used up is a poor one.
NO_REASON = ("DC", "DR", "DI")
POOR_REASON = "URX"
# The logs of proxies behind the gateway are not kept, but a client may have heard their words: what Envoy
# says when it answers itself (its source/common/http/utility.cc, its router and its fault filter).
PROXIES_SAY = {
    "no healthy upstream": "UH",
    "reset reason: overflow": "UO",
    "reset reason: remote connection failure": "UF",
    "reset reason: local connection failure": "UF",
    "reset reason: connection timeout": "UF",
    "reset reason: connection termination": "UC",
    "reset reason: remote reset": "UR",
    "upstream request timeout": "UT",
    "fault filter abort": "FI",
    "local_rate_limited": "RL",
}
# The codes that the reference stack's api gives its own errors.
API_SAYS = {
    '"engine_unreachable"': "engine-unreachable",
    '"invalid_api_key"': "refused-by-api",
    '"body_not_read"': "refused-by-api",
}
# What the recorder writes down had happened up to this long before: a kubelet looks at its containers once a
# second, and then tells. Clocks and the way to a client take less.
NOTED_LATE_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One cause, how many requests were lost to it, and the first of them."""

    cause: str
    meaning: str
    count: int
    request_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Losses:
    """All lost requests by cause, the most frequent first. The counts add up to `lost`."""

    lost: int
    unexplained: int
    causes: tuple[Cause, ...]


@dataclass(frozen=True, kw_only=True)
class _Cluster:
    """When the fault struck, when each pod that it hit was away for it, and when pods were otherwise.

    `hit_all` is true where every stream passes through the pods that it hit, whatever engine answers.
    """

    injected_s: float
    hit: Mapping[str, Absence]
    hit_all: bool
    away: Mapping[str, tuple[Absence, ...]]


def losses_of(fates: Fates, causes: Words) -> Losses:
    """Count the causes that `cause_of` found."""
    lost = np.flatnonzero(causes != "")
    words, ids = causes[lost], fates.request_id[lost]
    counted = sorted(Counter(words).items(), key=lambda one: (-one[1], one[0]))
    return Losses(
        lost=len(lost),
        unexplained=int((words == UNEXPLAINED).sum()),
        causes=tuple(
            Cause(
                cause=cause,
                meaning=MEANINGS[cause],
                count=count,
                request_ids=tuple(str(one) for one in ids[words == cause][:REQUEST_IDS_MAX]),
            )
            for cause, count in counted
        ),
    )


def cause_of(facts: Facts, fates: Fates, story: FaultStory | None) -> Words:
    """The cause of each loss, parallel to the fates; empty where the request was answered."""
    causes = np.full(len(fates.outcome), "", dtype=object)
    cluster = _cluster(facts, story)
    for at, loss in lost_of(facts, fates):
        causes[at] = next((cause for rule in RULES if (cause := rule(loss, cluster))), UNEXPLAINED)
    return causes


def _cluster(facts: Facts, story: FaultStory | None) -> _Cluster:
    """What the timeline tells of pods. One that the fault hit and that went suddenly was away at once."""
    away = absences_of(facts)
    if story is None or story.injected_s is None:
        return _Cluster(injected_s=math.inf, hit={}, hit_all=False, away=away)
    struck_s, hit_all = story.injected_s, bool(story.target.get("every_stream"))
    hit, others = {}, dict(away)
    for pod in story.pods:
        its = away.get(pod, ())
        stayed = Absence(from_s=struck_s, until_s=struck_s, what="unready", first="unready", reason="")
        first = next((one for one in its if one.until_s > struck_s), stayed)
        # A pod that is gone for the API may still die. What passes through it is safe with its successor.
        until_s = max(first.until_s, story.gone_s or 0.0) if hit_all else first.until_s
        hit[pod] = replace(first, from_s=struck_s if first.sudden else first.from_s, until_s=until_s)
        others[pod] = tuple(one for one in its if one is not first)
    return _Cluster(injected_s=struck_s, hit=hit, hit_all=hit_all, away=others)


def _by_client(loss: Lost, _cluster: _Cluster) -> str:
    """What did not leave the client, or was cut by it, or was answered wrong: the row alone says so."""
    return "wrong-answer" if loss.outcome == "bad_token" else CLIENTS.get(loss.outcome, "")


def _by_fault(loss: Lost, cluster: _Cluster) -> str:
    """Open on a pod that the fault hit, when it struck or while that pod was away for it."""
    if loss.outcome not in CUT or loss.end_s < cluster.injected_s or _was_in_hand(loss):
        return ""
    hits = [away for pod, away in cluster.hit.items() if cluster.hit_all or pod in loss.pods]
    struck = hits and loss.sent_s <= cluster.injected_s
    return "fault" if struck or any(_was_open_in(loss, away) for away in hits) else ""


def _by_absence(loss: Lost, cluster: _Cluster) -> str:
    """On a pod that something else took away. Not being ready takes nothing away."""
    if loss.outcome not in CUT or _was_in_hand(loss):
        return ""
    for away in (one for pod in loss.pods for one in cluster.away.get(pod, ())):
        if away.what != "unready" and _was_open_in(loss, away):
            return f"pod-{away.reason}" if f"pod-{away.reason}" in MEANINGS else f"pod-{away.what}"
    return ""


def _was_open_in(loss: Lost, away: Absence) -> bool:
    """Whether a request was open at some time of an absence."""
    return loss.sent_s <= away.until_s and loss.end_s >= away.from_s - NOTED_LATE_S


def _was_in_hand(loss: Lost) -> bool:
    """Whether an engine had it for as long as its client waited, and noticed its end at once: it was alive.

    One that hung has had it for longer, or, where it read of it only afterwards, for no time. Durations are
    compared, for clocks may differ.
    """
    if not loss.outcome.startswith("deadline") or loss.engine is None or _came_late(loss):
        return False
    had_s = loss.engine["end_s"] - loss.engine["received_s"]
    as_long = abs(had_s - (loss.end_s - loss.sent_s)) <= NOTED_LATE_S
    return bool(loss.engine.get("finish") == "cancelled" and as_long)


def _came_late(loss: Lost) -> bool:
    """Whether the engine that had it in the end received it only after the client had stopped waiting."""
    return loss.reached_s is not None and loss.reached_s > loss.end_s


def _by_engine(loss: Lost, _cluster: _Cluster) -> str:
    """Refused by an engine: it put its name on the answer, or a line into its log."""
    said_no = loss.engine is not None and loss.engine.get("finish") == "refused"
    return "refused-by-engine" if loss.outcome in REFUSED and (loss.served_by or said_no) else ""


def _by_ending(loss: Lost, _cluster: _Cluster) -> str:
    """Ended by the engine inside the answer: the answer says so, or the engine's log."""
    if loss.outcome == "error_event":
        return "engine-error"
    logged = loss.engine is not None and loss.engine.get("finish") == "abort"
    return "engine-aborted" if loss.outcome == "abort" or (loss.outcome in TRUNCATED and logged) else ""


def _by_mesh(loss: Lost, _cluster: _Cluster) -> str:
    """By the flags of the gateway's record, or by what a proxy behind it said to the client."""
    flags = mesh.flag_of(loss.gateway).split(",") if loss.gateway else []
    known = [one for one in flags if one in mesh.FLAGS and one not in NO_REASON]
    if loss.outcome in REFUSED:
        known += [flag for said, flag in PROXIES_SAY.items() if said in loss.detail]
    return f"mesh-{min(known, key=lambda one: one == POOR_REASON)}" if known else ""


def _by_api(loss: Lost, _cluster: _Cluster) -> str:
    """Refused by the api in its own words."""
    found = (cause for said, cause in API_SAYS.items() if loss.outcome in REFUSED and said in loss.detail)
    return next(found, "")


def _by_waiting(loss: Lost, _cluster: _Cluster) -> str:
    """A deadline of the client's; the engine's line tells where the request was then."""
    if loss.outcome not in WAITED:
        return "no-connection" if loss.outcome in {"refused", "deadline_connect"} else ""
    if _came_late(loss):
        return "deadline-on-the-way"
    engine = loss.engine or {}
    if engine.get("finish") in {"stop", "length"}:
        return "deadline-delivery"
    if engine.get("finish") != "cancelled":
        return "deadline"
    if engine.get("admitted_s") is None:
        return "deadline-queued"
    return "deadline-prefill" if engine.get("first_token_s") is None else "deadline-decode"


RULES: tuple[Callable[[Lost, _Cluster], str], ...] = (
    _by_client,
    _by_fault,
    _by_absence,
    _by_engine,
    _by_ending,
    _by_mesh,
    _by_api,
    _by_waiting,
)
