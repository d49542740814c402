"""Clients that are programs of this repository: sealegs itself, and three written as users write them."""

import json
import math
import sys
from itertools import pairwise

from harness import HERE, Request
from job import TOLD, Job, Peer, Told

ROOT = HERE.parent
CLIENTS = HERE / "clients"


def _read_sealegs(job: Job, _: list[Request]) -> list[Told]:
    """The evidence of a run: rows, and receive stamps in microseconds since its zero."""
    zero_ns = json.loads((job.folder / "load.json").read_text())["started_monotonic_ns"]
    stamps: dict[str, list[int]] = {}
    for line in (job.folder / "chunks.jsonl").read_text().splitlines():
        chunk = json.loads(line)
        at_us, absolute = 0, []
        for delta_us in chunk["t_us"]:
            at_us += delta_us
            absolute.append(zero_ns + at_us * 1000)
        stamps[chunk["request_id"]] = absolute
    rows = [json.loads(line) for line in (job.folder / "requests.jsonl").read_text().splitlines()]
    return [_told_of(row, stamps.get(row["request_id"], []), zero_ns) for row in rows]


def _told_of(row: dict[str, object], received_ns: list[int], zero_ns: int) -> Told:
    """One row of ours."""
    sent_s, first_s, intended_s = row["sent_s"], row["first_token_s"], row["intended_s"]
    return Told(
        request_id=str(row["request_id"]),
        outcome=str(row["outcome"]),
        started_ns=zero_ns + round(float(str(sent_s)) * 1e9),
        tokens=int(str(row["tokens_received"])),
        ttft_ms=(first_s - sent_s) * 1e3
        if isinstance(first_s, float) and isinstance(sent_s, float)
        else None,
        gaps_ms=[(later - earlier) / 1e6 for earlier, later in pairwise(received_ns)],
        received_ns=received_ns,
        planned_ns=zero_ns + round(float(str(intended_s)) * 1e9),
    )


def _read_told(job: Job, _: list[Request]) -> list[Told]:
    """What the programs in bench/clients write, already in our words."""
    rows = [json.loads(line) for line in (job.folder / TOLD).read_text().splitlines()]
    return [
        Told(
            request_id=row["request_id"],
            outcome=row["outcome"],
            started_ns=row["sent_ns"],
            tokens=len(row["received_ns"]),
            ttft_ms=(row["received_ns"][0] - row["sent_ns"]) / 1e6 if row["received_ns"] else None,
            gaps_ms=[(later - earlier) / 1e6 for earlier, later in pairwise(row["received_ns"])],
            received_ns=row["received_ns"],
            planned_ns=row["planned_ns"],
        )
        for row in rows
    ]


def _locust(kind: str) -> Peer:
    """A Locust user class that streams."""

    def command(job: Job) -> list[str]:
        return [
            *("{bin}/locust", "-f", str(CLIENTS / "locust_streams.py"), "--headless", "--only-summary"),
            *("--host", job.url, "-u", str(job.streams), "-r", str(max(1.0, job.rate_rps))),
            *("-t", f"{math.ceil(job.seconds + 0.5)}s", "--stop-timeout", "10", kind),
        ]

    lines = "iter_lines" if kind == "FastUser" else "iter_lines(chunk_size=None)"
    return Peer(
        name="Locust FastHttpUser" if kind == "FastUser" else "Locust HttpUser",
        package="locust",
        command=command,
        read=_read_told,
        setting=f"one process, closed loop, stream=True, {lines}, JSON parsed per event",
    )


SEALEGS = Peer(
    name="sealegs",
    package="sealegs",
    command=lambda job: [sys.executable, str(CLIENTS / "sealegs_run.py"), str(job.folder)],
    read=_read_sealegs,
    setting="one load process, as in a run: Locust child, schedule, evidence written",
    env={"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
    root_counts=False,
)
AIOHTTP = Peer(
    name="aiohttp + uvloop",
    package="aiohttp",
    command=lambda job: ["{bin}/python", str(CLIENTS / "aiohttp_streams.py"), str(job.folder)],
    read=_read_told,
    setting="a short script, open loop, one session without limit, JSON parsed per event",
)
FAST_HTTP = _locust("FastUser")
HTTP = _locust("RequestsUser")
