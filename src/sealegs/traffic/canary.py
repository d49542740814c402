"""The client measured on answers whose times are known: before the load, and again when it is over.

A server in a process of its own (`sealegs.traffic.echo`) writes tokens that say when they are written, and
the client of the load, its own `Wire`, receives them. Stamp minus token is the error of client and loopback
together, whatever the cluster does.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic_ns

import gevent
from gevent.queue import Queue

from sealegs.scenario.workload import Deadlines
from sealegs.traffic.client.exchange import Call, Exchange, Planned
from sealegs.traffic.client.wire import Address, Wire
from sealegs.traffic.echo import TOKENS
from sealegs.traffic.quantile import quantile_of

REQUESTS, EVERY_S = 50, 0.01
# A canary takes its requests' time and a little; one that is not done by then is no measurement.
LIMIT_S = 5.0
DEADLINES = Deadlines(connect_s=LIMIT_S, first_token_s=LIMIT_S, gap_s=LIMIT_S, total_s=LIMIT_S)
PLANNED = Planned(
    request_id="canary", intended_s=0.0, prompt_tokens=0, output_tokens=TOKENS, model_type="default"
)


@contextmanager
def canary() -> Iterator["Canary"]:
    """An echo server at hand until the block ends; between canaries it is idle."""
    server = subprocess.Popen(
        [sys.executable, "-m", "sealegs.traffic.echo", str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # how it dies is no news, and would be read as the load's own end
    )
    try:
        yield Canary(server)
    finally:
        server.kill()
        server.communicate()


@dataclass
class Canary:
    """The client against an echo server."""

    server: subprocess.Popen[bytes]
    port: int | None = None

    def error_s_p99(self) -> float | None:
        """The receive error of 250 tokens, its 99th percentile; takes about half a second.

        None when nothing was measured: an answer did not come.
        """
        with gevent.Timeout(LIMIT_S, False):  # noqa: FBT003  gevent's word for silence
            errors_s = sorted(self._errors_s())
            return quantile_of(errors_s, 0.99) if len(errors_s) == REQUESTS * TOKENS else None
        return None

    def _errors_s(self) -> Iterator[float]:
        """How much later than written each token was received."""
        for exchange in self._exchanges():
            exchange.reply.read_events()
            answer = exchange.reply.answer
            for stamp_ns, text in zip(answer.texts_ns, answer.texts, strict=True):
                yield (stamp_ns - int(text)) / 1e9

    def _exchanges(self) -> list[Exchange]:
        """The canary's requests, ended; none when there is no server."""
        address = self._address()
        if address is None:
            return []
        ended: Queue[Exchange] = Queue()
        wire = Wire(address, deadlines=DEADLINES, on_end=ended.put_nowait)
        receiver = gevent.spawn(wire.run)
        unsent = Call(path="/", headers={}, body=b"").wire_bytes(host="canary")
        try:
            for _ in range(REQUESTS):
                wire.send(Exchange(PLANNED, memoryview(unsent), monotonic_ns()))
                gevent.sleep(EVERY_S)
            return [ended.get() for _ in range(REQUESTS)]
        finally:
            receiver.kill()
            wire.cut_all()

    def _address(self) -> Address | None:
        """Where the server listens; the first to ask waits until it does. None when it died instead."""
        if self.port is None:
            assert self.server.stdout is not None  # noqa: S101  it was asked for
            self.port = int(self.server.stdout.readline() or 0)
        return (socket.AF_INET, ("127.0.0.1", self.port)) if self.port else None
