"""A drain that says that it drains and does not: what the landed check is tried on."""

from typing import Any

from sealegs.active import active_run
from sealegs.faults import node_drain


def inject(
    *,
    streams_min: int = 3,
    drain_limit_s: float = 60.0,  # noqa: ARG001  the same parameters as the drain's
    node: str = "",
    nodes: int = 1,
) -> dict[str, Any]:
    """Aim as the drain does and claim to have injected it, but change nothing."""
    with active_run() as run:
        aim = node_drain.arm(run, streams_min=int(streams_min), node=node, nodes=int(nodes))
        node_drain.note_injected(run, aim)
        return {**aim.target, "streams": aim.streams, "refused": {}, "skipped": dict(aim.plan.skipped)}
