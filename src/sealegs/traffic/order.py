"""What the runner tells its load processes: ``load.json``, and how each of them knows which one it is."""

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealegs.evidence import read_json, write_json
from sealegs.workload import Deadlines, Policy, Tokens

ORDER = "load.json"
RUN_DIR = "SEALEGS_RUN_DIR"
API_KEY = "SEALEGS_API_KEY"
WORKER = "SEALEGS_WORKER"


@dataclass(frozen=True, kw_only=True)
class Order:
    """One run's load. `started_monotonic_ns` is the zero of every time; the cap is that of all processes.

    Load ends at `end_s`: who is due later is not asked any more. The API key is not in it: it travels in the
    environment, so that no file of a run holds it.
    """

    gateway_url: str
    started_monotonic_ns: int
    end_s: float
    processes: int
    in_flight_max: int
    tokens_per_s: float
    tokens: Tokens
    deadlines: Deadlines
    policy: Policy
    runner_pid: int


def write_order(run_dir: Path, order: Order) -> None:
    """Put the order into the run's folder."""
    write_json(run_dir / ORDER, dataclasses.asdict(order))


def read_order(run_dir: Path) -> Order:
    """The order in a run's folder. FileNotFoundError when there is none."""
    fields: dict[str, Any] | None = read_json(run_dir / ORDER)
    if fields is None:
        raise FileNotFoundError(f"{run_dir / ORDER}: no order for load; start load with `sealegs run`")
    parts = {"deadlines": Deadlines(**fields["deadlines"]), "policy": Policy(**fields["policy"])}
    return Order(**fields | parts)


def file_of(kind: str, *, worker: int, processes: int) -> str:
    """Name of a load process's ``status`` or ``summary`` file; one process alone needs no number."""
    number = f".{worker}" if processes > 1 else ""
    return f"load-{kind}{number}.json"


def no_target(url: str) -> str | None:
    """Why load cannot be sent to a URL; None when it can."""
    if re.fullmatch(r"http://[^/@]+/?", url):
        return None
    return "load speaks plain HTTP, as in http://127.0.0.1:30080"
