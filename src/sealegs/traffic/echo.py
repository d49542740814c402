"""A server whose answers say when they were written: the canary's other half, a process of its own.

It listens on a free port of loopback, says on its output which, and answers one request after the other until
its parent ends. Each token is the time at which it is written, nanoseconds of CLOCK_MONOTONIC.
"""

import socket
import sys
from contextlib import suppress
from threading import Event
from time import monotonic_ns

from sealegs.traffic.process import die_with
from sealegs.waiting import every

TOKENS, GAP_S = 5, 0.005
BACKLOG = 64
HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
    b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
)
END = b'data: {"choices": [{"delta": {}, "finish_reason": "length"}]}\n\ndata: [DONE]\n\n'


def serve(listener: socket.socket) -> None:
    """Answer whoever comes, for ever."""
    while True:
        connection, _ = listener.accept()
        # A client that has had enough is no business of ours.
        with connection, suppress(ConnectionError):
            _answer(connection)


def _answer(connection: socket.socket) -> None:
    """One request without a body, and a token every few milliseconds."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    asked = b""
    while b"\r\n\r\n" not in asked:
        piece = connection.recv(65_536)
        if not piece:
            return
        asked += piece
    connection.sendall(HEAD)
    for _ in zip(range(TOKENS), every(GAP_S, until=Event()), strict=False):
        connection.sendall(_chunk(b'data: {"choices": [{"delta": {"content": "%d"}}]}\n\n' % monotonic_ns()))
    connection.sendall(_chunk(END) + b"0\r\n\r\n")


def _chunk(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


if __name__ == "__main__":
    die_with(int(sys.argv[1]))
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listening:
        sys.stdout.write(f"{listening.getsockname()[1]}\n")
        sys.stdout.flush()
        serve(listening)
