"""Rows of the faults that take a node, or what is on it, away."""

from tests.e2e.conformance import Fault, engine_on

from sealegs.active import active_run
from sealegs.faults import node_drain, node_loss, noop, pod_kill


def kill_nothing(node: str) -> None:
    """Aim at the node's engine as the kill does and claim to have injected it, but change nothing."""
    with active_run() as run:
        victim, streams = pod_kill.arm(run, streams_min=0, pod=engine_on(run.api, node))
        pod_kill.note_injected(run, victim, streams=streams)


def lose_nothing(node: str) -> None:
    """Aim as the loss does and claim to have injected it, but change nothing."""
    with active_run() as run:
        target, streams = node_loss.arm(run, streams_min=0, node=node)
        node_loss.note_injected(run, target, streams=streams)


def kill_engine(node: str) -> None:
    """Kill the engine on a node."""
    with active_run() as run:
        pod = engine_on(run.api, node)
    pod_kill.inject(streams_min=0, pod=pod)


FAULTS = (
    Fault(
        name="node_drain",
        inject=lambda node: node_drain.inject(streams_min=0, node=node),
        nothing=lambda node: noop.inject(streams_min=0, node=node),
        module=node_drain,
    ),
    Fault(name="pod_kill", inject=kill_engine, nothing=kill_nothing, module=pod_kill),
    Fault(
        name="node_loss",
        inject=lambda node: node_loss.inject(streams_min=0, node=node),
        nothing=lose_nothing,
        module=node_loss,
        lands_s=75,
        goes_s=60,
    ),
)
