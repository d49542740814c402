"""An engine's container that begins anew inside its pod: seen to, waited for, and seen ready again."""

from typing import Any

from sealegs.active import ActiveRun
from sealegs.evidence import Undo
from sealegs.faults import engines, states
from sealegs.judgement.absences import restarts
from sealegs.kube import reads
from sealegs.kube.api import Api

# A kubelet looks at its containers once a second: before it has looked, all seems whole.
LOOKS_IN_A_ROW = 10


def seen_since(run: ActiveRun, injected: states.Record) -> dict[str, Any]:
    """How often the target's container was started again since injection, why it ended, whether it is ready.

    By the recorder's last word since then, and by a fresh read; against the recorder's last word before.
    """
    uid, struck_s = injected["target"]["uid"], injected["t_s"]
    words = [one for one in states.timeline(run) if one["kind"] == "pod" and one["uid"] == uid]
    before = max((restarts(one) for one in words if one["t_s"] < struck_s), default=0)
    since = [one for one in words if one["t_s"] >= struck_s]
    now = next((pod for pod in reads.pods(run.api, namespace=run.namespace) if pod.uid == uid), None)
    return {
        "source": "recorder and a fresh read",
        "recorded_restarts": restarts(since[-1]) - before if since else 0,
        "restarts": now.restarts - before if now else 0,
        "recorded_killed": since[-1]["killed"] if since else None,
        "killed": now.killed if now else None,
        "recorded_ready": bool(since) and bool(since[-1]["ready"]),
        "ready": now is not None and now.ready,
    }


def undo_one(api: Api, undo: Undo) -> str:
    """Wait until every engine that is wanted is ready and stays so; says so. TimeoutError when late."""
    args = states.only(undo, engines.AWAIT)
    return engines.await_whole(api, namespace=args["namespace"], successes=LOOKS_IN_A_ROW)


def ready_again(fault: str, *, limit_s: float) -> str:
    """The same pod is ready after its restart, by the recorder's last word and a fresh read. A sentence.

    Where nothing was changed, nothing has to go, and nothing is noted.

    Raises:
        ClusterError: the fault's undo has not been done.
        TimeoutError: the pod was not seen ready within `limit_s`.
    """
    return states.gone(
        fault,
        look=seen_since,
        ready=lambda seen: seen["recorded_ready"] and seen["ready"] and seen["restarts"],
        limit_s=limit_s,
        what=lambda target: f"pod {target['pods'][0]} ready again, its container another one",
    )
