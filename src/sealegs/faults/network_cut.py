"""A GPU node cut off the network while everything on it goes on: both ways, or one way.

Both ways it looks like a lost node from outside, after the 40-55 s that the control plane takes to notice,
and on it nobody knows. One way, ``in``, what others send to its pods is dropped while the heartbeats of its
kubelet pass: the node is ready, its pods are, and nobody reaches them. Rules in the node's own network
namespace drop packets without a word, so that streams hang and no connection is refused.
"""

from typing import Any

from sealegs import evidence
from sealegs.active import ActiveRun, active_run
from sealegs.cluster.command import output
from sealegs.errors import ClusterError
from sealegs.faults import states, targets
from sealegs.kube import reads
from sealegs.kube.api import Api
from sealegs.waiting import wait_until

FAULT = "network_cut"
CHAIN = "SEALEGS"
# Where packets of the node itself and of its pods pass on their way from and to other machines.
HOOKS = {
    "in": ("FORWARD -i eth0",),
    "both": ("INPUT -i eth0", "OUTPUT -o eth0", "FORWARD -i eth0", "FORWARD -o eth0"),
}
# What recorder and API server then say of whether it is ready; None is no word.
NOTICED = {"in": (None, True), "both": (False, False)}
# What answers on the node whenever it is reached: its kubelet; a pod's own agent, whatever the mesh allows.
KUBELET, AGENT = "https://{node}:10250/healthz", "http://{ip}:15020/healthz/ready"
SILENT = "000"
BACK_LIMIT_S = 60.0
LOOK_EVERY_S = 0.2


def inject(*, streams_min: int = 3, node: str = "", way: str = "both") -> dict[str, Any]:
    """Cut one node with GPUs off the network as soon as `streams_min` streams are in flight on it.

    `way` is ``both``, or ``in`` for what others send to its pods. The seed picks the node among those that
    serve streams now, unless `node` names one.

    Raises:
        ClusterError: the cluster was not made here, there is no such node or way, or it is not reached.
        TimeoutError: too few streams came.
    """
    with active_run() as run:
        target, streams = arm(run, streams_min=int(streams_min), node=node, way=way)
        evidence.record_undo(run.run_dir, fault=FAULT, action="join", args={"node": target["node"]})
        note_injected(run, target, streams=streams)
        hooks = [f"iptables -w -I {hook} -j {CHAIN}" for hook in HOOKS[way]]
        _on(
            target["node"],
            " && ".join([f"iptables -w -N {CHAIN}", f"iptables -w -A {CHAIN} -j DROP", *hooks]),
        )
        return {**target, "streams": streams}


def landed(*, limit_s: float = 75.0) -> dict[str, Any]:
    """Another node no longer reaches this one, whose machine is on; both ways, its loss has been noticed.

    One way, nobody has: the recorder saw no change of the node and a fresh read has it ready.

    Raises as `states.landed` does.
    """
    return states.landed(
        FAULT,
        look=_seen,
        ready=lambda seen: (
            not seen["reached"]
            and seen["running"]
            and (seen["recorded_ready"], seen["ready"]) == NOTICED[seen["way"]]
        ),
        limit_s=float(limit_s),
        what=lambda target: f"node {target['node']} cut off from {target['from']}",
    )


def undo() -> str:
    """The node's rules are gone, and it is ready. Safe to repeat."""
    with active_run() as run:
        return states.undo(run, FAULT, undo_one)


def undo_one(api: Api, undo: evidence.Undo) -> str:
    """Take our own rules away, and no others, and wait until the node is ready; says so. Safe to repeat.

    Raises:
        ClusterError: Docker failed, a rule stayed, or the undo is not one of this fault's.
        TimeoutError: the node was not ready within `BACK_LIMIT_S`.
    """
    args = states.only(undo, "join")
    name = args["node"]
    rules = [f"while iptables -w -D {hook} -j {CHAIN}; do :; done" for hook in HOOKS["both"]]
    chain = [f"iptables -w -F {CHAIN}", f"iptables -w -X {CHAIN}"]
    _on(name, "; ".join([f"{{ {'; '.join([*rules, *chain])}; }} 2>/dev/null", f"! iptables -w -S {CHAIN}"]))
    wait_until(
        lambda: reads.node(api, name),
        ready=lambda node: node.ready and node.gpus,
        limit_s=BACK_LIMIT_S,
        every_s=LOOK_EVERY_S,
        what=f"node {name} to be ready, with its GPUs",
    )
    return f"joined {name} to the network"


