"""One trial: a client at work against the server, and the numbers that follow from what both remember."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from harness import CLIENT_CORE, Request, Server, cpu_s, sleep_until, start
from job import Job, Peer, Told

from sealegs.waiting import wait_until

FIRST_LIMIT_S = 90.0
END_LIMIT_S = 45.0


class PeerError(Exception):
    """A client did not do what it was started for."""


@dataclass(frozen=True)
class Trial:
    """What happened: the window in CLOCK_MONOTONIC, the client's processor time in it, both accounts."""

    job: Job
    window_ns: tuple[int, int]
    cpu_s: float
    truth: list[Request]
    told: list[Told]
    late_share: float
    loadavg: float


def run(peer: Peer, job: Job, server: Server, bin_dir: Path, *, skip_s: float, **conduct: object) -> Trial:
    """Let a client do its job; what counts begins `skip_s` after its first request.

    Raises:
        PeerError: it sent nothing, or did not end; its log is in the job's folder.
    """
    shutil.rmtree(job.folder, ignore_errors=True)
    job.folder.mkdir(parents=True)
    job.write()
    server.reset(**conduct)
    command = [word.replace("{bin}", str(bin_dir)) for word in peer.command(job)]
    log = job.folder / "client.log"
    env = {**peer.env, "BENCH_FOLDER": str(job.folder)}
    child = start(command, core=CLIENT_CORE, log=log, env=env, cwd=job.folder)
    try:
        first_ns = _first_request_ns(server, child, log)
        window_ns = (first_ns + round(skip_s * 1e9), first_ns + round(job.seconds * 1e9))
        sleep_until(window_ns[0])
        before_s = cpu_s(child.pid, with_root=peer.root_counts)
        sleep_until(window_ns[1])
        used_s = cpu_s(child.pid, with_root=peer.root_counts) - before_s
        loadavg = os.getloadavg()[0]
        _wait_for_end(child, log)
    finally:
        _end(child)
    status = server.status()
    truth = server.truth()
    try:
        told = peer.read(job, truth)
    except (FileNotFoundError, KeyError, IndexError) as error:
        raise PeerError(f"left no account of itself ({error!r}); see {log}") from error
    return Trial(job, window_ns, used_s, truth, told, status["late"] / max(1, status["events"]), loadavg)


def _first_request_ns(server: Server, child: subprocess.Popen[bytes], log: Path) -> int:
    """When the server received the first request."""

    def look() -> dict[str, Any]:
        if child.poll() not in {None, 0}:
            raise PeerError(f"ended with exit code {child.returncode} before its first request; see {log}")
        return server.status()

    try:
        seen = wait_until(
            look,
            ready=lambda status: status["requests"],
            limit_s=FIRST_LIMIT_S,
            every_s=0.05,
            what="a request",
        )
    except TimeoutError as error:
        raise PeerError(f"sent nothing in {FIRST_LIMIT_S:.0f} s; see {log}") from error
    return int(seen["first_received_ns"])


def _wait_for_end(child: subprocess.Popen[bytes], log: Path) -> None:
    """Until it has written down what it has to say. Its exit code is its own matter."""
    try:
        wait_until(
            child.poll,
            ready=lambda code: code is not None,
            limit_s=END_LIMIT_S,
            every_s=0.1,
            what="the client",
        )
    except TimeoutError as error:
        raise PeerError(f"did not end in {END_LIMIT_S:.0f} s after its load; see {log}") from error


def _end(child: subprocess.Popen[bytes]) -> None:
    """Nothing of a client outlives its trial."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def streams_of(trial: Trial) -> dict[str, Any]:
    """Events a second, processor time an event and receive errors inside the window."""
    begin_ns, end_ns = trial.window_ns
    seconds = (end_ns - begin_ns) / 1e9
    sent = {one.request_id: one for one in trial.truth}
    stamped = [one for one in trial.told if one.received_ns is not None and one.request_id in sent]
    errors_ms = [
        (received_ns - sent_ns) / 1e6
        for one in stamped
        for received_ns, sent_ns in zip(
            one.received_ns or [], sent[one.request_id or ""].sent_ns, strict=False
        )
        if begin_ns <= sent_ns < end_ns
    ]
    if stamped:
        received = [at_ns for one in stamped for at_ns in one.received_ns or []]
    else:
        received = [at_ns for one in trial.truth for at_ns in one.sent_ns]
        errors_ms = ttft_errors_ms(trial)
    events = sum(begin_ns <= at_ns < end_ns for at_ns in received)
    return {
        "streams": trial.job.streams,
        "events_per_s": events / seconds,
        "events_per_s_offered": trial.job.rate_rps * trial.job.tokens,
        "cpu_us_per_event": trial.cpu_s * 1e6 / max(1, events),
        "cpu_share": trial.cpu_s / seconds,
        "error_ms": quantiles(errors_ms),
        "outcomes": dict(Counter(one.outcome for one in trial.told)),
        "wrong_counts": sum(one.tokens != trial.job.tokens for one in trial.told),
        "server_late_share": trial.late_share,
        "loadavg": trial.loadavg,
    }


def ttft_errors_ms(trial: Trial) -> list[float]:
    """What each client's TTFT adds to the truth, by request where it can be matched, else rank by rank."""
    true_ms = {one.request_id: (one.sent_ns[0] - one.received_ns) / 1e6 for one in trial.truth if one.sent_ns}
    told = [one for one in trial.told if one.ttft_ms is not None]
    if all(one.request_id in true_ms for one in told):
        return [one.ttft_ms - true_ms[one.request_id] for one in told]  # type: ignore[operator,index]
    ranked = zip(sorted(one.ttft_ms or 0 for one in told), sorted(true_ms.values()), strict=False)
    return [said_ms - was_ms for said_ms, was_ms in ranked]


def quantiles(values: list[float]) -> dict[str, float | int | None]:
    """Median, 99th percentile and extremes as values that occurred."""
    if not values:
        return {"count": 0, "p50": None, "p99": None, "max": None}
    array = np.asarray(values)
    p50, p99 = np.quantile(array, [0.5, 0.99], method="higher")
    return {"count": len(array), "p50": float(p50), "p99": float(p99), "max": float(array.max())}
