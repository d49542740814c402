"""The harness's hands: the server of known truth, a client on the other core, and what either of them uses.

The server has core 1, the client core 0, both the same priority; the harness sleeps while they work.
"""

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealegs.waiting import wait_until

CLIENT_CORE, SERVER_CORE = 0, 1
NICE = -20
CONTROL_LIMIT_S = 60.0
PORTS = range(21_000, 21_400, 2)
HERE = Path(__file__).parent


def cache_dir() -> Path:
    """Where built and installed things of the benchmark are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "sealegs" / "bench"


@dataclass(frozen=True)
class Request:
    """What the server knows of one request; stamps are nanoseconds of CLOCK_MONOTONIC."""

    request_id: str
    manner: str
    tokens: int
    received_ns: int
    sent_ns: list[int]


@dataclass(frozen=True)
class Server:
    """The Go server while it runs; control is on the port after that of the streams."""

    port: int

    @property
    def url(self) -> str:
        """Where clients send to."""
        return f"http://127.0.0.1:{self.port}"

    def reset(self, **conduct: object) -> None:
        """Forget everything, and behave so from now on: see bench/server/main.go."""
        query = "&".join(f"{name}={value}" for name, value in conduct.items())
        self._control(f"/reset?{query}", method="POST")

    def status(self) -> dict[str, Any]:
        """Counts since the reset."""
        status: dict[str, Any] = json.loads(self._control("/status"))
        return status

    def truth(self) -> list[Request]:
        """Each request since the reset, in the order of arrival."""
        return [Request(**json.loads(line)) for line in self._control("/stamps").splitlines()]

    def _control(self, path: str, *, method: str = "GET") -> bytes:
        url = f"http://127.0.0.1:{self.port + 1}{path}"
        asked = urllib.request.Request(url, method=method)
        with urllib.request.urlopen(asked, timeout=CONTROL_LIMIT_S) as answer:  # noqa: S310  it is our server
            said: bytes = answer.read()
        return said


def built_server() -> Path:
    """The server's program, built anew: Go's own cache makes that a matter of a second."""
    program = cache_dir() / "server"
    program.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["go", "build", "-o", program, "."], cwd=HERE / "server", check=True)
    return program


@contextmanager
def serving(program: Path) -> Iterator[Server]:
    """A server on two free ports in a row, on its core, until the block ends."""
    server = Server(_free_port())
    child = start([str(program), "-port", str(server.port)], core=SERVER_CORE, log=cache_dir() / "server.log")

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", server.port + 1)) == 0

    try:
        wait_until(answers, ready=bool, limit_s=10, every_s=0.05, what="the bench server to listen")
        yield server
    finally:
        child.kill()
        child.wait()


def drain(program: Path, server: Server) -> float:
    """Events a second that the server sends to a client that reads and throws away: more is not to be had."""
    server.reset(gap_ms=1)
    log = cache_dir() / "drain.log"
    log.unlink(missing_ok=True)
    drained = ["-drain", "300", "-tokens", "2000", "-port", str(server.port)]
    start([str(program), *drained], core=CLIENT_CORE, log=log).wait()
    return float(log.read_text().split()[-2])


def start(
    command: list[str], *, core: int, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a program on one core, before others where that is allowed. All it says goes to `log`."""
    with log.open("ab") as out:
        child = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=cwd,
            env=None if env is None else os.environ | dict(env),
            start_new_session=True,
        )
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, child.pid, NICE)
        # Where the kernel groups by session, a process's nice counts among its own session only.
        Path(f"/proc/{child.pid}/autogroup").write_text(str(NICE))
    return child


def _free_port() -> int:
    """The first of two free ports in a row, below those that the kernel gives to outgoing connections."""
    for port in PORTS:
        with socket.socket() as first, socket.socket() as second, contextlib.suppress(OSError):
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 1))
            return port
    raise OSError(f"no two free ports in a row from {PORTS.start} to {PORTS.stop}")


def cpu_s(root: int, *, with_root: bool = True) -> float:
    """Processor time so far of a process's tree, children that have gone included."""
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[int(entry.name)] = int(fields[1])
        used[int(entry.name)] = sum(int(field) for field in fields[11:15])
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    counted = family if with_root else family - {root}
    return sum(used.get(pid, 0) for pid in counted) / os.sysconf("SC_CLK_TCK")


def sleep_until(when_ns: int) -> None:
    """Wait for a moment of CLOCK_MONOTONIC."""
    left_s = (when_ns - time.monotonic_ns()) / 1e9
    if left_s > 0:
        wait_until(
            time.monotonic_ns, ready=lambda now: now >= when_ns, limit_s=left_s + 5, every_s=0.02, what="time"
        )
