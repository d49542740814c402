"""One HTTP reply being received: stamped bytes at once, their meaning later.

While bytes arrive only llhttp (by httptools, 0.4 us a chunk) looks at them, so status, headers and the end of
the body are known when they come. Reading events costs ten times that, so it waits until the reply has ended;
only up to the first token it is done at once, because a deadline hangs on it.
"""

from collections import deque

import httptools

from sealegs.traffic.answer import Answer

EVENT_STREAM = b"text/event-stream"
SAID_BYTES_MAX = 200


class Reply:
    """What has been received of a reply. All stamps are nanoseconds of CLOCK_MONOTONIC.

    Attributes:
        status: HTTP status; None before the headers are whole.
        headers: lower-case names; the last of a repeated header stands.
        headers_ns: when the headers were whole.
        last_ns: when the last bytes were received.
        size_bytes: how many were received, headers and framing included.
        complete: whether the body ended as HTTP says it should.
        broken: what made the bytes no HTTP; None while they are.
        answer: what the events read so far say.
        said: how a body that is no event stream begins.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: dict[bytes, bytes] = {}
        self.headers_ns: int | None = None
        self.last_ns = 0
        self.size_bytes = 0
        self.complete = False
        self.broken: str | None = None
        self.answer = Answer()
        self.said = b""
        self._bodies: deque[tuple[int, bytes]] = deque()
        self._line = b""
        self._data: list[bytes] = []
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    @property
    def is_events(self) -> bool:
        """Whether the body is server-sent events."""
        return self.headers.get(b"content-type", b"").startswith(EVENT_STREAM)

    @property
    def ended(self) -> bool:
        """Whether nothing more can come."""
        return self.complete or self.broken is not None

    def receive(self, data: bytes, *, stamp_ns: int) -> None:
        """Take in bytes as they arrive."""
        self.last_ns = stamp_ns
        self.size_bytes += len(data)
        if self._parser is None:
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.broken = str(error)
        if not self.answer.texts:
            self.read_events()
        if self.ended:
            # Parser and reply refer to each other, and the collector is off while load runs.
            self._parser = None

    def read_events(self, *, most: int | None = None) -> bool:
        """Read events out of at most so many received pieces. Returns whether pieces are left."""
        while self._bodies and (most is None or most > 0):
            self._read_lines(*self._bodies.popleft())
            most = None if most is None else most - 1
        return bool(self._bodies)

    def release(self) -> None:
        """Nothing more will be received."""
        self._parser = None

    def _read_lines(self, stamp_ns: int, body: bytes) -> None:
        """Cut a piece of body into lines; an empty line ends an event, whose time is its last byte's."""
        *lines, self._line = (self._line + body).split(b"\n")
        for raw in lines:
            line = raw.removesuffix(b"\r")
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                self.answer.read(stamp_ns, b"\n".join(self._data))
                self._data.clear()

    # What httptools calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """The headers are whole."""
        assert self._parser is not None  # noqa: S101  it is the one that calls
        self.status = self._parser.get_status_code()
        self.headers_ns = self.last_ns

    def on_body(self, body: bytes) -> None:
        """A piece of the body, out of its chunk."""
        if self.is_events:
            self._bodies.append((self.last_ns, body))
        elif len(self.said) < SAID_BYTES_MAX:
            self.said = (self.said + body)[:SAID_BYTES_MAX]

    def on_message_complete(self) -> None:
        """The body ended as it should."""
        self.complete = True
