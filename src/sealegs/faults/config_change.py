"""Changing a ConfigMap that pods have mounted as a folder: they are to serve the new text without a restart.

A kubelet renews the files of a mounted ConfigMap when it next looks at the pod, which it does about once a
minute, and at once when the pod itself changes: so people touch an annotation of each pod, and so does this.
Whether the pods take the new text up is no part of the fault: `watch` notes when each did.
"""

import hashlib
from threading import Event
from typing import Any

from sealegs import evidence
from sealegs.active import ActiveRun, active_run
from sealegs.errors import ClusterError
from sealegs.faults import states, targets
from sealegs.kube import acts, reads
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod
from sealegs.stack_shape import API
from sealegs.waiting import every, now_s

FAULT = "config_change"
CONFIG, KEY = "llm-prompts", "system.txt"
# How a pod tells which text it serves: by the first hexadecimal digits of its SHA-256.
METRIC, LABEL, SUM_CHARS = "llm_api_system_prompt_info", "sum", 12
TOUCHED = "sealegs/touched"
SET = "set"
LOOK_EVERY_S = 0.5


def inject(*, streams_min: int = 3, text: str = "Answer in one sentence.") -> dict[str, Any]:
    """Change the system prompt to `text` as soon as `streams_min` streams are in flight, and touch its pods.

    Raises:
        ClusterError: there is no such ConfigMap or no pod that serves it, or it has this text already.
        TimeoutError: too few streams came.
    """
    with active_run() as run:
        target, streams = arm(run, streams_min=int(streams_min), text=text)
        before = reads.config(run.api, CONFIG, namespace=run.namespace)[KEY]
        args = {"namespace": run.namespace, "text": before}
        evidence.record_undo(run.run_dir, fault=FAULT, action=SET, args=args)
        note_injected(run, target, streams=streams)
        _set(run.api, namespace=run.namespace, text=text, touched=target["sum"])
        return {**target, "streams": streams}


def landed(*, limit_s: float = 10.0) -> dict[str, Any]:
    """A fresh read of the ConfigMap has the new text. That is the fault; the pods' answer to it is `watch`'s.

    Raises:
        TimeoutError: it had not within `limit_s`: begins with ``fault did not land``.
        ClusterError: nothing was injected: begins likewise.
    """
    return states.landed(
        FAULT,
        look=_seen_beside,
        ready=lambda seen: seen["config"] == seen["wanted"],
        limit_s=float(limit_s),
        what=lambda _: f"the new text in ConfigMap {CONFIG}",
    )


def watch(*, limit_s: float = 30.0) -> dict[str, Any]:
    """Note what each pod serves, by its own word, whenever that changes: until all serve the new text.

    That they do not within `limit_s` is for the verdict to judge, and no reason to break the experiment off.
    """
    start_s, known = now_s(), dict[str, str]()
    with active_run() as run:
        wanted = states.injected(run, FAULT)["target"]["sum"]
        for looked_s in every(LOOK_EVERY_S, until=Event()):
            serving = _seen(run)["serving"]
            for pod in (name for name in serving if known.get(name) != serving[name]):
                run.timeline.note("config", pod=pod, sum=serving[pod], wanted=serving[pod] == wanted)
            known |= serving
            late = looked_s - start_s > float(limit_s)
            if late or (serving and set(serving.values()) == {wanted}):
                break
        run.timeline.note("config_watched", serving=serving, wanted=wanted)
    return {"serving": serving, "wanted": wanted}


def undo() -> str:
    """The ConfigMap holds its old text again, and its pods were touched. Safe to repeat."""
    with active_run() as run:
        return states.undo(run, FAULT, undo_one)


def undo_one(api: Api, undo: evidence.Undo) -> str:
    """Put the old text back and touch the pods; says so. Safe to repeat."""
    args = states.only(undo, SET)
    _set(api, namespace=args["namespace"], text=args["text"], touched=None)
    return f"ConfigMap {CONFIG} has its old text again"


def gone(*, limit_s: float = 100.0) -> str:
    """The ConfigMap holds another text than the fault's, and every pod serves that one. A sentence about it.

    Where nothing was changed, nothing has to go, and nothing is noted.

    Raises:
        ClusterError: the change was not undone.
        TimeoutError: a pod did not serve it within `limit_s`.
    """
    return states.gone(
        FAULT,
        look=_seen_beside,
        ready=lambda seen: (
            seen["config"] != seen["wanted"] and set(seen["serving"].values()) == {seen["config"]}
        ),
        limit_s=float(limit_s),
        what=lambda _: f"the old text in every pod of {API}",
    )


def arm(run: ActiveRun, *, streams_min: int, text: str) -> tuple[dict[str, Any], int]:
    """Note the fault as armed, and return when enough streams are in flight.

    Raises:
        ClusterError, TimeoutError: as `inject`.
    """
    seen = _seen(run)
    pods = sorted(seen["serving"])
    # These pods write no answer: every one passes through them.
    target = {"pods": pods, "config": CONFIG, "sum": sum_of(text), "every_stream": True}
    if set(seen["serving"].values()) != {seen["config"]}:
        raise ClusterError(
            f"nothing to change: not every pod of {API} serves ConfigMap {CONFIG}: {seen['serving']}"
        )
    if seen["config"] == target["sum"]:
        raise ClusterError(f"nothing to change: ConfigMap {CONFIG} holds that text already")
    states.note(run, FAULT, "armed", target=target, detail=f"waiting for {streams_min} streams in flight")
    engines = targets.ready_engines(run)
    return target, targets.streams_on(run, engines, least=streams_min, where="the engines")


def note_injected(run: ActiveRun, target: states.Record, *, streams: int) -> None:
    """Note the moment from which the fault counts as injected: right before the change."""
    states.note(run, FAULT, "injected", target=target, detail=f"{streams} streams in flight")


def sum_of(text: str) -> str:
    """What a pod calls a text: see ``stack/images/llm-api/prompt.go``."""
    return hashlib.sha256(text.strip().encode()).hexdigest()[:SUM_CHARS]


def _set(api: Api, *, namespace: str, text: str, touched: str | None) -> None:
    acts.set_config(api, CONFIG, namespace=namespace, key=KEY, text=text)
    for pod in _doors(api, namespace=namespace):
        acts.annotate_pod(api, pod, name=TOUCHED, value=touched)


def _doors(api: Api, *, namespace: str) -> list[Pod]:
    """The pods that serve the text and are to stay."""
    return [pod for pod in reads.pods(api, namespace=namespace) if pod.app == API and not pod.deleting]


def _seen(run: ActiveRun) -> dict[str, Any]:
    """The text that the ConfigMap holds and the one that each pod says it serves, by their sums."""
    data = reads.config(run.api, CONFIG, namespace=run.namespace)
    return {
        "source": "a fresh read and each pod's own metrics",
        "config": sum_of(data.get(KEY, "")),
        "serving": {pod.name: _served_by(run.api, pod) for pod in _doors(run.api, namespace=run.namespace)},
    }


def _seen_beside(run: ActiveRun, struck: states.Record) -> dict[str, Any]:
    """The same beside the text that the fault sets."""
    return {**_seen(run), "wanted": struck["target"]["sum"]}


def _served_by(api: Api, pod: Pod) -> str:
    """What a pod says that it serves; empty when it does not say."""
    try:
        return ", ".join(sorted(reads.metric_labels(api, pod, metric=METRIC, label=LABEL)))
    except ClusterError:
        return ""
