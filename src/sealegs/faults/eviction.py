"""Evicting the pods of a node side by side, as a drain does: asked again while a budget refuses."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from http import HTTPStatus
from threading import Event

from sealegs.active import ActiveRun
from sealegs.errors import ClusterError
from sealegs.kube import acts, reads
from sealegs.kube.api import Answer
from sealegs.kube.objects import Pod
from sealegs.waiting import now_s, wait_until

ASK_AGAIN_S = 1.0
LOOK_EVERY_S = 0.25
# Granted, or the pod was gone before.
SETTLED = (HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NOT_FOUND)
# Several budgets cover the pod: no API server will ever grant this one.
NEVER = HTTPStatus.INTERNAL_SERVER_ERROR


@dataclass(frozen=True, kw_only=True)
class Eviction:
    """How the eviction of one pod went: refusals for a budget's sake, and why it is still there, if it is."""

    pod: str
    refused: int
    left: str = ""
    late: bool = False


def evict_all(run: ActiveRun, pods: Sequence[Pod], *, node: str, limit_s: float) -> list[Eviction]:
    """Evict pods and return when all of them are gone; every answer of the API is noted.

    Raises:
        TimeoutError: some were left after `limit_s`: says which, how often refused, and by which budget.
        ClusterError: some were left, and more time would not have helped.
    """
    deadline_s = now_s() + limit_s
    given_up = Event()
    with ThreadPoolExecutor(max_workers=max(1, len(pods))) as pool:
        try:
            asked = [pool.submit(_evict, run, pod, deadline_s=deadline_s, given_up=given_up) for pod in pods]
            # In slices: a signal that comes just before a thread blocks is heard only when it wakes.
            while wait(asked, timeout=LOOK_EVERY_S).not_done:
                continue
        finally:
            # Who interrupts a drain wants its rollback now, and nothing evicted after that.
            given_up.set()
    done = [one.result() for one in asked]
    left = [one for one in done if one.left]
    if left:
        listed = "; ".join(f"{one.pod}: {one.left}" for one in left)
        told = (
            f"the drain of {node} left {len(left)} of {len(done)} pods after {limit_s:g} s at most: {listed}"
        )
        raise TimeoutError(told) if any(one.late for one in left) else ClusterError(told)
    return done


def _evict(run: ActiveRun, pod: Pod, *, deadline_s: float, given_up: Event) -> Eviction:
    """Ask for one pod's eviction until it is granted, then wait until the pod is gone or all is given up."""
    answers: list[Answer] = []

    def ask() -> Answer:
        answer = acts.evict(run.api, pod)
        answers.append(answer)
        known = {"pod": pod.name, "uid": pod.uid, "status": answer.status, "pdb": acts.refusing_pdb(answer)}
        run.timeline.note("eviction", **known, message=answer.message)
        return answer

    def settled(answer: Answer) -> bool:
        # By now the name may be another pod's, which a drain that began earlier has no business with.
        taken = answer.status == HTTPStatus.CONFLICT and not reads.pod_is_there(run.api, pod)
        return answer.status in SETTLED or taken

    left, late = "", False
    try:
        wait_until(
            ask,
            ready=settled,
            error=lambda answer: answer.status == NEVER or given_up.is_set(),
            limit_s=deadline_s - now_s(),
            every_s=ASK_AGAIN_S,
            what=f"the eviction of {pod.name}",
        )
        wait_until(
            lambda: reads.pod_is_there(run.api, pod),
            ready=lambda there: not there,
            error=lambda _: given_up.is_set(),
            limit_s=deadline_s - now_s(),
            every_s=LOOK_EVERY_S,
            what=f"{pod.name} to be gone",
        )
    except ClusterError as failed:
        left = str(failed)
    except TimeoutError:
        left, late = _why_left(answers), answers[-1].status != NEVER
    refused = sum(answer.status == HTTPStatus.TOO_MANY_REQUESTS for answer in answers)
    return Eviction(pod=pod.name, refused=refused, left=left, late=late)


def _why_left(answers: Sequence[Answer]) -> str:
    """Why a pod is still there, from what the API server answered."""
    last = answers[-1]
    if last.status == HTTPStatus.TOO_MANY_REQUESTS:
        refusals = [answer for answer in answers if answer.status == last.status]
        budgets = sorted({acts.refusing_pdb(answer) or "that it does not name" for answer in refusals})
        return f"{len(refusals)} evictions refused (429) by disruption budget {', '.join(budgets)}"
    if last.status in SETTLED:
        return "eviction granted, but its containers have not ended"
    return f"eviction refused with {last.status}: {last.message}"
