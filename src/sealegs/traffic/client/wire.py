"""All connections of one load process: plain non-blocking sockets on one epoll, received by one greenlet.

A greenlet for each stream would cost a switch for each token, and stamp the last of a batch after all the
others. Here the loop waits until the epoll itself is readable and takes batch after batch until none is left.
The hot path of a token is `recv`, a stamp, llhttp's look at the bytes and a place in the reply's queue: 11 us
on our machine, more than half of it in the kernel. Its JSON is read later (`sealegs.traffic.client.reply`),
and deadlines cost a stream one comparison of integers a look.

On a sample of receives the kernel is asked when it had the bytes: `Wire.receive_errors_s`.
"""

import errno
import os
import socket as sockets
from collections.abc import Callable
from time import monotonic_ns
from typing import Any
from urllib.parse import urlsplit

import gevent
from gevent.monkey import get_original

from sealegs.scenario.workload import Deadlines
from sealegs.traffic.client import kernel_stamp
from sealegs.traffic.client.exchange import Exchange
from sealegs.traffic.client.outcome import Ending
from sealegs.traffic.client.pool import Pool, is_quiet

RECEIVE_BYTES = 65_536
DEADLINES_EVERY_S = 0.05
KEPT_NS = 500_000_000
WARM_LOOK_S = 0.002
IDLE_MAX = 256
# While much arrives the receiver lets the others in so often: the sender's requests must leave in time.
TURN_NS = 1_000_000
# A prime, so that samples do not always fall on the same place of a batch. All of the first are looked at: of
# answers that come whole there may be few more.
SAMPLE_EVERY = 61
SAMPLED_FIRST = 20
LIBEV_READ = 1
EPOLLIN, EPOLLOUT = 0x001, 0x004

Address = tuple[int, Any]  # family, and what its connect() takes

# Locust patches both modules; the loop below is the one that waits, so it needs what the kernel gives.
kernel_socket = get_original("socket", "socket")
kernel_epoll = get_original("select", "epoll")


