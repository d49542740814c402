"""Rows of the faults that take away what steers the stack, its door, or the network between."""

from tests.e2e.conformance import Fault

from sealegs.active import active_run
from sealegs.faults import apiserver_down, deployment_down, gateway_kill, network_cut

ISTIOD = {"namespace": "istio-system", "deployment": "istiod"}
ADAPTER = {"namespace": "monitoring", "deployment": "prometheus-adapter"}


def freeze_nothing(_: str) -> None:
    """Aim as the freeze does and claim to have injected it, but change nothing."""
    with active_run() as run:
        target, streams = apiserver_down.arm(run, streams_min=0)
        apiserver_down.note_injected(run, target, streams=streams)


def kill_nothing(_: str) -> None:
    """Aim as the kill does and claim to have injected it, but change nothing."""
    with active_run() as run:
        victim, streams = gateway_kill.arm(run, streams_min=0, pod="")
        gateway_kill.note_injected(run, victim, streams=streams)


def down(name: str, **deployment: str) -> Fault:
    """The row of a deployment that is scaled to nothing."""

    def nothing(_: str) -> None:
        with active_run() as run:
            aim = deployment_down.arm(run, **deployment, service="", streams_min=0)
            deployment_down.note_injected(run, aim)

    return Fault(
        name=name,
        inject=lambda _: deployment_down.inject(**deployment, streams_min=0),
        nothing=nothing,
        module=deployment_down,
        lands_s=45,
        goes_s=30,
    )


def cut(name: str, *, way: str, lands_s: float) -> Fault:
    """The row of a cut of one way or of both."""

    def nothing(node: str) -> None:
        with active_run() as run:
            target, streams = network_cut.arm(run, streams_min=0, node=node, way=way)
            network_cut.note_injected(run, target, streams=streams)

    return Fault(
        name=name,
        inject=lambda node: network_cut.inject(streams_min=0, node=node, way=way),
        nothing=nothing,
        module=network_cut,
        lands_s=lands_s,
        goes_s=60,
    )


FAULTS = (
    Fault(
        name="apiserver_down",
        inject=lambda _: apiserver_down.inject(streams_min=0),
        nothing=freeze_nothing,
        module=apiserver_down,
        lands_s=10,
        goes_s=60,
    ),
    down("istiod_down", **ISTIOD),
    down("adapter_down", **ADAPTER),
    Fault(
        name="gateway_kill",
        inject=lambda _: gateway_kill.inject(streams_min=0),
        nothing=kill_nothing,
        module=gateway_kill,
        lands_s=10,
    ),
    cut("network_cut", way="both", lands_s=75),
    cut("network_one_way", way="in", lands_s=10),
)
