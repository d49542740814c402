"""One request and its reply: what is planned, what a locustfile makes of it, and its life on a connection."""

import socket
from dataclasses import dataclass, field

from sealegs.scenario.workload import Deadlines, Tokens
from sealegs.traffic.client.outcome import Ending, Outcome, Seen, belonging, classify
from sealegs.traffic.client.reply import Reply


@dataclass(frozen=True, slots=True)
class Planned:
    """One row of the schedule; `intended_s` is seconds since run start.

    Turn k of a session leaves no earlier than `think_s` after the answer to turn k - 1 has ended. Prompts of
    a profile with one `prefix` begin with the same text for `prefix_tokens`. `cancel`: hang up after the
    first token. `stream`: the answer is to come token by token, not whole.
    """

    request_id: str
    intended_s: float
    prompt_tokens: int
    output_tokens: int
    model_type: str
    profile: str = ""
    session: str = ""
    turn: int = 0
    think_s: float = 0.0
    prefix: str = ""
    prefix_tokens: int = 0
    cancel: bool = False
    stream: bool = True


@dataclass(frozen=True, slots=True)
class Call:
    """What a locustfile says for one planned request: where to, with which headers, with which body."""

    path: str
    headers: dict[str, str]
    body: bytes

    def wire_bytes(self, *, host: str) -> bytes:
        """The whole request as it goes onto the wire.

        The reply is asked for uncompressed: a compressor holds tokens back to make blocks of them.
        """
        headers = {"Host": host, "Accept-Encoding": "identity", **self.headers}
        lines = [f"POST {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        lines += [f"Content-Length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode("latin-1") + self.body


@dataclass(eq=False, slots=True)
class Exchange:
    """A request on its way. Stamps are nanoseconds of CLOCK_MONOTONIC.

    `sent_ns` is when the client set out, before it connected: what connecting costs is the system's, not the
    client's. `reused`: the connection had carried a request before. No deadline can have passed before
    `look_ns`. The first `checked` texts of the answer are known to belong.
    """

    planned: Planned
    unsent: memoryview
    sent_ns: int
    attempt: int = 1
    sock: socket.socket | None = None
    reused: bool = False
    connected_ns: int | None = None
    reply: Reply = field(init=False)
    look_ns: int = 0
    checked: int = 0
    ending: Ending | None = None
    ending_detail: str = ""
    end_ns: int | None = None

    def __post_init__(self) -> None:
        self.reply = Reply(stream=self.planned.stream)

    def overdue(self, now_ns: int, deadlines: Deadlines) -> Ending | None:
        """The deadline that has passed first, if any. Gaps are between bytes: a comment is a sign of life.

        Where none has, `look_ns` is set to the next one that can pass.
        """
        begun = bool(self.reply.answer.texts)
        due: dict[Ending, int] = {
            "deadline_total": self.sent_ns + _ns(deadlines.total_s),
            "stall": (self.reply.last_ns if begun else now_ns) + _ns(deadlines.gap_s),
        }
        if self.connected_ns is None:
            due["deadline_connect"] = self.sent_ns + _ns(deadlines.connect_s)
        if not begun:
            due["deadline_first_token"] = self.sent_ns + _ns(deadlines.first_token_s)
        first = min(due, key=due.__getitem__)
        self.look_ns = due[first]
        return first if now_ns > self.look_ns else None

    def digest(self, *, most: int, tokens: Tokens) -> bool:
        """Read, and where they are derived check, a slice of what came. Returns whether some is left.

        A long answer in one go would keep the receiver waiting for milliseconds.
        """
        if self.reply.read_events(most=most):
            return True
        texts = self.reply.answer.texts
        if tokens == "counted" or self.checked == len(texts):
            return False
        end = belonging(self.planned.request_id, texts, start=self.checked, most=most)
        found_wrong = end < min(len(texts), self.checked + most)
        self.checked = end
        return not found_wrong and end < len(texts)

    def seen(self, *, tokens: Tokens) -> Seen:
        """All that is known of it, now that it has ended and its events have been read."""
        reply, answer = self.reply, self.reply.answer
        if self.ending is None:
            raise ValueError(f"request {self.planned.request_id} has not ended")
        return Seen(
            request_id=self.planned.request_id,
            tokens_asked=self.planned.output_tokens,
            ending=self.ending,
            ending_detail=self.ending_detail,
            reused=self.reused,
            status=reply.status,
            stream=self.planned.stream,
            is_answer=reply.is_answer,
            media=reply.media,
            said=reply.said.decode(errors="replace"),
            tokens=tokens,
            texts=answer.texts,
            belonging=self.checked,
            usage_tokens=answer.usage_tokens,
            finish_reason=answer.finish_reason,
            done=answer.done,
            error=answer.error,
        )

    def outcome(self, *, tokens: Tokens) -> Outcome:
        """What became of it."""
        return classify(self.seen(tokens=tokens))


def _ns(seconds: float) -> int:
    """Seconds in nanoseconds."""
    return round(seconds * 1e9)