class Wire:
    """Sends requests, each once and never again, and hands each over when it has ended.

    `on_end` is called with every exchange exactly once and must not block. `warm` connections are opened by
    `warm_up`; at most `idle_max` are kept between requests.
    """

    def __init__(
        self,
        address: Address,
        *,
        deadlines: Deadlines,
        on_end: Callable[[Exchange], None],
        warm: int = 0,
        idle_max: int = IDLE_MAX,
    ) -> None:
        self._family, self._address = address
        self._deadlines = deadlines
        self._on_end = on_end
        self._warm = min(warm, idle_max)
        self._epoll = kernel_epoll()
        self._open: dict[int, Exchange] = {}
        self._pool = Pool(idle_max=idle_max)
        self._errors = kernel_stamp.Errors()
        self._until_sample = 1
        self._sampled = 0

    def __len__(self) -> int:
        """How many requests are in flight."""
        return len(self._open)

    @property
    def idle(self) -> int:
        """How many connections are open and carry nothing."""
        return len(self._pool)

    @property
    def receive_errors_s(self) -> list[float]:
        """How much later than the kernel had them bytes were stamped, for a sample; empty if it does not say.

        Measured at the last byte of a receive. A copy, of bounded length.
        """
        return list(self._errors.values_s)

    def warm_up(self) -> None:
        """Open connections ahead, and wait for them. What fails here the first request will tell."""
        connecting: dict[int, sockets.socket] = {}
        for _ in range(self._warm):
            sock, _ = self._connecting()
            connecting[sock.fileno()] = sock
        give_up_ns = monotonic_ns() + round(self._deadlines.connect_s * 1e9)
        with kernel_epoll() as opened:
            for descriptor in connecting:
                opened.register(descriptor, EPOLLOUT)
            while connecting and monotonic_ns() < give_up_ns:
                for descriptor, _ in opened.poll(0):
                    opened.unregister(descriptor)
                    self._warmed(connecting.pop(descriptor))
                gevent.sleep(WARM_LOOK_S)
        for sock in connecting.values():
            sock.close()

    def send(self, exchange: Exchange) -> None:
        """Set out: on an idle connection, else connect, and send when connected."""
        idle = self._pool.take()
        if idle is not None:
            exchange.sock, exchange.reused = idle
            exchange.connected_ns = exchange.sent_ns
            self._open[idle.sock.fileno()] = exchange
            self._transmit(exchange)
            if exchange.unsent and exchange.ending is None:
                self._epoll.modify(idle.sock.fileno(), EPOLLIN | EPOLLOUT)
            return
        sock, failed = self._connecting()
        exchange.sock = sock
        self._open[sock.fileno()] = exchange
        self._epoll.register(sock.fileno(), EPOLLIN | EPOLLOUT)
        if failed:
            self._end(exchange, "refused", detail=os.strerror(failed))

    def run(self) -> None:
        """Receive for ever."""
        hub = gevent.get_hub()
        readable = hub.loop.io(self._epoll.fileno(), LIBEV_READ)
        while True:
            hub.wait(readable)
            turn_ends_ns = monotonic_ns() + TURN_NS
            while batch := self._epoll.poll(0):
                for descriptor, events in batch:
                    exchange = self._open.get(descriptor)
                    if exchange is None:
                        self._pool.drop(descriptor)
                    elif exchange.unsent:
                        self._advance(exchange, events)
                    else:
                        self._receive(exchange)
                if monotonic_ns() > turn_ends_ns:
                    break

    def watch_deadlines(self) -> None:
        """End what is overdue, for ever."""
        while True:
            asleep_ns = monotonic_ns()
            gevent.sleep(DEADLINES_EVERY_S)
            if monotonic_ns() - asleep_ns > KEPT_NS:
                # The whole machine may have stood still: who owes us something gets the time to send it.
                gevent.sleep(DEADLINES_EVERY_S)
            now_ns = monotonic_ns()
            passed = [one for one in self._open.values() if now_ns > one.look_ns]
            for exchange in passed:
                if exchange.overdue(now_ns, self._deadlines) is None:
                    continue
                # If this process was kept from running, what was awaited may lie in the socket.
                if exchange.connected_ns is not None:
                    self._receive(exchange)
                missed = exchange.overdue(now_ns, self._deadlines)
                if exchange.ending is None and missed is not None:
                    self._end(exchange, missed)

    def cut(self, exchange: Exchange) -> None:
        """End a request as cut by us, if it is in flight."""
        if exchange.ending is None:
            self._end(exchange, "cut_by_us")

    def cut_all(self) -> None:
        """End whatever is in flight, as cut by us, and close what is idle."""
        for exchange in list(self._open.values()):
            self.cut(exchange)
        self._pool.close()

    def _connecting(self) -> tuple[sockets.socket, int]:
        """A socket on its way to the server, and what its connect() said at once: 0, or an errno."""
        sock = kernel_socket(self._family, sockets.SOCK_STREAM)
        sock.settimeout(0)
        sock.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
        kernel_stamp.ask_for_stamps(sock)
        failed = sock.connect_ex(self._address)
        return sock, 0 if failed == errno.EINPROGRESS else failed

    def _warmed(self, sock: sockets.socket) -> None:
        """Keep a connection that was opened ahead, if it is one."""
        if is_quiet(sock):
            self._epoll.register(sock.fileno(), EPOLLIN)
            self._pool.put(sock, used=False)
        else:
            sock.close()

    def _advance(self, exchange: Exchange, events: int) -> None:
        """Bring a request further onto the wire; the first call learns whether connecting worked."""
        assert exchange.sock is not None  # noqa: S101  it is registered
        if exchange.connected_ns is None:
            failed = exchange.sock.getsockopt(sockets.SOL_SOCKET, sockets.SO_ERROR)
            if failed:
                self._end(exchange, "refused", detail=os.strerror(failed))
                return
            exchange.connected_ns = monotonic_ns()
        self._transmit(exchange)
        if exchange.ending is not None:
            return
        if not exchange.unsent:
            self._epoll.modify(exchange.sock.fileno(), EPOLLIN)
        if events & ~EPOLLOUT:
            # Some answer before they have heard all, and stop listening.
            self._receive(exchange)

    def _transmit(self, exchange: Exchange) -> None:
        """Send as much as fits. When sending fails what is left stays unsent: the answer may be there."""
        assert exchange.sock is not None  # noqa: S101  it is registered
        try:
            exchange.unsent = exchange.unsent[exchange.sock.send(exchange.unsent) :]
        except BlockingIOError:
            return
        except OSError:
            self._receive(exchange)

    def _receive(self, exchange: Exchange) -> None:
        """Take what has come."""
        sock = exchange.sock
        assert sock is not None  # noqa: S101  it is registered
        self._until_sample -= 1
        try:
            if self._until_sample:
                data = sock.recv(RECEIVE_BYTES)
                stamp_ns = monotonic_ns()
            else:
                self._sampled += 1
                self._until_sample = 1 if self._sampled < SAMPLED_FIRST else SAMPLE_EVERY
                data, arrived_ns = kernel_stamp.receive(sock, RECEIVE_BYTES)
                stamp_ns = monotonic_ns()
                self._errors.note(arrived_ns)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(exchange, "reset", detail=error.strerror or str(error))
            return
        if not data:
            self._end(exchange, "closed")
        elif not exchange.reply.receive(data, stamp_ns=stamp_ns):
            broken = exchange.reply.broken
            whole = exchange.reply.complete
            self._end(exchange, "complete" if whole else "unreadable", detail=("" if whole else broken) or "")
        elif exchange.planned.cancel and exchange.reply.answer.texts:
            self._end(exchange, "cancelled")

    def _end(self, exchange: Exchange, ending: Ending, *, detail: str = "") -> None:
        """Keep or close the connection and hand the exchange over."""
        sock = exchange.sock
        assert sock is not None  # noqa: S101  it is registered
        exchange.ending, exchange.ending_detail = ending, detail
        exchange.end_ns = monotonic_ns()
        exchange.reply.release()
        exchange.sock = None
        del self._open[sock.fileno()]
        if ending == "complete" and exchange.reply.reusable and not exchange.unsent:
            self._pool.put(sock)
        else:
            # Closing takes it off the epoll; there is no second descriptor of it.
            sock.close()
        self._on_end(exchange)


def target_of(gateway_url: str) -> tuple[str, Address]:
    """The Host header, and where to connect; a name is looked up once, before anything is measured."""
    url = urlsplit(gateway_url)
    found = sockets.getaddrinfo(url.hostname, url.port or 80, type=sockets.SOCK_STREAM)
    family, _, _, _, address = found[0]
    return url.netloc, (family, address)
