"""What the runner tells its load processes: ``load.json``, and how each of them knows which one it is."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealegs.evidence import read_json, write_json
from sealegs.scenario import Deadlines

ORDER = "load.json"
RUN_DIR = "SEALEGS_RUN_DIR"
API_KEY = "SEALEGS_API_KEY"
WORKER = "SEALEGS_WORKER"


@dataclass(frozen=True, kw_only=True)
class Order:
    """One run's load. `started_monotonic_ns` is the zero of every time; the cap is that of all processes.

    The API key is not in it: it travels in the environment, so that no file of a run holds it.
    """

    gateway_url: str
    started_monotonic_ns: int
    processes: int
    in_flight_max: int
    deadlines: Deadlines
    runner_pid: int


def write_order(run_dir: Path, order: Order) -> None:
    """Put the order into the run's folder."""
    write_json(run_dir / ORDER, dataclasses.asdict(order))


def read_order(run_dir: Path) -> Order:
    """The order in a run's folder. FileNotFoundError when there is none."""
    fields: dict[str, Any] | None = read_json(run_dir / ORDER)
    if fields is None:
        raise FileNotFoundError(f"{run_dir / ORDER}: no order for load; start load with `sealegs run`")
    return Order(**{**fields, "deadlines": Deadlines(**fields["deadlines"])})


def file_of(kind: str, *, worker: int, processes: int) -> str:
    """Name of a load process's ``status`` or ``summary`` file; one process alone needs no number."""
    number = f".{worker}" if processes > 1 else ""
    return f"load-{kind}{number}.json"
