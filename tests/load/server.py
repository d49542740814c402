"""A server that speaks OpenAI's stream, misbehaves where it is told to, and remembers what it sent when.

It runs in a thread of the test. Stamps are nanoseconds of CLOCK_MONOTONIC, taken just before each write.
"""

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic_ns

from sealegs.traffic.outcome import token_text

POD = "test-server"
EVENTS = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    b"transfer-encoding: chunked\r\nx-served-by: test-server\r\n\r\n"
)
SILENCE_S = 60.0


@dataclass
class Post:
    """One request as it came in, and when each of its tokens was written."""

    request_id: str
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
class Server:
    """How to treat which request (`manners`, by id; others are served well), and all that were received."""

    manners: Mapping[str, str]
    token_gap_s: float
    posts: list[Post] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def post_of(self, request_id: str) -> Post:
        """The one request with an id; AssertionError when there was none or another."""
        found = [post for post in self.posts if post.request_id == request_id]
        assert len(found) == 1, f"{len(found)} POSTs of {request_id} on the wire"
        return found[0]

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.split(": ", 1) for line in head.splitlines()[1:] if line)
        body = await reader.readexactly(int(headers["Content-Length"]))
        post = Post(headers["x-request-id"], monotonic_ns(), headers["Authorization"], body)
        self.posts.append(post)
        speaker = Speaker(self, post, writer)
        try:
            # The client leaves where it gives up, and the test where it ends.
            with suppress(ConnectionError, asyncio.CancelledError):
                await getattr(speaker, self.manners.get(post.request_id, "whole"))()
        finally:
            writer.close()


@dataclass
class Speaker:
    """One answer: each public method is one way to give it."""

    server: Server
    post: Post
    writer: asyncio.StreamWriter

    @property
    def asked(self) -> int:
        """Tokens asked for."""
        asked: int = json.loads(self.post.body)["max_tokens"]
        return asked

    async def whole(self) -> None:
        """As it should be."""
        await self._tokens(range(self.asked))
        self._event(finish="length")
        self._done()

    async def stops_early(self) -> None:
        """Whole as well: the model ended by itself."""
        await self._tokens(range(self.asked - 1))
        self._event(finish="stop")
        self._done()

    async def trickles(self) -> None:
        """Whole, in pieces that end anywhere."""
        self.writer.write(EVENTS)
        for index in range(self.asked):
            self.post.sent_ns.append(monotonic_ns())
            data = _chunk(_event_of(token_text(self.post.request_id, index)))
            for piece in (data[:3], data[3:40], data[40:-3], data[-3:]):
                self.writer.write(piece)
                await asyncio.sleep(0.002)
        self._event(finish="length")
        self._done()

    async def closes(self) -> None:
        """Close before a word."""

    async def resets(self) -> None:
        """Reset before a word."""
        self._reset()

    async def mute(self) -> None:
        """Never a header."""
        await asyncio.sleep(SILENCE_S)

    async def silent(self) -> None:
        """Headers and a role, never a token."""
        self.writer.write(EVENTS)
        self._event(text="")
        await asyncio.sleep(SILENCE_S)

    async def stalls(self) -> None:
        """Two tokens, then nothing."""
        await self._tokens(range(2))
        await asyncio.sleep(SILENCE_S)

    async def endless(self) -> None:
        """Slow, and longer than anybody waits."""
        await self._tokens(range(self.asked), gap_s=0.1)

    async def cut_fin(self) -> None:
        """Close in the middle."""
        await self._tokens(range(3))

    async def cut_rst(self) -> None:
        """Reset in the middle."""
        await self._tokens(range(3))
        await asyncio.sleep(0.05)
        self._reset()

    async def no_finish(self) -> None:
        """End as HTTP should, and not as an answer should."""
        await self._tokens(range(3))
        self.writer.write(b"0\r\n\r\n")

    async def no_done(self) -> None:
        """Everything but [DONE]."""
        await self._tokens(range(self.asked))
        self._event(finish="length")
        self.writer.write(b"0\r\n\r\n")

    async def aborts(self) -> None:
        """The engine gave up, and says so."""
        await self._tokens(range(3))
        self._event(finish="abort")
        self._done()

    async def error_event(self) -> None:
        """An error inside a success."""
        await self._tokens(range(3))
        self.writer.write(_chunk(b'data: {"error": {"message": "engine died", "code": 500}}\n\n'))
        self._done()

    async def foreign(self) -> None:
        """A token of another request."""
        await self._tokens(range(2))
        self._event(text=token_text("r999999", 2))
        await self._tokens(range(3, self.asked), begin=False)
        self._event(finish="length")
        self._done()

    async def missing(self) -> None:
        """A token left out."""
        await self._tokens([*range(2), *range(3, self.asked)])
        self._event(finish="length")
        self._done()

    async def repeated(self) -> None:
        """A token twice."""
        await self._tokens([0, 1, 1, *range(2, self.asked)])
        self._event(finish="length")
        self._done()

    async def short(self) -> None:
        """Says that it is whole, and is not."""
        await self._tokens(range(self.asked - 1))
        self._event(finish="length")
        self._done()

    async def busy(self) -> None:
        """Too many requests."""
        self._refuse("429 Too Many Requests", "retry-after: 7\r\n")

    async def fails(self) -> None:
        """An error of the server."""
        self._refuse("500 Internal Server Error")

    async def unknown(self) -> None:
        """An error of the client."""
        self._refuse("404 Not Found")

    async def page(self) -> None:
        """A success that is no stream."""
        self._refuse("200 OK")

    async def gibberish(self) -> None:
        """No HTTP."""
        self.writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")

    async def _tokens(self, indices: Iterator[int] | range | list[int], **how: float) -> None:
        """Tokens of this request, each in a write of its own."""
        if how.get("begin", True):
            self.writer.write(EVENTS)
        for index in indices:
            self.post.sent_ns.append(monotonic_ns())
            self._event(text=token_text(self.post.request_id, index))
            await asyncio.sleep(how.get("gap_s", self.server.token_gap_s))

    def _event(self, *, text: str | None = None, finish: str | None = None) -> None:
        self.writer.write(_chunk(_event_of(text, finish)))

    def _done(self) -> None:
        self.writer.write(_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")

    def _refuse(self, status: str, headers: str = "") -> None:
        self.writer.write(f"HTTP/1.1 {status}\r\n{headers}content-length: 5\r\n\r\nsorry".encode())

    def _reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def _event_of(text: str | None, finish: str | None = None) -> bytes:
    """One event as OpenAI's."""
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n"


def _chunk(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


@contextmanager
def serving(manners: Mapping[str, str] | None = None, *, token_gap_s: float = 0.01) -> Iterator[Server]:
    """A server on a free port of loopback, until the block ends."""
    server = Server(manners or {}, token_gap_s)
    loop = asyncio.new_event_loop()
    listening = threading.Event()
    over = asyncio.Event()

    async def serve() -> None:
        listener = await asyncio.start_server(server.answer, "127.0.0.1", 0, backlog=256)
        server.port = listener.sockets[0].getsockname()[1]
        listening.set()
        await over.wait()
        listener.close()
        speaking = asyncio.all_tasks() - {asyncio.current_task()}
        for task in speaking:
            task.cancel()
        await asyncio.gather(*speaking, return_exceptions=True)
        await asyncio.sleep(0.01)  # the loop closes sockets in its next rounds

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()], daemon=True)
    thread.start()
    assert listening.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()
