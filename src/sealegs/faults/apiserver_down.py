"""The API server away, frozen where it stands: it takes connections and says nothing.

Frozen and not stopped. Silence is the worse half of an outage: who asks without a limit hangs, and what was
connected still looks alive. It begins and ends at once, where a static pod whose manifest is moved away ends
and starts again in its own time. And it heals itself: kubeadm gives the API server a liveness probe of eight
looks ten seconds apart, after which its kubelet, which needs no API for that, starts another.
"""

from typing import Any

from sealegs import evidence
from sealegs.active import ActiveRun, active_run
from sealegs.cluster.command import output
from sealegs.errors import ClusterError
from sealegs.faults import services, states
from sealegs.kube import reads
from sealegs.kube.api import Api
from sealegs.waiting import wait_until

FAULT = "apiserver_down"
PROGRAM = "kube-apiserver"
# How `ps` begins the state of a process that a signal has stopped.
FROZEN = "T"
ANSWER_LIMIT_S = 1.0
BACK_LIMIT_S = 60.0
LOOK_EVERY_S = 0.2


def inject(*, streams_min: int = 3) -> dict[str, Any]:
    """Freeze every API server of the cluster as soon as `streams_min` streams are in flight.

    Raises:
        ClusterError: the cluster was not made here, no control plane is seen, or Docker failed.
        TimeoutError: too few streams came.
    """
    with active_run() as run:
        target, streams = arm(run, streams_min=int(streams_min))
        args = {"nodes": target["nodes"]}
        evidence.record_undo(run.run_dir, fault=FAULT, action="continue", args=args)
        note_injected(run, target, streams=streams)
        for node in target["nodes"]:
            _on(node, f"pkill -STOP -x {PROGRAM}")
        return {**target, "streams": streams}


def landed(*, limit_s: float = 10.0) -> dict[str, Any]:
    """A fresh request is not answered, as those before injection were, and the processes are frozen.

    Raises as `states.landed` does.
    """
    return states.landed(
        FAULT,
        look=_seen,
        ready=lambda seen: not seen["answers"] and all(seen["frozen"].values()),
        limit_s=float(limit_s),
        what=lambda target: f"the API server of {', '.join(target['nodes'])} frozen and silent",
    )


def undo() -> str:
    """The API server goes on, and answers. Safe to repeat."""
    with active_run() as run:
        return states.undo(run, FAULT, undo_one)


def undo_one(api: Api, undo: evidence.Undo) -> str:
    """Let the API servers go on, for which Docker is enough, and wait for an answer; says so. Safe to repeat.

    One that its kubelet has started anew meanwhile was never frozen, and one that it is starting now is not
    there to be: neither is an error.

    Raises:
        ClusterError: Docker failed, or the undo is not one of this fault's.
        TimeoutError: no answer came within `BACK_LIMIT_S`.
    """
    args = states.only(undo, "continue")
    for node in args["nodes"]:
        _on(node, f"pkill -CONT -x {PROGRAM} || true")
    wait_until(
        lambda: reads.answers(api, limit_s=ANSWER_LIMIT_S),
        ready=bool,
        limit_s=BACK_LIMIT_S,
        every_s=LOOK_EVERY_S,
        what="the API server to answer again",
    )
    return f"the API server of {', '.join(args['nodes'])} goes on and answers"


def gone(*, limit_s: float = 60.0) -> str:
    """A fresh request is answered, nothing is frozen, and the recorder sees the cluster again. A sentence.

    Where nothing was changed nothing has to go; raises as `states.gone` does.
    """
    return states.gone(
        FAULT,
        look=_seen,
        ready=lambda seen: seen["answers"] and not any(seen["frozen"].values()) and seen["looks"],
        limit_s=float(limit_s),
        what=lambda target: f"the API server of {', '.join(target['nodes'])} answering us and the recorder",
    )


def arm(run: ActiveRun, *, streams_min: int) -> tuple[dict[str, Any], int]:
    """Find the control plane, note the fault as armed, and return when enough streams are in flight.

    Raises:
        ClusterError, TimeoutError: as `inject`.
    """
    if not run.owned:
        raise ClusterError("apiserver_down freezes a process of a node: only of the cluster made here")
    nodes = sorted(node.name for node in reads.nodes(run.api) if node.control_plane)
    if not nodes:
        raise ClusterError("nothing to freeze: no node of the cluster is labelled as its control plane")
    target = {"api_server": True, "every_stream": True, "nodes": nodes}
    return target, services.arm(run, FAULT, target=target, streams_min=streams_min)


def note_injected(run: ActiveRun, target: states.Record, *, streams: int) -> None:
    """Note the moment from which the fault counts as injected: right before the freeze."""
    states.note(run, FAULT, "injected", target=target, detail=f"{streams} streams in flight")


def _seen(run: ActiveRun, injected: states.Record) -> dict[str, Any]:
    """Whether the API server answers now, which of its processes are frozen, and who else was answered."""
    nodes: list[str] = injected["target"]["nodes"]
    processes = {node: _on(node, f"ps -C {PROGRAM} -o stat= || true") for node in nodes}
    undone = states.last(run, FAULT, "undone")
    looks = evidence.read_lines(run.run_dir / "samples.jsonl").records if undone else ()
    return {
        "source": "a fresh request, the processes and the recorder",
        "answers": reads.answers(run.api, limit_s=ANSWER_LIMIT_S),
        "frozen": {node: state.startswith(FROZEN) for node, state in processes.items()},
        "looks": sum(one["t_s"] >= undone["t_s"] for one in looks) if undone else 0,
    }


def _on(node: str, script: str) -> str:
    """What a shell of a node says to a script; the way to it leads through Docker, not through the API."""
    return output(["docker", "exec", node, "sh", "-c", script])
