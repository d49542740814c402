"""What a load process's one Locust user does: send its share of the schedule in time, write down what came.

The user never waits for an answer. One greenlet sends, one receives, one watches deadlines, and one turns
what has ended into evidence, a slice at a time, so that none of them keeps the receiver waiting.
"""

import gc
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from time import monotonic_ns
from typing import Any
from urllib.parse import urlsplit

import gevent
import pyarrow.parquet as pq
from gevent.queue import Queue
from locust.env import Environment
from locust.exception import StopUser

from sealegs.evidence import write_json
from sealegs.traffic.exchange import Call, Exchange, Planned
from sealegs.traffic.ledger import Ledger
from sealegs.traffic.meter import Meter
from sealegs.traffic.order import API_KEY, RUN_DIR, WORKER, Order, file_of, read_order
from sealegs.traffic.process import die_with, go_before_others
from sealegs.traffic.wire import Address, Wire

LOG = logging.getLogger(__name__)
EVENTS_AT_ONCE = 50
STATUS_EVERY_S = 1.0
DRAIN_LOOK_S = 0.02

CallOf = Callable[[Planned, str], Call]


def replay(environment: Environment, *, name: str, call_of: CallOf) -> None:
    """Send this process's share of the run's schedule, then end the test.

    `call_of` makes the call for a planned request, given the API key. Locust gets one ``request`` event a
    request, when it has ended: its response time is end minus intended time, in milliseconds, its length the
    bytes received, and its exception is set for every outcome but ``ok``.
    """
    # A mistake in here must end the process and be read; by default Locust would run the task again.
    environment.catch_exceptions = False
    environment.events.user_error.add_listener(_log_failure)  # type: ignore[no-untyped-call]
    try:
        run_dir = Path(os.environ[RUN_DIR])
        order = read_order(run_dir)
        die_with(order.runner_pid)
        go_before_others()
        Replay(run_dir, order, environment=environment, name=name, call_of=call_of).run()
    finally:
        gevent.spawn(_quit, environment)
    raise StopUser


def _log_failure(exception: BaseException, **_: object) -> None:
    """What ended the user, in the log."""
    LOG.error("load failed", exc_info=exception)


def _quit(environment: Environment) -> None:
    """End Locust. From a greenlet of its own: it kills the one of the user."""
    if environment.runner is not None:
        environment.runner.quit()


class Replay:
    """One load process at work on its share: every `processes`-th request of the schedule."""

    def __init__(
        self, run_dir: Path, order: Order, *, environment: Environment, name: str, call_of: CallOf
    ) -> None:
        self._run_dir = run_dir
        self._order = order
        self._worker = int(os.environ.get(WORKER, "0"))
        self._api_key = os.environ.get(API_KEY, "")
        self._call_of = call_of
        self._planned = _share(run_dir / "schedule.parquet", worker=self._worker, processes=order.processes)
        self._meter = Meter(planned=len(self._planned))
        self._ledger = Ledger(
            run_dir,
            worker=self._worker,
            zero_ns=order.started_monotonic_ns,
            meter=self._meter,
            fire=environment.events.request.fire,
            name=name,
        )
        self._ended: Queue[Exchange] = Queue()
        self._host, address = _target(order.gateway_url)
        self._wire = Wire(address, deadlines=order.deadlines, on_end=self._ended.put_nowait)

    def run(self) -> None:
        """Send everything and wait for the last answer; when killed, cut what is in flight and enter that."""
        gc.collect()
        gc.freeze()
        gc.disable()
        user = gevent.getcurrent()
        duties = (self._wire.run, self._wire.watch_deadlines, self._record, self._tell)
        greenlets = [gevent.spawn(duty) for duty in duties]
        for greenlet in greenlets:
            greenlet.link_exception(lambda failed: gevent.kill(user, failed.exception, block=False))
        try:
            self._send_all()
            while len(self._wire) or not self._ended.empty():
                gevent.sleep(DRAIN_LOOK_S)
        except gevent.GreenletExit:
            LOG.info("stopped with %d requests in flight", len(self._wire))
        finally:
            gevent.killall(greenlets)
            self._wire.cut_all()
            while not self._ended.empty():
                exchange = self._ended.get_nowait()
                exchange.reply.read_events()
                self._ledger.enter(exchange)
        self._put("status", self._status())
        self._put("summary", self._meter.summary())

    def _send_all(self) -> None:
        """Walk the schedule: each request leaves at its time, whatever became of those before it."""
        order = self._order
        in_flight_max = max(1, order.in_flight_max // order.processes)
        for planned in self._planned:
            due_ns = order.started_monotonic_ns + round(planned.intended_s * 1e9)
            # Timers may fire early by a part of a millisecond; when late, the sleep still lets the receiver
            # in.
            gevent.sleep(max(0.0, (due_ns - monotonic_ns()) / 1e9))
            while (early_ns := due_ns - monotonic_ns()) > 0:
                gevent.sleep(early_ns / 1e9)
            if len(self._wire) >= in_flight_max:
                self._ledger.enter_unsent(planned)
                continue
            unsent = memoryview(self._call_of(planned, self._api_key).wire_bytes(host=self._host))
            sent_ns = monotonic_ns()
            self._meter.sent(lag_s=(sent_ns - due_ns) / 1e9)
            self._wire.send(Exchange(planned, unsent, sent_ns))

    def _record(self) -> None:
        """Enter what has ended, for ever. An exchange leaves the queue when it is entered, killed or not."""
        while True:
            exchange = self._ended.peek()
            while exchange.reply.read_events(most=EVENTS_AT_ONCE):
                gevent.sleep(0)
            self._ended.get_nowait()
            self._ledger.enter(exchange)

    def _tell(self) -> None:
        """Say each second how it goes, for ever. The disk is waited for in a thread of its own."""
        while True:
            gevent.get_hub().threadpool.apply(self._put, ("status", self._status()))
            gevent.sleep(STATUS_EVERY_S)

    def _status(self) -> dict[str, Any]:
        """How it goes."""
        return self._meter.status(t_s=(monotonic_ns() - self._order.started_monotonic_ns) / 1e9)

    def _put(self, kind: str, value: dict[str, Any]) -> None:
        """Replace this process's status or summary file."""
        write_json(self._run_dir / file_of(kind, worker=self._worker, processes=self._order.processes), value)


def _share(schedule: Path, *, worker: int, processes: int) -> list[Planned]:
    """A process's part of a schedule, in the order of the intended times: every N-th request."""
    rows = pq.read_table(schedule, use_threads=False).sort_by("intended_s").slice(worker).to_pylist()
    return [
        Planned(
            request_id=row["request_id"],
            intended_s=row["intended_s"],
            prompt_tokens=row["prompt_tokens"],
            output_tokens=row["output_tokens"],
            model_type=row["model_type"],
        )
        for row in rows[::processes]
    ]


def _target(gateway_url: str) -> tuple[str, Address]:
    """The Host header, and where to connect; a name is looked up once, before anything is measured."""
    url = urlsplit(gateway_url)
    found = socket.getaddrinfo(url.hostname, url.port or 80, type=socket.SOCK_STREAM)
    family, _, _, _, address = found[0]
    return url.netloc, (family, address)
