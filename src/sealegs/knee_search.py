"""The search for the knee: one rate after the other is sent as a run's load is, and nothing is broken."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sealegs import load_pods, stack, stack_choice, tables
from sealegs.cluster import Cluster, at_gateway
from sealegs.errors import ClusterError, ScenarioError
from sealegs.evidence import read_json
from sealegs.judgement import goodput
from sealegs.judgement.facts import Interval
from sealegs.judgement.fates import Fates, join
from sealegs.knee import SETTLE_S, WINDOW_S, Knee, Step, knee_of, next_rate, step_of, unsent
from sealegs.knee_files import folder_of, write
from sealegs.kube import lease
from sealegs.kube.api import connect
from sealegs.scenario import Scenario
from sealegs.scenario.arrivals import Arrivals
from sealegs.scenario.claim import Phases
from sealegs.stack_shape import StackShape
from sealegs.traffic import capacity, load, schedule
from sealegs.traffic.load import LEAD_S, Load
from sealegs.waiting import TIMEOUTS, now_ns, now_s, wait_until

# No step begins that would not end by then.
SEARCH_S_MAX = 240.0
LOOK_EVERY_S = 0.1

# Told what goes on, again and again; and each step when it is over.
Now = Callable[[str], None]
Tried = Callable[[Step], None]


@dataclass(frozen=True, kw_only=True)
class Searched:
    """What a search found, from which steps, and the file that has it."""

    knee: Knee
    steps: tuple[Step, ...]
    path: Path


def search(scenario: Scenario, cluster: Cluster, *, start_rps: float, now: Now, tried: Tried) -> Searched:
    """Find the knee of the scenario's stack under its traffic, from `start_rps` on, within four minutes.

    The stack stays as it was applied. Each step has a folder with its requests.

    Raises:
        ScenarioError: the scenario says nothing of its baseline, or nothing can be sent of its traffic.
        ClusterError: the cluster has not opted in, is somebody else's, or refused the stack.
        TimeoutError: the stack was not ready in time, or load did not end.
    """
    if not goodput.of_baseline(scenario.objectives):
        raise ScenarioError([f"{scenario.path}: no objective of the baseline, so nothing can hold or break"])
    shape = stack_choice.shape_for(scenario)
    stack.require_opt_in(cluster, shape=shape)
    cluster = at_gateway(cluster, shape.gateway)
    folder = folder_of(scenario, started=datetime.now(UTC))
    steps: list[Step] = []
    with _held(cluster, shape, holder=folder.name) as lost:
        now("applying the stack")
        overlay = stack_choice.overlay_for(scenario, shape)
        stack.apply(cluster, overlay=overlay, mutant=scenario.stack_mutant, shape=shape)
        key = stack.api_key(cluster, shape=shape)
        begun_s, longest_s = now_s(), 0.0
        while (rate_rps := next_rate(steps, start_rps=start_rps)) is not None:
            step_begun_s = now_s()
            if step_begun_s - begun_s + longest_s > SEARCH_S_MAX:
                break
            asked = at_rate(scenario, rate_rps, number=len(steps))
            run_dir = folder / f"{len(steps) + 1:02}-{rate_rps:g}rps"
            url = cluster.gateway_url
            steps.append(_step(asked, run_dir, gateway_url=url, api_key=key, lost=lost, now=now))
            tried(steps[-1])
            longest_s = max(longest_s, now_s() - step_begun_s)
    knee = knee_of(steps)
    return Searched(
        knee=knee, steps=tuple(steps), path=write(folder, scenario, knee, steps, context=cluster.context)
    )


def at_rate(scenario: Scenario, rate_rps: float, *, number: int) -> Scenario:
    """The scenario as one step sends it: independent users at this rate, looked at once they have settled."""
    traffic = replace(scenario.traffic, rate_rps=rate_rps, arrivals=Arrivals(kind="poisson"), where="client")
    return replace(
        scenario,
        seed=scenario.seed + number,
        traffic=traffic,
        phases=Phases(warmup_s=SETTLE_S, baseline_s=WINDOW_S, fault_s_max=0, recovery_s=0),
    )


@contextmanager
def _held(cluster: Cluster, shape: StackShape, *, holder: str) -> Iterator[Sequence[str]]:
    """The cluster is this search's alone; gives why it no longer is, should that come to be."""
    lost: list[str] = []
    with (
        closing(connect(cluster.kubeconfig, context=cluster.context, shape=shape)) as api,
        lease.held(api, holder=holder, on_lost=lost.append),
    ):
        load_pods.clear(api)
        yield lost


def _step(
    asked: Scenario, run_dir: Path, *, gateway_url: str, api_key: str, lost: Sequence[str], now: Now
) -> Step:
    """What one step shows; one that is more than the load processes can send shows their limit."""
    try:
        capacity.require(schedule.make(asked), asked.traffic, path=asked.path)
    except ScenarioError as error:
        return unsent(asked.traffic.rate_rps, why=str(error))
    sent = _send(asked, run_dir, gateway_url=gateway_url, api_key=api_key, lost=lost, now=now)
    return step_of(sent, read_json(run_dir / "load-summary.json"), asked)


def _send(
    asked: Scenario, run_dir: Path, *, gateway_url: str, api_key: str, lost: Sequence[str], now: Now
) -> Fates:
    """What became of one step's schedule, sent to the last answer."""
    run_dir.mkdir(parents=True)
    zero_ns = now_ns()
    sending = load.start(
        run_dir,
        scenario=asked,
        gateway_url=gateway_url,
        api_key=api_key,
        started_monotonic_ns=zero_ns,
    )
    try:
        start_s = _walked(sending, asked, zero_ns=zero_ns, lost=lost, now=now)
    finally:
        sending.stop()
    tables.close_tables(run_dir)
    window_s = start_s + SETTLE_S
    phases = (
        Interval(name="warmup", start_s=start_s, end_s=window_s),
        Interval(name="baseline", start_s=window_s, end_s=window_s + WINDOW_S),
    )
    planned, _ = tables.read_table(run_dir, "schedule", tables.SCHEDULE)
    requests, _ = tables.read_table(run_dir, "requests", tables.REQUESTS)
    return join(planned, requests, phases)


def _walked(sending: Load, asked: Scenario, *, zero_ns: int, lost: Sequence[str], now: Now) -> float:
    """Load walked the step's schedule and ended; returns when it began, in seconds since the step's zero."""

    def look() -> Load:
        if lost:
            raise ClusterError(lost[0])
        sending.raise_if_dead()
        now(f"{asked.traffic.rate_rps:g} requests/s: {doing()}")
        return sending

    def doing() -> str:
        status = sending.status() or {}
        left_s = start_s + asked.phases.duration_s - (now_ns() - zero_ns) / 1e9
        left = f"{left_s:.0f} s left" if left_s > 0 else "hearing the last answers"
        return f"{status['sent']} sent, {left}" if status.get("sent") else "getting ready"

    start_s = 0.0
    wait_until(
        look,
        ready=lambda seen: seen.ready,
        limit_s=TIMEOUTS.load_ready_s,
        every_s=LOOK_EVERY_S,
        what="load to be ready",
    )
    start_s = (now_ns() - zero_ns) / 1e9 + LEAD_S
    sending.begin(schedule.make(asked, start_s=start_s))
    limit_s = LEAD_S + asked.phases.duration_s + asked.traffic.request_s_max + TIMEOUTS.load_ended_s
    wait_until(
        look, ready=lambda seen: not seen.alive, limit_s=limit_s, every_s=LOOK_EVERY_S, what="load to end"
    )
    sending.wait(TIMEOUTS.load_ended_s)
    return start_s
