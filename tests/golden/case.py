"""The made-up runs: what happens in all of them and when, and how each differs."""

from dataclasses import dataclass

T0_S = 5_000.0  # the runner's monotonic clock at run start
LOAD_S, WARMUP_S, BASELINE_S, LOADED_S = 20.0, 10.0, 60.0, 190.0
BASELINE_AT_S = LOAD_S + WARMUP_S
FAULT_AT_S = BASELINE_AT_S + BASELINE_S
INJECTED_S = FAULT_AT_S + 3.0
END_S = LOAD_S + LOADED_S + 2.0
NODES = ("sealegs-worker", "sealegs-worker2", "sealegs-worker3")
PODS = ("llm-inference-5c9d-aaaaa", "llm-inference-5c9d-bbbbb", "llm-inference-5c9d-ccccc")
VICTIM, REPLACEMENT = PODS[1], "llm-inference-5c9d-ddddd"
READY_AGAIN_S = INJECTED_S + 12.0


@dataclass(frozen=True, kw_only=True)
class Case:
    """How a made-up run differs from one in which all is well."""

    aborts: bool = False  # the drained engine cuts its streams
    lands: bool = True
    refused_share: float = 0.0  # of requests, by the gateway, from the start
    killed_at_s: float | None = None  # everything later was never written
    hold_s: float = 30.0  # from landed to undone
    lacks: str = ""  # what the cluster lacks: nothing was begun


CASES = {
    "pass": Case(),
    "fail-truncated": Case(aborts=True),
    "invalid-not-landed": Case(lands=False),
    "invalid-baseline": Case(refused_share=0.05),
    "killed": Case(killed_at_s=INJECTED_S + 5.0),
    "inconclusive-thin": Case(hold_s=0.5),
    "invalid-missing": Case(lacks="metrics (no APIService metrics.k8s.io; install metrics-server)"),
}
