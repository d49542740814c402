"""Connections between two requests: kept open, watched, and taken again the last used first.

A server may close an idle connection at any moment. The kernel's word is looked for just before a connection
is taken, so what is left is the instant in which both sides act at once; a request that is lost in it is
lost, for sending it again could serve it twice.
"""

import socket
from typing import NamedTuple


class Idle(NamedTuple):
    """A connection that carries nothing; `used` when it has carried a request."""

    sock: socket.socket
    used: bool


class Pool:
    """At most `idle_max` idle connections, by descriptor. Their owner tells of each that became readable."""

    def __init__(self, *, idle_max: int) -> None:
        self._idle_max = idle_max
        self._idle: dict[int, Idle] = {}

    def __len__(self) -> int:
        """How many are idle."""
        return len(self._idle)

    def put(self, sock: socket.socket, *, used: bool = True) -> None:
        """Keep a connection on which nothing is due; beyond the bound it is closed."""
        if len(self._idle) >= self._idle_max:
            sock.close()
        else:
            self._idle[sock.fileno()] = Idle(sock, used)

    def take(self) -> Idle | None:
        """The connection that was put last and is still open; None when there is none."""
        while self._idle:
            _, idle = self._idle.popitem()
            if is_quiet(idle.sock):
                return idle
            idle.sock.close()
        return None

    def drop(self, descriptor: int) -> None:
        """Close an idle connection: the server closed it, or sent what nobody asked for."""
        self._idle.pop(descriptor).sock.close()

    def close(self) -> None:
        """Close all of them."""
        while self._idle:
            self._idle.popitem()[1].sock.close()


def is_quiet(sock: socket.socket) -> bool:
    """Whether a socket that does not block is open with nothing to read."""
    try:
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
