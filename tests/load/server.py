"""A server that speaks OpenAI's stream, misbehaves where it is told to, and remembers what it sent when.

It runs in a thread of the test. Stamps are nanoseconds of CLOCK_MONOTONIC, taken just before each write.
"""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic_ns

from tests.load import manners_failing, manners_whole
from tests.load.speaker import Post, Speaker


@dataclass
class Server:
    """How to treat which request (`manners`, by id; others are served well), and all that were received."""

    manners: Mapping[str, str]
    token_gap_s: float
    posts: list[Post] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def stand_still(self, lasts_s: float) -> None:
        """Do nothing at all for a while, from now on."""
        self.loop.call_soon_threadsafe(time.sleep, lasts_s)

    def post_of(self, request_id: str) -> Post:
        """The one request with an id; AssertionError when there was none or another."""
        found = [post for post in self.posts if post.request_id == request_id]
        assert len(found) == 1, f"{len(found)} POSTs of {request_id} on the wire"
        return found[0]

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: request after request, until one is answered in a way that none can follow."""
        number, self.connections = self.connections, self.connections + 1
        try:
            # The client leaves where it gives up or needs no more, and the test where it ends.
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._answer_one(number, reader, writer):
                    pass
        finally:
            writer.close()

    async def _answer_one(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """The next request of a connection. Returns whether another may follow."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.split(": ", 1) for line in head.splitlines()[1:] if line)
        manner = self.manners.get(headers["x-request-id"], "whole")
        body = b"" if manner == "unheard" else await reader.readexactly(int(headers["Content-Length"]))
        post = Post(headers["x-request-id"], number, monotonic_ns(), headers["Authorization"], body)
        self.posts.append(post)
        speaker = Speaker(self.token_gap_s, post, writer)
        await getattr(manners_whole if hasattr(manners_whole, manner) else manners_failing, manner)(speaker)
        return speaker.ended


@contextmanager
def serving(manners: Mapping[str, str] | None = None, *, token_gap_s: float = 0.01) -> Iterator[Server]:
    """A server on a free port of loopback, until the block ends."""
    server = Server(manners or {}, token_gap_s)
    loop = server.loop
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
