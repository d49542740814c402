"""What a load process does: send its share of the schedule in time, and write down what came of it.

Nobody here waits for an answer. One greenlet sends, one receives, one watches deadlines, and one turns what
has ended into evidence, a slice at a time, so that none of them keeps the receiver waiting. What is due later
than planned (a turn after a slow answer, another attempt) has a greenlet of its own until then.
"""

import gc
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic_ns
from typing import Any

import gevent
import pyarrow.parquet as pq
from gevent.pool import Group
from gevent.queue import Queue
from gevent.threadpool import ThreadPool

from sealegs.evidence import write_json
from sealegs.traffic.alarm import Alarm
from sealegs.traffic.canary import Canary, canary
from sealegs.traffic.client.exchange import Call, Exchange, Planned
from sealegs.traffic.client.outcome import Outcome
from sealegs.traffic.client.retry import may_retry, pause_s
from sealegs.traffic.client.wire import Wire, target_of
from sealegs.traffic.first_tokens import FirstTokens
from sealegs.traffic.ledger import Ledger
from sealegs.traffic.meter import Meter
from sealegs.traffic.order import API_KEY, SCHEDULE, WORKER, Order, end_s_of, file_of
from sealegs.traffic.row import CAP_REFUSED, NEVER_SENT, Ended, ended_of
from sealegs.traffic.sessions import Due, Sessions
from sealegs.traffic.share import in_flight_mean, share_of
from sealegs.traffic.stalls import Stalls

LOG = logging.getLogger(__name__)
EVENTS_AT_ONCE = 100
LATE_AT_ONCE = 8
STATUS_EVERY_S = 1.0
DRAIN_LOOK_S = 0.02
SCHEDULE_LOOK_S = 0.02
ALARM_S = 0.005

CallOf = Callable[[Planned, str], Call]


def replay(run_dir: Path, order: Order, *, call_of: CallOf, fire: Callable[..., None], name: str) -> None:
    """Get ready, wait for the schedule, and send this process's share of it.

    `call_of` makes the call for a planned request, given the API key; `fire` is Locust's ``request`` event,
    and `name` the requests' name there.
    """
    worker = int(os.environ.get(WORKER, "0"))
    with canary() as echo:
        before_s = echo.error_s_p99()
        write_json(run_dir / file_of("ready", worker=worker, processes=order.processes), {"ready": True})
        # The runner that owes it takes this process with it when it ends.
        while not (run_dir / SCHEDULE).exists():
            gevent.sleep(SCHEDULE_LOOK_S)
        Replay(run_dir, order, worker=worker, call_of=call_of, fire=fire, name=name).run(
            echo=echo, before_s=before_s
        )


