"""Load as the runner sees it: Locust in child processes, told what to do by files and heard from by files.

Locust patches the process that imports it, so it never shares one with the Kubernetes client or Chaos
Toolkit.
"""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealegs.errors import ClusterError
from sealegs.evidence import read_json, write_json
from sealegs.scenario import Scenario
from sealegs.traffic.order import API_KEY, RUN_DIR, WORKER, Order, file_of, write_order
from sealegs.waiting import wait_until

# From the start of a load process to its first request: Locust's imports take 1 to 3 s on a busy machine.
BOOT_S = 8.0
STOP_LIMIT_S = 10.0
LOOK_EVERY_S = 0.1
LOG = Path("logs", "locust.log")


def start(
    run_dir: Path,
    *,
    scenario: Scenario,
    gateway_url: str,
    api_key: str,
    started_monotonic_ns: int,
    processes: int | None = None,
) -> "Load":
    """Start sending the schedule in `run_dir`; returns at once. `processes` defaults to the scenario's.

    The schedule's first request should be at least `BOOT_S` away, or it leaves late. The children get SIGTERM
    when the *thread* that called this ends: call it from the one that lives as long as the run.

    Raises:
        ClusterError: `gateway_url` is not one that load can be sent to.
    """
    if not re.fullmatch(r"http://[^/@]+/?", gateway_url):
        raise ClusterError(
            f"gateway_url {gateway_url!r}: load speaks plain HTTP, as in http://127.0.0.1:30080"
        )
    count = processes or scenario.traffic.processes
    order = Order(
        gateway_url=gateway_url,
        started_monotonic_ns=started_monotonic_ns,
        processes=count,
        in_flight_max=scenario.traffic.in_flight_max,
        deadlines=scenario.traffic.deadlines,
        runner_pid=os.getpid(),
    )
    run_dir = run_dir.resolve()
    write_order(run_dir, order)
    (run_dir / LOG).parent.mkdir(exist_ok=True)
    locustfile = scenario.traffic.locustfile.resolve()
    children = tuple(
        _start_one(run_dir, locustfile, api_key=api_key, worker=worker) for worker in range(count)
    )
    return Load(run_dir, children)


def _start_one(run_dir: Path, locustfile: Path, *, api_key: str, worker: int) -> subprocess.Popen[bytes]:
    """One Locust process of one user."""
    command = [
        sys.executable,
        "-m",
        "locust",
        "-f",
        str(locustfile),
        "--headless",
        "--only-summary",
        "-u",
        "1",
    ]
    # A user's own Locust settings, in the environment or the working directory, are not this run's.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    told = {RUN_DIR: str(run_dir), API_KEY: api_key, WORKER: str(worker)}
    with (run_dir / LOG).open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=run_dir,
            env=inherited | told,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            process_group=0,  # Ctrl-C is the runner's to hear: it decides when load ends
        )


@dataclass(frozen=True)
class Load:
    """Load processes that were started for a run."""

    run_dir: Path
    children: tuple[subprocess.Popen[bytes], ...]

    @property
    def alive(self) -> bool:
        """Whether any of them still runs."""
        return any(child.poll() is None for child in self.children)

    def status(self) -> dict[str, Any] | None:
        """What they last said, taken together: ``load-status.json``. None before all have said something."""
        return merge(self._said("status"))

    def raise_if_dead(self) -> None:
        """Raise ClusterError when a process ended without its summary: its share has holes."""
        for worker, child in enumerate(self.children):
            if child.poll() is not None and self._file("summary", worker) is None:
                raise ClusterError(self._obituary(worker, child.returncode))

    def wait(self, timeout_s: float) -> None:
        """Return when every process has sent its share and heard every answer.

        Raises:
            ClusterError: a process died.
            TimeoutError: `timeout_s` passed; says what load was last seen doing.
        """

        def look() -> dict[str, Any] | None:
            self.raise_if_dead()
            return self.status()

        wait_until(
            look,
            ready=lambda _: not self.alive,
            limit_s=timeout_s,
            every_s=LOOK_EVERY_S,
            what="load to end",
        )
        self.raise_if_dead()
        self._sum_up()

    def stop(self) -> None:
        """End load now: what is in flight becomes ``cut_by_us``, what was not sent leaves holes."""
        for child in self.children:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        try:
            wait_until(
                lambda: self.alive,
                ready=lambda alive: not alive,
                limit_s=STOP_LIMIT_S,
                every_s=LOOK_EVERY_S,
                what="load to stop",
            )
        except TimeoutError:
            for child in self.children:
                child.kill()
                child.wait()
        self._sum_up()

    def _sum_up(self) -> None:
        """With several processes, the summary of the run is made of theirs, if all left one."""
        summary = merge(self._said("summary"))
        if len(self.children) > 1 and summary is not None:
            write_json(self.run_dir / file_of("summary", worker=0, processes=1), summary)

    def _said(self, kind: str) -> list[dict[str, Any] | None]:
        """Each process's file of a kind."""
        return [self._file(kind, worker) for worker in range(len(self.children))]

    def _file(self, kind: str, worker: int) -> dict[str, Any] | None:
        """One process's file of a kind; None while there is none."""
        said: dict[str, Any] | None = read_json(
            self.run_dir / file_of(kind, worker=worker, processes=len(self.children))
        )
        return said

    def _obituary(self, worker: int, code: int) -> str:
        """How a process ended, where to look, and the last thing it wrote."""
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        log = (self.run_dir / LOG).read_text(errors="replace")
        errors = re.findall(r"^\w[\w.]*(?:[Ee]rror|Exception|Exit)\b.*", log, re.MULTILINE)
        last = f": {errors[-1]}" if errors else ""
        return f"load process {worker} {how} before its schedule was sent{last}; see {self.run_dir / LOG}"


def merge(said: Sequence[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    """What several load processes say, as one would: counts add up, of the rest the worst stands."""
    if None in said or not said:
        return None
    present = [one for one in said if one is not None]
    return {key: _together([one[key] for one in present]) for key in present[0]}


def _together(values: Sequence[Any]) -> object:
    """One value for several."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    if isinstance(known[0], Mapping):
        return dict(sorted(sum((Counter(value) for value in known), Counter()).items()))
    if isinstance(known[0], bool):
        return all(known)
    return sum(known) if isinstance(known[0], int) else max(known)
