"""Doing wrong when told to: what an engine can be told at run time, and the door at which it is told.

The door is a Unix socket inside the container, and there is one only where FAULTS_SOCKET says so. It takes
one line of JSON, fields of `Misbehaviour`, and those not named go back to their defaults: ``{}`` is to
behave. An empty line asks. The answer is what the engine does now.
"""

import asyncio
import json
import math
import os
from collections import Counter
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from engine.generation import log

# Of cgroup v2 and of v1, which has a number beyond all memory where there is none.
MEMORY_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
MOUTHFUL_BYTES = 8 * 2**20
# Slow enough that whoever told it has its answer before the kernel ends all of the container's processes.
MOUTHFULS_PER_S = 16
STATUSES = range(500, 600)


@dataclass(frozen=True, kw_only=True)
class Misbehaviour:
    """What an engine does wrong; the defaults are nothing."""

    status: int = 0  # answered instead of tokens
    reset_at_token: int = 0  # a stream's connection is reset in place of this token, the first being 1
    share: float = 1.0  # of each caller's requests that meet one of these two, evenly spread
    slow_factor: float = 1.0  # a step takes so many times as long
    eat_memory: bool = False  # until the kernel ends this process


class Misconduct:
    """What one engine does wrong now, and how many requests of each caller it has seen since it was told."""

    def __init__(self) -> None:
        self.now = Misbehaviour()
        self._seen: Counter[str] = Counter()
        self.eaten: list[bytearray] = []
        self._eating: asyncio.Task[None] | None = None

    def become(self, told: Misbehaviour) -> None:
        """Do this from now on, and nothing else."""
        self.now = told
        self._seen.clear()
        if self._eating is not None:
            self._eating.cancel()
        self._eating = None
        self.eaten.clear()
        if told.eat_memory:
            self._eating = asyncio.get_running_loop().create_task(self._eat())

    def meets(self, caller: str) -> bool:
        """Whether a caller's next request is one of the share that is answered wrong.

        Evenly spread for each caller: each proxy counts failures in a row for itself, and to none of them
        must a share of a third look like an engine that always fails.
        """
        if not (self.now.status or self.now.reset_at_token):
            return False
        self._seen[caller] += 1
        count = self._seen[caller]
        return int(count * self.now.share) > int((count - 1) * self.now.share)

    async def _eat(self) -> None:
        """Take memory and write to all of it: what is only asked for costs nothing."""
        while True:
            self.eaten.append(bytearray(b"\x01") * MOUTHFUL_BYTES)
            await asyncio.sleep(1 / MOUTHFULS_PER_S)


def read_misbehaviour(line: str) -> Misbehaviour:
    """What a line tells an engine to do. ValueError lists every problem there is."""
    told = json.loads(line)
    if not isinstance(told, dict):
        raise ValueError("a JSON object")  # noqa: TRY004  to a caller it is the same as a wrong field
    known = {field.name: type(field.default) for field in fields(Misbehaviour)}
    problems = [f"{name}: no such field, but {', '.join(known)}" for name in told if name not in known]
    for name, kind in known.items():
        # In JSON 3 is a number as good as 3.0, but true is none.
        if name in told and type(told[name]) not in {kind, int if kind is float else kind}:
            problems.append(f"{name}: {told[name]!r} is not {kind.__name__}")
    if not problems:
        wanted = Misbehaviour(**told)
        problems = _problems(wanted)
    if problems:
        raise ValueError("; ".join(problems))
    return wanted


async def open_door(socket: str, misconduct: Misconduct) -> asyncio.Server:
    """Listen on a Unix socket, in the place of one that an earlier process left. OSError when it cannot."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readline()).decode().strip()
        said: dict[str, object]
        try:
            if line:
                misconduct.become(read_misbehaviour(line))
                log({"told": asdict(misconduct.now)})
            said = asdict(misconduct.now)
        except ValueError as wrong:
            said = {"error": str(wrong)}
        writer.write(json.dumps(said).encode() + b"\n")
        writer.close()

    return await asyncio.start_unix_server(answer, socket)


def _problems(wanted: Misbehaviour) -> list[str]:
    """What of well-formed fields cannot be done."""
    wrong = {
        "status: 0, or 500 to 599": wanted.status and wanted.status not in STATUSES,
        "reset_at_token: at least 0": wanted.reset_at_token < 0,
        "share: above 0, at most 1": not 0 < wanted.share <= 1,
        "slow_factor: at least 1, and finite": not 1 <= wanted.slow_factor < math.inf,
        # Without a limit of its own it would take the machine's.
        "eat_memory: this container has no limit of memory": wanted.eat_memory and not _is_limited(),
    }
    return [problem for problem, holds in wrong.items() if holds]


def _is_limited() -> bool:
    """Whether the kernel ends this container's processes before they have all of the machine's memory."""
    limits = [path.read_text().strip() for path in MEMORY_LIMITS if path.exists()]
    machine_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return any(limit.isdecimal() and int(limit) < machine_bytes for limit in limits)
