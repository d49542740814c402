"""Rolling out another pod template of the engines while they serve, and back: no stream has to be cut.

The template gets an annotation, as from `kubectl rollout restart`, which its pods then carry: so a pod itself
tells of which template it is. Taken away, the old ReplicaSet is the wanted one again.
"""

from typing import Any

from sealegs import evidence
from sealegs.active import ActiveRun, active_run
from sealegs.faults import engines, states
from sealegs.kube import acts, reads
from sealegs.kube.api import Api
from sealegs.probes import ENGINES

FAULT = "rolling_update"
ANNOTATION = "sealegs/rolled-out-by"
ROLL_BACK = "roll-back"


def inject(*, streams_min: int = 3) -> dict[str, Any]:
    """Give the engines another template as soon as `streams_min` streams are in flight on them together.

    Raises:
        ClusterError: there is no ready engine, or its deployment cannot be changed.
        TimeoutError: too few streams came.
    """
    with active_run() as run:
        target, streams = arm(run, streams_min=int(streams_min))
        args = {"namespace": run.namespace, "deployment": run.api.shape.engines.deployment}
        evidence.record_undo(run.run_dir, fault=FAULT, action=ROLL_BACK, args=args)
        note_injected(run, target, streams=streams)
        acts.annotate_template(run.api, **args, name=ANNOTATION, value=run.run_dir.name)
        return {**target, "streams": streams}


def landed(*, limit_s: float = 60.0) -> dict[str, Any]:
    """Every engine is of the new template, which pods say themselves, and ready, which the recorder saw too.

    Those of the old one are on their way out, or gone.

    Raises:
        TimeoutError: not within `limit_s`: begins with ``fault did not land``.
        ClusterError: nothing was injected: begins likewise.
    """
    return states.landed(
        FAULT,
        look=lambda run, _: _seen(run),
        ready=lambda seen: seen["whole"] and seen["new"] and not (seen["old"] or seen["unseen"]),
        limit_s=float(limit_s),
        what=lambda _: "every engine of the new template",
    )


def undo() -> str:
    """The engines' template is the old one again, which rolls it out. Safe to repeat."""
    with active_run() as run:
        return states.undo(run, FAULT, undo_one)


def undo_one(api: Api, undo: evidence.Undo) -> str:
    """Take the annotation from the template again; says so. Safe to repeat."""
    args = states.only(undo, ROLL_BACK)
    acts.annotate_template(api, **args, name=ANNOTATION, value=None)
    return f"rolled {args['deployment']} back"


def gone(*, limit_s: float = 160.0) -> str:
    """No pod of the new template is there, and all engines that are wanted are ready, as the recorder saw.

    By default the pods of the new template may take all of their grace, which is 150 s. Where nothing was
    changed, nothing has to go, and nothing is noted.

    Raises:
        ClusterError: the rollout was not undone.
        TimeoutError: that was not seen within `limit_s`.
    """
    return states.gone(
        FAULT,
        look=lambda run, _: _seen(run),
        ready=lambda seen: seen["whole"] and seen["old"] and not (seen["carrying"] or seen["unseen"]),
        limit_s=float(limit_s),
        what=lambda _: "every engine of the old template again",
    )


def arm(run: ActiveRun, *, streams_min: int) -> tuple[dict[str, Any], int]:
    """Note the fault as armed, and return when enough streams are in flight on the engines together.

    Raises:
        ClusterError, TimeoutError: as `inject`.
    """
    return engines.arm_all(run, FAULT, streams_min=streams_min, to="roll out")


def note_injected(run: ActiveRun, target: states.Record, *, streams: int) -> None:
    """Note the moment from which the fault counts as injected: right before the template changes."""
    states.note(run, FAULT, "injected", target=target, detail=f"{streams} streams in flight")


def _seen(run: ActiveRun) -> dict[str, Any]:
    """Engines that are to stay, by their template, and which are not ready by the recorder's last word.

    `carrying` is every pod of the new template, ending or not.
    """
    words = [one for one in states.timeline(run) if one["kind"] == "pod"]
    ready = {one["uid"]: bool(one["ready"]) for one in words}
    carrying = reads.annotated(run.api, ANNOTATION, namespace=run.namespace)
    there = [pod for pod in reads.pods(run.api, namespace=run.namespace) if pod.app == ENGINES]
    staying = [pod for pod in there if not pod.deleting]
    return {
        "source": "recorder and a fresh read",
        "new": [pod.name for pod in staying if pod.uid in carrying],
        "old": [pod.name for pod in staying if pod.uid not in carrying],
        "unseen": [pod.name for pod in staying if not ready.get(pod.uid)],
        "carrying": [pod.name for pod in there if pod.uid in carrying],
        "whole": engines.is_whole(run.api, namespace=run.namespace),
    }
