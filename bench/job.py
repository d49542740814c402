"""What a client is asked to do, and what it says of each request afterwards."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness import Request

JOB, TOLD = "job.json", "told.jsonl"


@dataclass(frozen=True, kw_only=True)
class Job:
    """Requests of `tokens` tokens at `rate_rps` for `seconds`, which is `streams` at a time.

    Clients with an open loop follow the rate, those without have as many users as streams. `gap_s_max` is the
    longest silence inside an answer for clients that can be told.
    """

    url: str
    folder: Path
    tokens: int
    streams: int
    rate_rps: float
    seconds: float
    paced: bool = False
    gap_s_max: float = 20.0

    @property
    def requests(self) -> int:
        """How many requests that is."""
        return round(self.rate_rps * self.seconds)

    def write(self) -> Path:
        """For the programs of bench/clients, which run in environments of their own."""
        path = self.folder / JOB
        path.write_text(json.dumps(dataclasses.asdict(self) | {"folder": str(self.folder)}))
        return path


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a client says of one request.

    `gaps_ms` are all gaps between tokens, or their mean where the client keeps no more. `..._ns` are
    CLOCK_MONOTONIC; None where the client does not say.
    """

    request_id: str | None
    outcome: str
    started_ns: int
    tokens: int = 0
    ttft_ms: float | None = None
    gaps_ms: list[float] = field(default_factory=list)
    received_ns: list[int] | None = None
    planned_ns: int | None = None


Read = Callable[[Job, list[Request]], list[Told]]


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One client: how it is installed, started and read.

    Attributes:
        package: the distribution whose version stands in the table.
        command: arguments after the environment's folder of programs, which replaces ``{bin}``.
        setting: how it is set up, in words for the table.
        keeps: what it keeps of when tokens came: ``stamps`` or ``means``.
        root_counts: whether the started process itself is part of the client.
    """

    name: str
    package: str
    command: Callable[[Job], list[str]]
    read: Read
    setting: str
    keeps: str = "stamps"
    env: Mapping[str, str] = field(default_factory=dict)
    root_counts: bool = True
