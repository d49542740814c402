"""A request's bytes, its deadlines, and its reading in slices."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealegs.scenario.workload import Deadlines
from sealegs.traffic.client.exchange import Call, Exchange, Planned
from sealegs.traffic.client.outcome import token_text

S = 1_000_000_000
DEADLINES = Deadlines(connect_s=2, first_token_s=5, gap_s=3, total_s=20)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
PLANNED = Planned("r000001", 0.0, 3, 40, "default")


def chunk(text: str) -> bytes:
    """One token's event in a chunk."""
    data = b'data: {"choices": [{"delta": {"content": "%s"}}]}\n\n' % text.encode()
    return b"%x\r\n%s\r\n" % (len(data), data)


def sent(*, connected_ns: int | None = None) -> Exchange:
    """A request that set out at 0."""
    return Exchange(PLANNED, memoryview(b""), 0, connected_ns=connected_ns)


def test_the_bytes_are_a_request_that_leaves_its_connection_open() -> None:
    """Uncompressed is asked for; a locustfile's own headers go before ours; the length is the body's."""
    call = Call("/v1/x", {"X-A": "b", "Accept-Encoding": "gzip"}, "zwölf".encode())

    assert call.wire_bytes(host="h:1") == (
        b"POST /v1/x HTTP/1.1\r\nHost: h:1\r\nAccept-Encoding: gzip\r\nX-A: b\r\n"
        b"Content-Length: 6\r\n\r\nzw\xc3\xb6lf"
    )
    assert b"\r\nAccept-Encoding: identity\r\n" in Call("/", {}, b"").wire_bytes(host="h")


@pytest.mark.parametrize(
    ("now_s", "ending"), [(1.9, None), (2.1, "deadline_connect"), (5.1, "deadline_connect")]
)
def test_connecting_has_its_limit(now_s: float, ending: str | None) -> None:
    """It is named first, as it passes first."""
    assert sent().overdue(round(now_s * S), DEADLINES) == ending


@pytest.mark.parametrize(
    ("now_s", "ending"), [(4.9, None), (5.1, "deadline_first_token"), (21, "deadline_first_token")]
)
def test_the_first_token_has_its_limit(now_s: float, ending: str | None) -> None:
    """Counted from when the request set out, whatever headers have come."""
    exchange = sent(connected_ns=1)
    exchange.reply.receive(HEAD, stamp_ns=4 * S)

    assert exchange.overdue(round(now_s * S), DEADLINES) == ending


@pytest.mark.parametrize(
    ("last_s", "now_s", "ending"),
    [
        (6, 8.9, None),
        (6, 9.1, "stall"),
        (18, 20.1, "deadline_total"),
        (16, 21, "stall"),
        (18, 22, "deadline_total"),
    ],
)
def test_gaps_and_the_whole_have_theirs(last_s: int, now_s: float, ending: str | None) -> None:
    """Whichever passed first gives the name, however late somebody looks."""
    exchange = sent(connected_ns=1)
    exchange.reply.receive(HEAD + chunk(" a"), stamp_ns=1 * S)
    exchange.reply.receive(chunk(" b"), stamp_ns=last_s * S)

    assert exchange.overdue(round(now_s * S), DEADLINES) == ending


@settings(deadline=None)
@given(
    looks_ns=st.lists(st.integers(1, 25 * S), min_size=1, max_size=30),
    connected_ns=st.integers(1, 4 * S),
    tokens_ns=st.lists(st.integers(1, 20 * S), max_size=6),
)
def test_no_deadline_passes_before_the_time_to_look(
    looks_ns: list[int], connected_ns: int, tokens_ns: list[int]
) -> None:
    """Who looks only when `look_ns` has come finds what one finds who always looks, and not later."""
    moments = sorted(
        [(at, "look") for at in looks_ns]
        + [(connected_ns, "connect")]
        + [(max(at, connected_ns), "token") for at in tokens_ns]
    )
    lazy, eager = sent(), sent()
    for exchange in (lazy, eager):
        exchange.reply.receive(HEAD, stamp_ns=0)
    for at, what in moments:
        for exchange in (lazy, eager):
            if what == "connect":
                exchange.connected_ns = at
            elif what == "token":
                exchange.reply.receive(chunk(" a"), stamp_ns=at)
        if what == "look":
            found = eager.overdue(at, DEADLINES)
            assert (lazy.overdue(at, DEADLINES) if at > lazy.look_ns else None) == found
            if found is not None:
                return


@pytest.mark.parametrize("wrong_at", [None, 0, 7, 39])
@pytest.mark.parametrize("most", [1, 3, 1000])
def test_reading_in_slices_ends_and_finds_the_same(wrong_at: int | None, most: int) -> None:
    """Slices are as small as asked for, and the outcome does not depend on them."""
    exchange = sent(connected_ns=1)
    exchange.reply.receive(HEAD, stamp_ns=1)
    for index in range(40):
        text = " wrong" if index == wrong_at else token_text("r000001", index)
        exchange.reply.receive(chunk(text), stamp_ns=2)
    exchange.ending = "closed"
    slices = 1
    while exchange.digest(most=most, tokens="derived"):
        slices += 1
        assert slices < 200

    # The first token was read at once; checking comes after reading.
    assert slices >= 38 // most + (40 if wrong_at is None else wrong_at) // most
    assert exchange.checked == (40 if wrong_at is None else wrong_at)
    assert exchange.outcome(tokens="derived").word == ("cut_fin" if wrong_at is None else "bad_token")
    assert exchange.outcome(tokens="counted").word == "cut_fin"


def test_what_has_not_ended_has_no_outcome() -> None:
    """A mistake of ours, and said so."""
    with pytest.raises(ValueError, match="r000001 has not ended"):
        sent().outcome(tokens="derived")
