"""One request and its reply: what is planned, what a locustfile makes of it, and its life on a connection."""

import socket
from dataclasses import dataclass, field

from sealegs.scenario import Deadlines
from sealegs.traffic.outcome import Ending
from sealegs.traffic.reply import Reply


@dataclass(frozen=True, slots=True)
class Planned:
    """One row of the schedule; `intended_s` is seconds since run start."""

    request_id: str
    intended_s: float
    prompt_tokens: int
    output_tokens: int
    model_type: str


@dataclass(frozen=True, slots=True)
class Call:
    """What a locustfile says for one planned request: where to, with which headers, with which body."""

    path: str
    headers: dict[str, str]
    body: bytes

    def wire_bytes(self, *, host: str) -> bytes:
        """The whole request as it goes onto the wire.

        ``Connection: close``: each request has a connection of its own, like independent users. A pooled one
        can be closed by the server just before it is used again, and then a request must be lost or sent
        twice.
        """
        lines = [f"POST {self.path} HTTP/1.1", f"Host: {host}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines += [f"Content-Length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode("latin-1") + self.body


@dataclass(eq=False, slots=True)
class Exchange:
    """A request on its way. Stamps are nanoseconds of CLOCK_MONOTONIC.

    `sent_ns` is when the client set out, before it connected: what connecting costs is the system's, not the
    client's.
    """

    planned: Planned
    unsent: memoryview
    sent_ns: int
    sock: socket.socket | None = None
    connected_ns: int | None = None
    reply: Reply = field(default_factory=Reply)
    ending: Ending | None = None
    ending_detail: str = ""
    end_ns: int | None = None

    def overdue(self, now_ns: int, deadlines: Deadlines) -> Ending | None:
        """The first deadline that has passed, if any. Gaps are between bytes: a comment is a sign of life."""
        since_sent_s = (now_ns - self.sent_ns) / 1e9
        if self.connected_ns is None:
            return "deadline_connect" if since_sent_s > deadlines.connect_s else None
        if since_sent_s > deadlines.total_s:
            return "deadline_total"
        if not self.reply.answer.texts:
            return "deadline_first_token" if since_sent_s > deadlines.first_token_s else None
        return "stall" if now_ns - self.reply.last_ns > deadlines.gap_s * 1e9 else None
