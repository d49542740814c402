"""Connections on a real socket: which are used again and which never, and that nothing is sent twice."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic_ns

import gevent
import pytest
from tests.load.server import Server, serving

from sealegs.scenario.workload import Deadlines
from sealegs.traffic.client.exchange import Call, Exchange, Planned
from sealegs.traffic.client.wire import SAMPLED_FIRST, Wire

pytestmark = pytest.mark.load

TOKENS = 5
DEADLINES = Deadlines(connect_s=1.0, first_token_s=1.0, gap_s=1.0, total_s=5.0)
PATIENT = Deadlines(connect_s=10.0, first_token_s=10.0, gap_s=10.0, total_s=20.0)
LIMIT_S = 20.0
AF_INET = 2
# To send to all takes an option that no socket of ours has: the kernel says so at once, and sends nothing.
NOBODY = "255.255.255.255"


@dataclass
class Client:
    """A wire to a test server, one request after another."""

    server: Server
    wire: Wire
    ended: list[Exchange] = field(default_factory=list)

    def start(self, number: int, *, tokens: int = TOKENS, cancel: bool = False, words: int = 1) -> Exchange:
        """Send a request and do not wait."""
        planned = Planned(f"r{number:06d}", 0.0, words, tokens, "default", cancel=cancel)
        asked = {"max_tokens": tokens, "messages": [{"role": "user", "content": "word " * words}]}
        headers = {"x-request-id": planned.request_id, "Authorization": "Bearer key"}
        call = Call("/v1/chat/completions", headers, json.dumps(asked).encode())
        exchange = Exchange(planned, memoryview(call.wire_bytes(host="test")), monotonic_ns())
        self.wire.send(exchange)
        return exchange

    def ask(self, number: int, *, tokens: int = TOKENS, cancel: bool = False) -> tuple[str, Exchange]:
        """Send a request, wait for its end, and say what became of it."""
        exchange = self.start(number, tokens=tokens, cancel=cancel)
        return self.outcome(exchange), exchange

    def outcome(self, exchange: Exchange) -> str:
        """Wait for the end of a request, and say what became of it."""
        until(lambda: exchange.ending is not None)
        while exchange.digest(most=2, tokens="derived"):
            pass
        return exchange.outcome(tokens="derived").word


def until(ready: Callable[[], bool]) -> None:
    """Let the wire work until something is so; gevent.Timeout when it never is."""
    with gevent.Timeout(LIMIT_S):
        while not ready():
            gevent.sleep(0.005)


@contextmanager
def client(
    manners: Mapping[int, str] | None = None,
    *,
    warm: int = 0,
    idle_max: int = 8,
    token_gap_s: float = 0.002,
    deadlines: Deadlines = DEADLINES,
) -> Iterator[Client]:
    """A wire at work on a server; afterwards all that was sent has been handed over once."""
    named = {f"r{number:06d}": manner for number, manner in (manners or {}).items()}
    ended: list[Exchange] = []
    with serving(named, token_gap_s=token_gap_s) as server:
        address = (AF_INET, ("127.0.0.1", server.port))
        wire = Wire(address, deadlines=deadlines, on_end=ended.append, warm=warm, idle_max=idle_max)
        duties = [gevent.spawn(wire.run), gevent.spawn(wire.watch_deadlines)]
        try:
            yield Client(server, wire, ended)
        finally:
            wire.cut_all()
            gevent.killall(duties)
        assert all(duty.successful() for duty in duties), [duty.exception for duty in duties]
    assert len(wire) == 0
    assert len({id(one) for one in ended}) == len(ended)


def test_a_connection_carries_one_request_after_another() -> None:
    """The second request goes where the first came back, and says so; both are served."""
    with client() as one:
        found = [one.ask(number) for number in range(3)]

        assert [word for word, _ in found] == ["ok"] * 3
        assert [exchange.reused for _, exchange in found] == [False, True, True]
        assert {post.connection for post in one.server.posts} == {0}


def test_the_connection_used_last_is_taken_first() -> None:
    """Those used least are the ones to go idle and be closed."""
    with client(token_gap_s=0.01) as one:
        for exchange in (one.start(0, tokens=2), one.start(1, tokens=20)):
            one.outcome(exchange)
        last = one.server.post_of("r000001").connection
        one.ask(2)

        assert one.server.post_of("r000002").connection == last


@pytest.mark.parametrize(
    "manner", ["says_close", "is_old", "adds", "cut_fin", "cut_rst", "silent", "stalls", "bad_chunk"]
)
def test_a_connection_that_is_not_clean_is_not_used_again(manner: str) -> None:
    """After an end that leaves anything open the next request has a connection of its own, and is served."""
    with client({1: manner}) as one:
        one.ask(0)
        one.ask(1)
        word, exchange = one.ask(2)

        assert (word, exchange.reused) == ("ok", False)
        assert [post.connection for post in one.server.posts] == [0, 0, 1]


@pytest.mark.parametrize("manner", ["closes", "resets"])
@pytest.mark.parametrize("before", [0, 1])
def test_a_request_that_meets_a_closed_door_is_sent_once(manner: str, before: int) -> None:
    """One POST on the wire, on a fresh connection as on a used one, and the detail tells them apart."""
    with client({7: manner}) as one:
        for number in range(before):
            one.ask(number)
        word, exchange = one.ask(7)

        assert (word, exchange.reused) == ("reset_before_headers", before == 1)
        detail = exchange.outcome(tokens="derived").detail
        assert ("used before" in detail) == (before == 1), detail
        assert [post.request_id for post in one.server.posts].count("r000007") == 1


def test_a_connection_closed_while_idle_is_dropped_at_once() -> None:
    """Nobody has to send into it to find out: the next request sets out afresh."""
    with client({0: "ends_and_closes"}) as one:
        one.ask(0)
        until(lambda: one.wire.idle == 0)
        word, exchange = one.ask(1)

        assert (word, exchange.reused) == ("ok", False)


def test_no_more_are_kept_than_allowed() -> None:
    """Beyond the bound a connection ends with its request."""
    with client(idle_max=2) as one:
        exchanges = [one.start(number) for number in range(5)]
        assert {one.outcome(exchange) for exchange in exchanges} == {"ok"}

        assert one.wire.idle == 2


def test_connections_opened_ahead_are_used_and_are_not_called_used() -> None:
    """The first request finds a connection, and no server has heard a request before load."""
    with client(warm=3) as one:
        one.wire.warm_up()
        assert one.wire.idle == 3
        assert not one.server.posts
        word, exchange = one.ask(0)

        assert (word, exchange.reused) == ("ok", False)
        assert exchange.connected_ns == exchange.sent_ns
        until(lambda: one.server.connections == 3)


@pytest.mark.parametrize("host", ["127.0.0.1", NOBODY])
def test_a_server_that_is_not_there_is_refused_and_not_waited_for(host: str) -> None:
    """Whether the kernel knows at once or a moment later; opening ahead in vain is no error."""
    with client(warm=2) as one:
        pass
    one.wire = Wire((AF_INET, (host, one.server.port)), deadlines=PATIENT, on_end=one.ended.append, warm=2)
    one.wire.warm_up()
    assert one.wire.idle == 0
    duty = gevent.spawn(one.wire.run)
    word, exchange = one.ask(0)
    gevent.kill(duty)

    assert (word, one.ended) == ("refused", [exchange])
    assert exchange.outcome(tokens="derived").detail in {
        "Connection refused",
        "Network is unreachable",
        "Permission denied",
    }
    assert len(one.wire) == 0


def test_a_client_hangs_up_after_the_first_token() -> None:
    """As planned: a word of its own, what was delivered is kept, and the server sees the connection go."""
    with client() as one:
        word, exchange = one.ask(0, tokens=200, cancel=True)

        assert word == "cancelled"
        assert exchange.outcome(tokens="derived").detail == (
            f"after {len(exchange.reply.answer.texts)} of 200 tokens, as planned"
        )
        assert 1 <= len(exchange.reply.answer.texts) < 200
        assert one.ask(1)[1].reused is False
        assert len(one.server.post_of("r000000").sent_ns) < 200


@pytest.mark.parametrize("manner", ["fails", "closes", "mute"])
def test_what_fails_before_the_first_token_was_not_cancelled(manner: str) -> None:
    """A request that would have been cancelled keeps the name of what came first."""
    word = {"fails": "http_5xx", "closes": "reset_before_headers"}
    with client({0: manner}) as one:
        assert one.ask(0, cancel=True)[0] == word.get(manner, "deadline_first_token")


def test_one_request_can_be_cut() -> None:
    """It keeps what had come; the others go on."""
    with client(token_gap_s=0.02) as one:
        first, second = one.start(0, tokens=100), one.start(1, tokens=20)
        until(lambda: bool(first.reply.answer.texts))
        one.wire.cut(first)
        one.wire.cut(first)

        assert (one.outcome(first), one.outcome(second)) == ("cut_by_us", "ok")
        assert first.reply.answer.texts


def test_a_long_request_that_is_answered_early_is_heard() -> None:
    """A server may refuse before it has read all: its answer counts, and the connection is not used again."""
    with client({0: "unheard"}, deadlines=PATIENT) as one:
        exchange = one.start(0, words=4_000_000)

        assert one.outcome(exchange) == "http_4xx"
        assert exchange.reply.status == 413
        assert exchange.end_ns is not None
        assert exchange.end_ns - exchange.sent_ns < PATIENT.first_token_s * 1e9
        assert one.wire.idle == 0


@pytest.mark.parametrize("before", [0, 1])
def test_a_long_request_arrives_whole(before: int) -> None:
    """More than a socket takes at once, on a fresh connection as on a used one."""
    with client(deadlines=PATIENT) as one:
        for number in range(before):
            one.ask(number)
        exchange = one.start(7, words=1_000_000)

        assert (one.outcome(exchange), exchange.reused) == ("ok", before == 1)
        assert one.server.post_of("r000007").prompt_words == 1_000_000


def test_a_machine_that_stood_still_is_no_stall() -> None:
    """Nobody ran for longer than a gap may last: the next token is on its way when the client wakes first."""
    still_s = DEADLINES.gap_s + 0.3
    with client(token_gap_s=0.01) as one:
        exchange = one.start(0, tokens=100)
        until(lambda: bool(exchange.reply.answer.texts))
        one.server.stand_still(still_s + 0.03)
        threading.Event().wait(still_s)  # the client's loop, too

        assert one.outcome(exchange) == "ok"


def test_how_late_receives_are_is_measured() -> None:
    """The kernel's stamps precede ours, by less than a stream's life; most are not looked at."""
    with client() as one:
        one.ask(0, tokens=10)
        first = len(one.wire.receive_errors_s)
        one.ask(1, tokens=300)
        errors_s = one.wire.receive_errors_s

    assert 8 <= first <= SAMPLED_FIRST  # that of the very first moment may be missing
    assert first < len(errors_s) <= SAMPLED_FIRST + 10
    assert all(0 < error_s < LIMIT_S for error_s in errors_s)
