"""Requests of Locust's own users, who wait for their answers: no run, no schedule, no files."""

import uuid
from collections.abc import Callable
from functools import cache
from time import monotonic_ns

import gevent
import numpy as np
from gevent.event import AsyncResult

from sealegs.data import read_trace
from sealegs.profiles import Trace, trace_of
from sealegs.scenario.workload import ANSWERED, Deadlines
from sealegs.traffic.client.exchange import Call, Exchange, Planned
from sealegs.traffic.client.wire import Wire, target_of
from sealegs.traffic.ledger import UnansweredError
from sealegs.traffic.replay import EVENTS_AT_ONCE

# As patient as OpenAI's SDKs: ten minutes in all.
DEADLINES = Deadlines(connect_s=5, first_token_s=60, gap_s=60, total_s=600)
IDLE_MAX = 1000


class Desk:
    """One process's connections to a host, shared by its users. `fire` is Locust's ``request`` event."""

    def __init__(self, host: str, *, fire: Callable[..., None]) -> None:
        self._host, address = target_of(host)
        self._fire = fire
        self._rng = np.random.default_rng()
        self._waiting: dict[str, AsyncResult[Exchange]] = {}
        self._wire = Wire(address, deadlines=DEADLINES, on_end=self._hand_over, idle_max=IDLE_MAX)
        self._duties = [gevent.spawn(duty) for duty in (self._wire.run, self._wire.watch_deadlines)]
        for duty in self._duties:
            duty.link_exception(self._fail)

    def draw(self, profile: str) -> Planned:
        """A request like one of the profile's."""
        trace = _trace(profile)
        row = self._rng.integers(len(trace))
        return Planned(
            request_id=uuid.uuid4().hex[:12],
            intended_s=0.0,
            prompt_tokens=int(trace.prompt_tokens[row]),
            output_tokens=int(trace.output_tokens[row]),
            model_type="default",
            profile=profile,
            prefix=f"{profile}-{trace.prefix[row]}",
            prefix_tokens=int(trace.prefix_tokens[row]),
        )

    def ask(self, planned: Planned, call: Call, *, name: str) -> None:
        """One request from sending to its end, and Locust's event about it; its time is the time between.

        Whoever is stopped meanwhile hangs up and leaves no event, as with Locust's own users.
        """
        for duty in self._duties:
            if duty.exception is not None:
                raise duty.exception
        answer = self._waiting[planned.request_id] = AsyncResult()
        exchange = Exchange(planned, memoryview(call.wire_bytes(host=self._host)), monotonic_ns())
        self._wire.send(exchange)
        try:
            answer.get()
        except gevent.GreenletExit:
            self._wire.cut(exchange)
            raise
        while exchange.digest(most=EVENTS_AT_ONCE, tokens="counted"):
            gevent.sleep(0)
        assert exchange.end_ns is not None  # noqa: S101  it was handed over
        outcome = exchange.outcome(tokens="counted")
        self._fire(
            request_type="POST",
            name=name,
            response_time=(exchange.end_ns - exchange.sent_ns) / 1e6,
            response_length=exchange.reply.size_bytes,
            response=None,
            context={},
            exception=None if outcome.word in ANSWERED else UnansweredError(outcome.word),
        )

    def close(self) -> None:
        """Close all connections. Nobody waits for an answer any more."""
        gevent.killall(self._duties)
        self._wire.cut_all()

    def _hand_over(self, exchange: Exchange) -> None:
        """Wake who asked."""
        self._waiting.pop(exchange.planned.request_id).set(exchange)

    def _fail(self, duty: gevent.Greenlet) -> None:
        """A mistake in here is everybody's who waits: Locust shows it, and nobody hangs."""
        while self._waiting:
            self._waiting.popitem()[1].set_exception(duty.exception)


@cache
def _trace(profile: str) -> Trace:
    """A profile's trace."""
    return trace_of(read_trace(profile))
