"""Rows of the faults that end an engine's pod or container, and of changes that people make to the stack."""

from types import ModuleType

from tests.e2e.conformance import Fault, engine_on

from sealegs.active import active_run
from sealegs.faults import config_change, container_kill, node_drain, noop, pod_delete, rolling_update


def engine_fault(module: ModuleType, *, lands_s: float, goes_s: float) -> Fault:
    """The row of a fault that is aimed at one engine by name."""

    def inject(node: str) -> None:
        with active_run() as run:
            pod = engine_on(run.api, node)
        module.inject(streams_min=0, pod=pod)

    def nothing(node: str) -> None:
        with active_run() as run:
            victim, streams = module.arm(run, streams_min=0, pod=engine_on(run.api, node))
            module.note_injected(run, victim, streams=streams)

    return Fault(
        name=module.FAULT, inject=inject, nothing=nothing, module=module, lands_s=lands_s, goes_s=goes_s
    )


def drain_nothing(node: str) -> None:
    """Aim at two nodes as their drain does and claim to have injected it, but change nothing."""
    noop.inject(streams_min=0, node=node, nodes=2)


def change_nothing(_node: str) -> None:
    """Aim as the change does and claim to have injected it, but change nothing."""
    with active_run() as run:
        target, streams = config_change.arm(run, streams_min=0, text="Answer in one word.")
        config_change.note_injected(run, target, streams=streams)


def roll_nothing_out(_node: str) -> None:
    """Aim as the rollout does and claim to have injected it, but change nothing."""
    with active_run() as run:
        target, streams = rolling_update.arm(run, streams_min=0)
        rolling_update.note_injected(run, target, streams=streams)


FAULTS = (
    engine_fault(pod_delete, lands_s=5, goes_s=60),
    engine_fault(container_kill, lands_s=15, goes_s=30),
    Fault(
        name="rolling_update",
        inject=lambda _: rolling_update.inject(streams_min=0),
        nothing=roll_nothing_out,
        module=rolling_update,
        lands_s=60,
        goes_s=90,
    ),
    Fault(
        name="config_change",
        inject=lambda _: config_change.inject(streams_min=0),
        nothing=change_nothing,
        module=config_change,
        goes_s=90,
    ),
    Fault(
        name="two_nodes_drain",
        inject=lambda node: node_drain.inject(streams_min=0, drain_limit_s=90, node=node, nodes=2),
        nothing=drain_nothing,
        module=node_drain,
    ),
)
