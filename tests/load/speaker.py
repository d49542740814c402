"""One answer of the test server on its way: what its manners are made of."""

import asyncio
import json
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic_ns

from sealegs.traffic.client.outcome import token_text

POD = "test-server"
EVENTS = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    b"transfer-encoding: chunked\r\nx-served-by: test-server\r\n\r\n"
)
DONE = b"data: [DONE]\n\n"
SILENCE_S = 60.0
PADDING = b'data: {"padding": "' + b"x" * 1_000_000 + b'"}\n\n'


@dataclass
class Post:
    """One request as it came in, on which connection (from 0), and when each of its tokens was written."""

    request_id: str
    connection: int
    received_ns: int
    authorization: str
    body: bytes
    sent_ns: list[int] = field(default_factory=list)

    @property
    def prompt_words(self) -> int:
        """Words of the prompt, which are the reference engine's tokens."""
        (message,) = json.loads(self.body)["messages"]
        return len(message["content"].split())


@dataclass
class Speaker:
    """One answer: its manner says it by these. `ended`: as HTTP wants it."""

    token_gap_s: float
    post: Post
    writer: asyncio.StreamWriter
    ended: bool = False

    @property
    def asked(self) -> int:
        """Tokens asked for."""
        asked: int = json.loads(self.post.body)["max_tokens"]
        return asked

    async def tokens(self, indices: Iterator[int] | range | list[int], **how: float) -> None:
        """Tokens of this request, each in a write of its own."""
        if how.get("begin", True):
            self.writer.write(EVENTS)
        for index in indices:
            self.post.sent_ns.append(monotonic_ns())
            self.event(text=self.text_of(index))
            await asyncio.sleep(how.get("gap_s", self.token_gap_s))

    def text_of(self, index: int) -> str:
        """The token that belongs at an index."""
        return token_text(self.post.request_id, index)

    def everything(self) -> bytes:
        """The whole body of events."""
        events = [event_of(self.text_of(index)) for index in range(self.asked)]
        return b"".join([*events, event_of(None, "length"), DONE])

    def event(self, *, text: str | None = None, finish: str | None = None) -> None:
        """One event in a chunk."""
        self.writer.write(chunk(event_of(text, finish)))

    def done(self) -> None:
        """What ends an answer, and its body."""
        self.writer.write(chunk(DONE))
        self.end_body()

    def end_body(self) -> None:
        """What ends a body."""
        self.writer.write(b"0\r\n\r\n")
        self.ended = True

    def say(self, status: str, body: bytes, headers: str = "") -> None:
        """A reply with a body of known length."""
        head = f"HTTP/1.1 {status}\r\n{headers}content-length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)
        self.ended = True

    def reset(self) -> None:
        """Close by RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def event_of(text: str | None, finish: str | None = None, **more: str) -> bytes:
    """One event as OpenAI's, not escaped."""
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    event = {"object": "chat.completion.chunk", "choices": [choice], **more}
    return b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"


def chunk(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)