def gone(*, limit_s: float = 60.0) -> str:
    """Another node reaches this one, and it is ready by the recorder and by a fresh read. A sentence.

    Where nothing was changed nothing has to go; raises as `states.gone` does.
    """
    return states.gone(
        FAULT,
        look=_seen,
        ready=lambda seen: seen["reached"] and seen["recorded_ready"] is not False and seen["ready"],
        limit_s=float(limit_s),
        what=lambda target: f"node {target['node']} reached from {target['from']}, and ready",
    )


def arm(run: ActiveRun, *, streams_min: int, node: str, way: str) -> tuple[dict[str, Any], int]:
    """Pick the node, note the fault as armed, and return when enough streams are in flight on it.

    Raises:
        ClusterError, TimeoutError: as `inject`.
    """
    if not run.owned:
        raise ClusterError("network_cut sets rules on a node: it is done only to the cluster made here")
    if way not in HOOKS:
        raise ClusterError(f"nothing to cut: the way is {way!r}, it can be {' or '.join(sorted(HOOKS))}")
    candidates = targets.serving_nodes(run, node=node, to="cut off")
    chosen = node or targets.busy(run, candidates)
    pods = [pod.name for pod in reads.pods(run.api, node=chosen) if pod.namespace == run.namespace]
    address = AGENT.format(ip=candidates[chosen][0].ip) if way == "in" else KUBELET.format(node=chosen)
    others = sorted(one.name for one in reads.nodes(run.api) if one.ready and one.name != chosen)
    if not others:
        raise ClusterError(f"nothing to cut {chosen} off from: no other node is ready")
    target = {"node": chosen, "pods": sorted(pods), "way": way, "from": others[0], "address": address}
    if not _reached(target):
        raise ClusterError(f"a cut of {chosen} could not be told: {others[0]} does not reach {address} now")
    waiting = f"waiting for {streams_min} streams in flight on it"
    states.note(run, FAULT, "armed", target=target, detail=waiting)
    return target, targets.streams_on(run, candidates[chosen], least=streams_min, where=chosen)


def note_injected(run: ActiveRun, target: states.Record, *, streams: int) -> None:
    """Note the moment from which the fault counts as injected: right before the first rule."""
    told = f"{streams} streams in flight; {len(target['pods'])} pods on it"
    states.note(run, FAULT, "injected", target=target, detail=told)


def _seen(run: ActiveRun, injected: states.Record) -> dict[str, Any]:
    """Whether another node reaches the target, and what recorder, API server and Docker say of it since."""
    target = injected["target"]
    records = states.timeline(run, since_s=injected["t_s"])
    words = [one for one in records if one["kind"] == "node" and one["name"] == target["node"]]
    running = output(["docker", "inspect", "--format", "{{.State.Running}}", target["node"]])
    return {
        "source": "a request from another node, recorder, a fresh read and Docker",
        "way": target["way"],
        "reached": _reached(target),
        "recorded_ready": words[-1]["ready"] if words else None,
        "ready": reads.node(run.api, target["node"]).ready,
        "running": running == "true",
    }


def _reached(target: states.Record) -> bool:
    """Whether a request from another node gets any answer within a second."""
    asked = f"curl -sk -m 1 -o /dev/null -w '%{{http_code}}' {target['address']} || true"
    return _on(target["from"], asked) != SILENT


def _on(node: str, script: str) -> str:
    """What a shell of a node says to a script; Docker's way to it is not the network that is cut."""
    return output(["docker", "exec", node, "sh", "-c", script])
