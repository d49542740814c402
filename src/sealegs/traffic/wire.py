"""All connections of one load process: plain non-blocking sockets on one epoll, received by one greenlet.

A greenlet for each stream would cost a switch for each token, and stamp the last of a batch after all the
others. Here the loop waits until the epoll itself is readable, takes the whole batch, and stamps each piece
as it is taken.
"""

import errno
import os
import socket as sockets
from collections.abc import Callable
from time import monotonic_ns
from typing import Any

import gevent
from gevent.monkey import get_original

from sealegs.scenario import Deadlines
from sealegs.traffic.exchange import Exchange
from sealegs.traffic.outcome import Ending

RECEIVE_BYTES = 65_536
DEADLINES_EVERY_S = 0.05
LIBEV_READ = 1
EPOLLIN, EPOLLOUT = 0x001, 0x004

Address = tuple[int, Any]  # family, and what its connect() takes

# Locust patches both modules; the loop below is the one that waits, so it needs what the kernel gives.
kernel_socket = get_original("socket", "socket")
kernel_epoll = get_original("select", "epoll")


class Wire:
    """Sends requests, one connection each and never twice, and hands each over when it has ended.

    `on_end` is called with every exchange exactly once and must not block.
    """

    def __init__(self, address: Address, *, deadlines: Deadlines, on_end: Callable[[Exchange], None]) -> None:
        self._family, self._address = address
        self._deadlines = deadlines
        self._on_end = on_end
        self._epoll = kernel_epoll()
        self._open: dict[int, Exchange] = {}

    def __len__(self) -> int:
        """How many requests are in flight."""
        return len(self._open)

    def send(self, exchange: Exchange) -> None:
        """Set out: connect, and send when connected."""
        sock = kernel_socket(self._family, sockets.SOCK_STREAM)
        sock.settimeout(0)
        sock.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
        exchange.sock = sock
        self._open[sock.fileno()] = exchange
        self._epoll.register(sock.fileno(), EPOLLOUT)
        failed = sock.connect_ex(self._address)
        if failed not in {0, errno.EINPROGRESS}:
            self._end(exchange, "refused", detail=os.strerror(failed))

    def run(self) -> None:
        """Receive for ever."""
        hub = gevent.get_hub()
        readable = hub.loop.io(self._epoll.fileno(), LIBEV_READ)
        while True:
            hub.wait(readable)
            for descriptor, _ in self._epoll.poll(0):
                exchange = self._open[descriptor]
                if exchange.unsent:
                    self._transmit(exchange)
                else:
                    self._receive(exchange)

    def watch_deadlines(self) -> None:
        """End what is overdue, for ever."""
        while True:
            gevent.sleep(DEADLINES_EVERY_S)
            now_ns = monotonic_ns()
            for exchange in list(self._open.values()):
                if exchange.overdue(now_ns, self._deadlines) is None:
                    continue
                # If this process was kept from running, what was awaited may lie in the socket.
                if not exchange.unsent:
                    self._receive(exchange)
                missed = exchange.overdue(now_ns, self._deadlines)
                if exchange.ending is None and missed is not None:
                    self._end(exchange, missed)

    def cut_all(self) -> None:
        """End whatever is in flight, as cut by us."""
        for exchange in list(self._open.values()):
            self._end(exchange, "cut_by_us")

    def _transmit(self, exchange: Exchange) -> None:
        """Send as much as fits; the first call learns whether connecting worked."""
        sock = exchange.sock
        assert sock is not None  # noqa: S101  it is registered
        if exchange.connected_ns is None:
            failed = sock.getsockopt(sockets.SOL_SOCKET, sockets.SO_ERROR)
            if failed:
                self._end(exchange, "refused", detail=os.strerror(failed))
                return
            exchange.connected_ns = monotonic_ns()
        try:
            exchange.unsent = exchange.unsent[sock.send(exchange.unsent) :]
        except BlockingIOError:
            return
        except OSError:
            # The server may have answered before it closed: what it said is still to be read.
            exchange.unsent = memoryview(b"")
        if not exchange.unsent:
            self._epoll.modify(sock.fileno(), EPOLLIN)

    def _receive(self, exchange: Exchange) -> None:
        """Take what has come."""
        assert exchange.sock is not None  # noqa: S101  it is registered
        try:
            data = exchange.sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(exchange, "reset", detail=error.strerror or str(error))
            return
        stamp_ns = monotonic_ns()
        if not data:
            self._end(exchange, "closed")
            return
        exchange.reply.receive(data, stamp_ns=stamp_ns)
        if exchange.reply.complete:
            self._end(exchange, "complete")
        elif exchange.reply.broken is not None:
            self._end(exchange, "closed", detail=f"the reply is no HTTP: {exchange.reply.broken}")

    def _end(self, exchange: Exchange, ending: Ending, *, detail: str = "") -> None:
        """Close the connection and hand the exchange over."""
        assert exchange.sock is not None  # noqa: S101  it is registered
        exchange.ending, exchange.ending_detail = ending, detail
        exchange.end_ns = monotonic_ns()
        exchange.reply.release()
        del self._open[exchange.sock.fileno()]
        # Closing takes it off the epoll; there is no second descriptor of it.
        exchange.sock.close()
        self._on_end(exchange)
