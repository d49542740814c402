"""Load as the runner sees it: Locust in child processes, told what to do by files and heard from by files.

One process is Locust alone; several are Locust's own master and workers, each of which has a share. Locust
patches the process that imports it, so it never shares one with the Kubernetes client or Chaos Toolkit.
"""

import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from sealegs.errors import ClusterError
from sealegs.evidence import read_json, write_json
from sealegs.scenario import Scenario
from sealegs.traffic import schedule
from sealegs.traffic.order import API_KEY, RUN_DIR, SCHEDULE, WORKER, file_of, order_of, write_order
from sealegs.traffic.process import put_before_others
from sealegs.waiting import wait_until

# From the schedule's arrival to its first request: processes read it and open their connections.
LEAD_S = 2.0
STOP_LIMIT_S = 10.0
LOOK_EVERY_S = 0.1
LOG = Path("logs", "locust.log")
LOOPBACK = "127.0.0.1"
HEADLESS = ("--headless", "--only-summary")


def start(
    run_dir: Path,
    *,
    scenario: Scenario,
    gateway_url: str,
    api_key: str,
    started_monotonic_ns: int,
    processes: int | None = None,
) -> "Load":
    """Start the processes that will send a schedule; returns at once. `processes` defaults to the scenario's.

    They get ready, which takes seconds where the cores have other work, and wait for `Load.begin`. They get
    SIGTERM when the *thread* that called this ends: call it from the one that lives as long as the run.

    Raises:
        ClusterError: `gateway_url` is not one that load can be sent to.
    """
    count = processes or scenario.traffic.processes
    order = order_of(
        scenario.traffic,
        gateway_url=gateway_url,
        started_monotonic_ns=started_monotonic_ns,
        processes=count,
        runner_pid=os.getpid(),
    )
    run_dir = run_dir.resolve()
    write_order(run_dir, order)
    (run_dir / LOG).parent.mkdir(exist_ok=True)
    child = partial(_start_one, run_dir, scenario.traffic.locustfile.resolve(), api_key=api_key)
    if count == 1:
        return Load(run_dir, (child(*HEADLESS, "-u", "1", worker=0),))
    port = _free_port()
    # Which share is a worker's is told to it here: the master numbers them as they happen to come.
    workers = tuple(child(*following(LOOPBACK, port), worker=worker) for worker in range(count))
    return Load(run_dir, workers, child(*leading(count, port), "--master-bind-host", LOOPBACK))


def leading(workers: int, port: str) -> tuple[str, ...]:
    """Locust's options for the master of so many workers, one user each."""
    count = str(workers)
    listening = ("--master", "--master-bind-port", port)
    return (*HEADLESS, *listening, "--expect-workers", count, "-u", count, "-r", count)


def following(leader: str, port: str) -> tuple[str, ...]:
    """Locust's options for a worker."""
    return ("--worker", "--master-host", leader, "--master-port", port)


def _free_port() -> str:
    """A port of loopback that nobody listens on; should somebody else take it first, the master says so."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        return str(listener.getsockname()[1])


def _start_one(
    run_dir: Path, locustfile: Path, *options: str, api_key: str, worker: int | None = None
) -> subprocess.Popen[bytes]:
    """One Locust process; with a number it has one user, who sends that share."""
    command = [sys.executable, "-m", "locust", "-f", str(locustfile), *options]
    # A user's own Locust settings, in the environment or the working directory, are not this run's.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    told = {RUN_DIR: str(run_dir), API_KEY: api_key}
    if worker is not None:
        told[WORKER] = str(worker)
    with (run_dir / LOG).open("ab") as log:
        child = subprocess.Popen(
            command,
            cwd=run_dir,
            env=inherited | told,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is the runner's to hear: it decides when load ends
        )
    put_before_others(child.pid)
    return child


@dataclass(frozen=True)
class Load:
    """Load processes that were started for a run; several have Locust's master to lead them.

    Attributes:
        children: those that send, in the order of their shares.
        master: none where one process sends everything.
    """

    run_dir: Path
    children: tuple[subprocess.Popen[bytes], ...]
    master: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        """Whether any of them still runs."""
        return any(child.poll() is None for child in self._all)

    @property
    def ready(self) -> bool:
        """Whether all of them wait for the schedule."""
        return None not in self._said("ready")

    def begin(self, planned: pa.Table) -> None:
        """Have a schedule sent. Its first request should be `LEAD_S` away, or it leaves late."""
        schedule.write(planned, self.run_dir / SCHEDULE)

    def status(self) -> dict[str, Any] | None:
        """What they last said, as `status_of`."""
        return status_of(self.run_dir, processes=len(self.children))

    def raise_if_dead(self) -> None:
        """Raise ClusterError when a process ended before its time: its share has holes, or nobody counts."""
        leaderless = self.master is not None and self.master.poll() is not None
        for worker, child in enumerate(self.children):
            if child.poll() is not None and self._file("summary", worker) is None:
                raise ClusterError(
                    self._obituary(f"load process {worker}", child, "before its schedule was sent")
                )
        if self.master is not None and leaderless and (self.master.returncode < 0 or self._unfinished):
            raise ClusterError(self._obituary("Locust's master", self.master, "before load had ended"))

    def wait(self, timeout_s: float) -> None:
        """Return when every process has sent its share and heard every answer.

        Raises:
            ClusterError: a process died. The others go on: `stop` them.
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
        # The master goes last, so that its figures have what the workers cut.
        _end(self.children)
        _end(self._all)
        self._sum_up()

    @property
    def _all(self) -> tuple[subprocess.Popen[bytes], ...]:
        return self.children if self.master is None else (*self.children, self.master)

    @property
    def _unfinished(self) -> bool:
        """Whether a process has left no summary."""
        return None in self._said("summary")

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

    def _obituary(self, who: str, child: subprocess.Popen[bytes], when: str) -> str:
        """How a process ended, where to look, and the last error in there."""
        code = child.returncode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        log = (self.run_dir / LOG).read_text(errors="replace")
        errors = re.findall(r"^\w[\w.]*(?:[Ee]rror|Exception|Exit)\b.*", log, re.MULTILINE)
        last = f": {errors[-1]}" if errors else ""
        return f"{who} {how} {when}{last}; see {self.run_dir / LOG}"


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """Children have ended: they were asked to, and those that did not were made to."""
    for child in children:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
    try:
        wait_until(
            lambda: [child.pid for child in children if child.poll() is None],
            ready=lambda alive: not alive,
            limit_s=STOP_LIMIT_S,
            every_s=LOOK_EVERY_S,
            what="load to stop",
        )
    except TimeoutError:
        for child in children:
            child.kill()
            child.wait()


def status_of(run_dir: Path, *, processes: int) -> dict[str, Any] | None:
    """What a run's load processes last said, taken together: ``load-status.json``. None before all have."""
    names = (file_of("status", worker=worker, processes=processes) for worker in range(processes))
    return merge([read_json(run_dir / name) for name in names])


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
