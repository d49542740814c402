"""What the runner tells its load processes: ``load.json``, and how each of them knows which one it is."""

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from sealegs.errors import ClusterError
from sealegs.evidence import read_json, write_json
from sealegs.scenario.workload import Deadlines, Policy, Tokens, Traffic

ORDER = "load.json"
SCHEDULE = "schedule.parquet"
# In the schedule's metadata.
END_S = b"end_s"
RUN_DIR = "SEALEGS_RUN_DIR"
API_KEY = "SEALEGS_API_KEY"
WORKER = "SEALEGS_WORKER"


@dataclass(frozen=True, kw_only=True)
class Order:
    """One run's load. `started_monotonic_ns` is the zero of every time; the cap is that of all processes.

    When load begins and ends is in the schedule, which comes when all processes are ready. The API key is not
    in here: it travels in the environment, so that no file of a run holds it.
    """

    gateway_url: str
    started_monotonic_ns: int
    processes: int
    in_flight_max: int
    tokens_per_s: float
    tokens: Tokens
    whole: tuple[str, ...]
    deadlines: Deadlines
    policy: Policy
    runner_pid: int


def order_of(
    traffic: Traffic, *, gateway_url: str, started_monotonic_ns: int, processes: int, runner_pid: int
) -> Order:
    """The order for a scenario's traffic. ClusterError when load cannot be sent to `gateway_url`."""
    if problem := no_target(gateway_url):
        raise ClusterError(f"gateway_url {gateway_url!r}: {problem}")
    return Order(
        gateway_url=gateway_url,
        started_monotonic_ns=started_monotonic_ns,
        processes=processes,
        in_flight_max=traffic.in_flight_max,
        tokens_per_s=traffic.tokens_per_s,
        tokens=traffic.tokens,
        whole=traffic.whole,
        deadlines=traffic.deadlines,
        policy=traffic.policy,
        runner_pid=runner_pid,
    )


def write_order(run_dir: Path, order: Order) -> None:
    """Put the order into the run's folder."""
    write_json(run_dir / ORDER, dataclasses.asdict(order))


def read_order(run_dir: Path) -> Order:
    """The order in a run's folder. FileNotFoundError when there is none."""
    fields: dict[str, Any] | None = read_json(run_dir / ORDER)
    if fields is None:
        raise FileNotFoundError(f"{run_dir / ORDER}: no order for load; start load with `sealegs run`")
    parts = {
        "deadlines": Deadlines(**fields["deadlines"]),
        "policy": Policy(**fields["policy"]),
        "whole": tuple(fields["whole"]),
    }
    return Order(**fields | parts)


def file_of(kind: str, *, worker: int, processes: int) -> str:
    """Name of a process's ``ready``, ``status`` or ``summary`` file; one alone needs no number."""
    number = f".{worker}" if processes > 1 else ""
    return f"load-{kind}{number}.json"


def end_s_of(schedule: pa.Table) -> float:
    """When load ends, in seconds since run start: who is due later is not asked any more."""
    return float((schedule.schema.metadata or {})[END_S])


def no_target(url: str) -> str | None:
    """Why load cannot be sent to a URL; None when it can."""
    if re.fullmatch(r"http://[^/@]+/?", url):
        return None
    return "load speaks plain HTTP, as in http://127.0.0.1:30080"