class Replay:
    """One load process at work on its share of the schedule: every `processes`-th session."""

    def __init__(
        self,
        run_dir: Path,
        order: Order,
        *,
        worker: int,
        call_of: CallOf,
        fire: Callable[..., None],
        name: str,
    ) -> None:
        self._run_dir = run_dir
        self._order = order
        self._worker = worker
        self._api_key = os.environ.get(API_KEY, "")
        self._call_of = call_of
        table = pq.read_table(run_dir / SCHEDULE, use_threads=False)
        self._end_s = end_s_of(table)
        self._planned = share_of(table, worker=worker, processes=order.processes, whole=order.whole)
        self._left = len(self._planned)
        self._sessions = Sessions(self._planned)
        self._meter = Meter(planned=len(self._planned), zero_ns=order.started_monotonic_ns)
        self._first_tokens = FirstTokens(zero_ns=order.started_monotonic_ns)
        self._ledger = Ledger(
            run_dir,
            worker=self._worker,
            zero_ns=order.started_monotonic_ns,
            meter=self._meter,
            fire=fire,
            name=name,
        )
        self._greenlets = Group()
        self._disk = ThreadPool(1)
        self._ended: Queue[Exchange] = Queue()
        self._resting: dict[str, Ended] = {}
        self._first_sent_ns: dict[str, int] = {}
        self._in_flight_max = max(1, order.in_flight_max // order.processes)
        self._host, address = target_of(order.gateway_url)
        self._wire = Wire(
            address,
            deadlines=order.deadlines,
            on_end=self._ended.put_nowait,
            warm=min(self._in_flight_max, in_flight_mean(self._planned, order.tokens_per_s)),
            idle_max=self._in_flight_max,
        )

    def run(self, *, echo: Canary, before_s: float | None) -> None:
        """Send everything and wait for the last answer; when killed, cut what is in flight and enter that.

        `before_s` is the canary's error before the load; `echo` measures it again after it.
        """
        self._user = gevent.getcurrent()
        stalls = Stalls(
            begin_ns=self._ns_of(self._planned[0].intended_s) if self._planned else monotonic_ns()
        )
        after_s = None
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            self._walk(stalls)
            after_s = echo.error_s_p99()
        except gevent.GreenletExit:
            LOG.info("stopped with %d of %d requests to go", self._left, len(self._planned))
        self._put("status", self._status())
        errors_s = self._wire.receive_errors_s
        self._put(
            "summary",
            self._meter.summary(stalls=stalls, receive_errors_s=errors_s, canaries_s=(before_s, after_s)),
        )

    def _walk(self, stalls: Stalls) -> None:
        """Send everything and enter every end, the last of them when this is killed."""
        duties = (self._wire.run, self._wire.watch_deadlines, self._record, self._tell, stalls.watch)
        for duty in duties:
            self._spawn(duty)
        try:
            self._wire.warm_up()
            self._send_all()
            while self._left:
                gevent.sleep(DRAIN_LOOK_S)
        finally:
            # Those too who would send later: nobody is left to enter what becomes of it.
            self._greenlets.kill()
            self._close()

    def _spawn(self, duty: Callable[[], None], *, after_s: float = 0.0) -> None:
        """A greenlet whose mistake ends the run instead of itself."""
        greenlet = gevent.spawn_later(after_s, duty) if after_s > 0 else gevent.spawn(duty)
        greenlet.link_exception(lambda failed: gevent.kill(self._user, failed.exception, block=False))
        self._greenlets.add(greenlet)

    def _close(self) -> None:
        """Enter what is in flight as cut by us, and what rests before another attempt as it last ended."""
        self._wire.cut_all()
        while not self._ended.empty():
            exchange = self._ended.get_nowait()
            exchange.reply.read_events()
            self._enter(ended_of(exchange, tokens=self._order.tokens))
        for ended in self._resting.values():
            self._enter(ended)

    def _ns_of(self, t_s: float) -> int:
        """A time of the run on the monotonic clock."""
        return self._order.started_monotonic_ns + round(t_s * 1e9)

    def _send_all(self) -> None:
        """Walk the schedule: each request leaves at its time, whatever became of those before it.

        Who is late lets the receiver in, but not after each request: in a full house that is every
        millisecond, and the late would become later.
        """
        late = 0
        with Alarm() as alarm:
            for planned in self._planned:
                due_ns = self._ns_of(planned.intended_s)
                late = late + 1 if due_ns <= monotonic_ns() else 0
                if late % LATE_AT_ONCE == 0:
                    alarm.wait_until(due_ns)
                if (due := self._sessions.take(planned)) is not None:
                    self._send_when(due)

    def _send_when(self, due: Due) -> None:
        """Send a request when it is due, now or later, if load has not ended by then."""
        planned = due.planned
        if due.due_s >= self._end_s:
            self._enter_unsent(planned, NEVER_SENT, end_s=due.due_s)
        elif due.due_s <= planned.intended_s:
            self._send(planned)
        else:
            moved = replace(planned, intended_s=due.due_s)

            def later() -> None:
                due_ns = self._ns_of(due.due_s)
                # Thousands may think at a time, and an alarm is a file descriptor.
                gevent.sleep(max(0.0, (due_ns - monotonic_ns()) / 1e9 - ALARM_S))
                with Alarm() as alarm:
                    alarm.wait_until(due_ns)
                self._send(moved)

            self._spawn(later)

    def _send(self, planned: Planned) -> None:
        """Send a request for the first time, or let the cap hold it back."""
        if len(self._wire) >= self._in_flight_max:
            self._enter_unsent(planned, CAP_REFUSED, end_s=planned.intended_s)
            return
        sent_ns = self._set_out(planned, attempt=1)
        self._meter.sent(lag_s=(sent_ns - self._ns_of(planned.intended_s)) / 1e9)

    def _set_out(self, planned: Planned, *, attempt: int) -> int:
        """One attempt leaves. Returns when."""
        unsent = memoryview(self._call_of(planned, self._api_key).wire_bytes(host=self._host))
        exchange = Exchange(planned, unsent, monotonic_ns(), attempt=attempt)
        self._wire.send(exchange)
        self._first_tokens.sent(exchange)
        return exchange.sent_ns

    def _send_again(self, request_id: str) -> None:
        """The pause after a failed attempt is over."""
        ended = self._resting.pop(request_id)
        self._ledger.enter_attempt(ended)
        self._set_out(ended.exchange.planned, attempt=ended.exchange.attempt + 1)

    def _record(self) -> None:
        """Enter what has ended, for ever. An exchange leaves the queue when it is entered, killed or not."""
        while True:
            exchange = self._ended.peek()
            while exchange.digest(most=EVENTS_AT_ONCE, tokens=self._order.tokens):
                gevent.sleep(0)
            self._ended.get_nowait()
            self._conclude(exchange)

    def _conclude(self, exchange: Exchange) -> None:
        """An attempt has ended, and with it the request unless the client's policy asks again."""
        self._first_tokens.ended(exchange)
        ended = ended_of(exchange, tokens=self._order.tokens)
        planned, attempt, policy = exchange.planned, exchange.attempt, self._order.policy
        if may_retry(ended.outcome, status=ended.seen.status, attempt=attempt, policy=policy):
            self._resting[planned.request_id] = ended
            self._first_sent_ns.setdefault(planned.request_id, exchange.sent_ns)
            after_s = pause_s(
                planned.request_id, attempt=attempt, retry_after_s=ended.retry_after_s, policy=policy
            )
            self._spawn(partial(self._send_again, planned.request_id), after_s=after_s)
            return
        row = self._enter(ended)
        self._go_on(planned, end_s=row["end_s"])

    def _enter(self, ended: Ended) -> Mapping[str, Any]:
        """A request's last attempt has ended; the request was sent when its first one was."""
        exchange = ended.exchange
        sent_ns = self._first_sent_ns.pop(exchange.planned.request_id, exchange.sent_ns)
        return self._ledger.enter(ended, sent_ns=sent_ns)

    def _enter_unsent(self, planned: Planned, outcome: Outcome, *, end_s: float) -> None:
        """A request is not sent at all."""
        self._ledger.enter_unsent(planned, outcome)
        self._go_on(planned, end_s=end_s)

    def _go_on(self, planned: Planned, *, end_s: float) -> None:
        """A request is done with: the next turn of its session may come."""
        self._left -= 1
        if (due := self._sessions.ended(planned, end_s=end_s)) is not None:
            self._send_when(due)

    def _tell(self) -> None:
        """Say each second how it goes, for ever."""
        while True:
            self._put("status", self._status())
            gevent.sleep(STATUS_EVERY_S)

    def _status(self) -> dict[str, Any]:
        """How it goes."""
        now_ns = monotonic_ns()
        counts = self._meter.status(t_s=(now_ns - self._order.started_monotonic_ns) / 1e9)
        return counts | self._first_tokens.told(now_ns=now_ns)

    def _put(self, kind: str, value: dict[str, Any]) -> None:
        """Replace this process's status or summary file.

        The disk has one thread: it holds up nobody who is sending, and who is killed while it writes leaves
        it at work, so that the last word has to wait its turn.
        """
        name = file_of(kind, worker=self._worker, processes=self._order.processes)
        self._disk.apply(write_json, (self._run_dir / name, value))
