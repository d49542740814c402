"""One HTTP reply being received: stamped bytes at once, their meaning later.

While bytes arrive only llhttp (by httptools) looks at them, so status, headers and the end of the body are
known when they come: 0.25 us a piece, on our machine. Reading an event costs 2 us, so it waits until the
reply has ended. It is done at once only up to the first token, because a deadline hangs on it, and where more
waits than memory should hold.
"""

from collections import deque

import httptools

from sealegs.traffic.client.answer import Answer
from sealegs.traffic.client.events import EVENT_BYTES_MAX, Events

EVENT_STREAM, JSON = b"text/event-stream", b"application/json"
IDENTITY = b"identity"
SAID_BYTES_MAX = 200
MEDIA_CHARS_MAX = 80
# Beyond these a reply is given up: they are far above any real one, and far below what fills a machine.
HEADERS_BYTES_MAX = 64 * 1024
REPLY_BYTES_MAX = 64 * 1024 * 1024
# Of so many bytes the events wait for the end; several hundred tokens.
WAITING_BYTES_MAX = 128 * 1024

INTERIM, SWITCHING, FINAL = 100, 101, 200


class Reply:
    """What has been received of a reply. All stamps are nanoseconds of CLOCK_MONOTONIC.

    Attributes:
        status: HTTP status; None before the headers are whole. Interim ones (1xx) are passed over.
        headers: lower-case names; the last of a repeated header stands. Trailers are not kept.
        headers_ns: when the headers were whole.
        last_ns: when the last bytes were received.
        size_bytes: how many were received, headers and framing included.
        is_answer: whether the body can be read, and has the form that was asked for: events, or JSON.
        media: what the headers say of a body that is not.
        complete: whether the body ended as HTTP says it should.
        broken: why no more is read: no HTTP, or beyond a bound. None while all is well.
        keeps_open: whether the server lets the connection carry another request.
        answer: what the events read so far say.
        said: how a body that is no event stream begins; empty where it is coded.
        waiting_bytes: body received and not read yet.
    """

    def __init__(self, *, stream: bool = True) -> None:
        """Receive a reply to a request that asked for a stream, or for the answer whole."""
        self._stream = stream
        self._whole = bytearray()
        self.status: int | None = None
        self.headers: dict[bytes, bytes] = {}
        self.headers_ns: int | None = None
        self.last_ns = 0
        self.size_bytes = 0
        self.is_answer = False
        self.media = ""
        self.complete = False
        self.broken: str | None = None
        self.keeps_open = False
        self.answer = Answer(stream=stream)
        self.said = b""
        self._pieces: deque[tuple[int, bytes]] = deque()
        self.waiting_bytes = 0
        self._events = Events(self.answer.read)
        self._interim = False
        self._coded = False
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    @property
    def reusable(self) -> bool:
        """Whether the connection may carry another request: both sides are agreed that nothing is left."""
        return self.complete and self.keeps_open and self.broken is None

    def receive(self, data: bytes, *, stamp_ns: int) -> bool:
        """Take in bytes as they arrive. Returns whether the reply goes on; afterwards nothing is taken in."""
        if self._parser is None:
            return False
        self.last_ns = stamp_ns
        self.size_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.broken = self.broken or f"the reply is no HTTP: {error}"
        except httptools.HttpParserUpgrade:
            self.broken = "the server switches protocols"
        if not self.answer.texts:
            self.read_events()
            if self.headers_ns is None and self.size_bytes > HEADERS_BYTES_MAX:
                self.broken = self.broken or f"headers of more than {HEADERS_BYTES_MAX} bytes"
        while self.waiting_bytes > WAITING_BYTES_MAX:
            self.read_events(most=1)
        if self.size_bytes > REPLY_BYTES_MAX and not self.complete:
            self.broken = self.broken or f"a reply of more than {REPLY_BYTES_MAX} bytes"
        if self.complete or self.broken is not None:
            self.release()
            return False
        return True

    def read_events(self, *, most: int | None = None) -> bool:
        """Read events out of at most so many received pieces. Returns whether pieces are left."""
        pieces = self._pieces
        for _ in range(len(pieces) if most is None else min(most, len(pieces))):
            stamp_ns, body = pieces.popleft()
            self.waiting_bytes -= len(body)
            self._events.read(stamp_ns, body)
        if self._events.too_long:
            self.broken = self.broken or f"an event of more than {EVENT_BYTES_MAX} bytes"
        return bool(pieces)

    def release(self) -> None:
        """Nothing more will be received. Parser and reply refer to each other, and no collector runs."""
        self._parser = None

    # What httptools calls.

    def on_message_begin(self) -> None:
        """A reply begins; after the one that was asked for, none may."""
        if self.complete:
            self.broken = "bytes after the reply"

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or after the headers one trailer."""
        if self.headers_ns is None:
            self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """The headers are whole."""
        if self.complete:
            return
        assert self._parser is not None  # noqa: S101  it is the one that calls
        status = self._parser.get_status_code()
        self._interim = INTERIM <= status < FINAL and status != SWITCHING
        if self._interim:
            self.headers.clear()
            return
        self.status, self.headers_ns = status, self.last_ns
        self.keeps_open = self._parser.should_keep_alive()
        kind = self.headers.get(b"content-type", b"")
        coding = self.headers.get(b"content-encoding", IDENTITY).lower()
        self._coded = coding != IDENTITY
        asked = EVENT_STREAM if self._stream else JSON
        self.is_answer = kind.lower().startswith(asked) and not self._coded
        if not self.is_answer:
            self.media = _media(kind, coding)

    def on_body(self, body: bytes) -> None:
        """A piece of the body, out of its chunk."""
        if self.complete:
            return
        if self.is_answer and self._stream:
            self._pieces.append((self.last_ns, body))
            self.waiting_bytes += len(body)
            return
        if self.is_answer:
            self._whole += body
        if len(self.said) < SAID_BYTES_MAX and not self._coded:
            self.said = (self.said + body)[:SAID_BYTES_MAX]

    def on_message_complete(self) -> None:
        """The body ended as it should; an interim reply has none."""
        self.complete = not self._interim
        if self.complete and self.is_answer and not self._stream:
            self.answer.read_whole(self.last_ns, bytes(self._whole))


def _media(kind: bytes, coding: bytes) -> str:
    """A body's type and coding in words."""
    named = kind.decode("latin-1") or "without a content type"
    words = named if coding == IDENTITY else f"{named} in {coding.decode('latin-1')}"
    return words[:MEDIA_CHARS_MAX]
