"""Rows of the faults of engines that do wrong, and of what they run on."""

from tests.e2e.conformance import Fault, engine_on
from tests.e2e.pod_rows import engine_fault

from sealegs.active import active_run
from sealegs.faults import device_unhealthy, engine_answers, engine_hang, engine_oom, model_load


def wrong(name: str, **told: float) -> Fault:
    """The row of one way to answer wrong."""

    def inject(node: str) -> None:
        with active_run() as run:
            pod = engine_on(run.api, node)
        engine_answers.inject(streams_min=0, pod=pod, **told)  # type: ignore[arg-type]

    def nothing(node: str) -> None:
        sound = {"status": 0, "reset_at_token": 0, "share": 1.0, "slow_factor": 1.0}
        with active_run() as run:
            pod = engine_on(run.api, node)
            aim = engine_answers.arm(run, sound | told, engines=1, pod=pod, streams_min=0)
            engine_answers.note_injected(run, aim)

    return Fault(name=name, inject=inject, nothing=nothing, module=engine_answers, lands_s=15)


def fail_no_device(node: str) -> None:
    """Aim at the GPU of a node's engine and claim to have marked it, but change nothing."""
    with active_run() as run:
        aim = device_unhealthy.arm(run, streams_min=0, pod=engine_on(run.api, node))
        device_unhealthy.note_injected(run, aim)


def fail_device(node: str) -> None:
    """Mark the GPU of the engine on a node."""
    with active_run() as run:
        pod = engine_on(run.api, node)
    device_unhealthy.inject(streams_min=0, pod=pod)


def roll_out_nothing(_: str) -> None:
    """Aim as the rollout does and claim to have injected it, but change nothing."""
    with active_run() as run:
        target, streams = model_load.arm(run, streams_min=0)
        model_load.note_injected(run, target, {"MODEL_PATH": model_load.ABSENT}, streams=streams)


FAULTS = (
    wrong("engine_answers_503", status=503),
    wrong("engine_answers_some_503", status=503, share=0.3),
    wrong("engine_resets", reset_at_token=4),
    wrong("engine_slow", slow_factor=20),
    engine_fault(engine_hang, lands_s=20, goes_s=30),
    engine_fault(engine_oom, lands_s=30, goes_s=30),
    Fault(
        name="device_unhealthy",
        inject=fail_device,
        nothing=fail_no_device,
        module=device_unhealthy,
        lands_s=20,
    ),
    Fault(
        name="model_load",
        inject=lambda _: model_load.inject(streams_min=0),
        nothing=roll_out_nothing,
        module=model_load,
        lands_s=60,
        goes_s=60,
    ),
)
