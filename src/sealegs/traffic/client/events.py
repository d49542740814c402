"""Server-sent events out of the pieces in which a body came: WHATWG's HTML, 9.2.6, as far as data goes."""

from collections.abc import Callable

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Far above any real event, and far below what fills a machine.
EVENT_BYTES_MAX = 8_000_000
LEAST_EVENT_BYTES = len(b"data: \n\n")


class Events:
    """Hands over each event's data with the time of its last byte, as `on_event(stamp_ns, data)`.

    `too_long`: an event went beyond `EVENT_BYTES_MAX`, and what it was is lost.
    """

    __slots__ = ("_after_return", "_at_start", "_data", "_held_bytes", "_line", "_on_event", "too_long")

    def __init__(self, on_event: Callable[[int, bytes], None]) -> None:
        self.too_long = False
        self._on_event = on_event
        self._line: list[bytes] = []
        self._data: list[bytes] = []
        self._held_bytes = 0
        self._at_start = True
        self._after_return = False

    def read(self, stamp_ns: int, body: bytes) -> None:
        """Cut a piece of body into lines; an empty line ends an event, one without data says nothing."""
        if self._is_one_event(body):
            self._on_event(stamp_ns, body[6:-2])
            return
        if body and (self._after_return or b"\r" in body):
            body = self._with_line_feeds(body)
        *lines, rest = body.split(b"\n")
        if lines:
            lines[0] = self._finished(lines[0])
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
                self._held_bytes += len(line)
            elif not line and self._data:
                data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
                self._data.clear()
                self._held_bytes = 0
                if data:
                    self._on_event(stamp_ns, data)
        if rest:
            self._line.append(rest)
            self._held_bytes += len(rest)
        if self._held_bytes > EVENT_BYTES_MAX:
            self.too_long = True
            self._line.clear()
            self._data.clear()

    def _is_one_event(self, body: bytes) -> bool:
        """Whether a piece is what most are: ``data: …`` and an empty line, nothing before, nothing behind."""
        return (
            body.startswith(b"data: ")
            and body.find(b"\n") == len(body) - 2
            and body.endswith(b"\n\n")
            and len(body) > LEAST_EVENT_BYTES
            and b"\r" not in body
            and not (self._line or self._data or self._at_start or self._after_return)
        )

    def _finished(self, end: bytes) -> bytes:
        """The line whose end has come; its beginning may have come in many pieces, which are joined once."""
        if self._line:
            self._held_bytes -= sum(map(len, self._line))
            end = b"".join((*self._line, end))
            self._line.clear()
        if self._at_start:
            self._at_start = False
            return end.removeprefix(BYTE_ORDER_MARK)
        return end

    def _with_line_feeds(self, body: bytes) -> bytes:
        """The piece with each line's end as LF, also where CR and LF came in two pieces."""
        whole = body.removeprefix(b"\n") if self._after_return else body
        self._after_return = body.endswith(b"\r")
        return whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
