"""A reply is understood however its bytes were cut, and its stamps are those of arrival."""

import gc
import json
import weakref
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealegs.traffic.client.events import EVENT_BYTES_MAX
from sealegs.traffic.client.outcome import Seen, Word, classify
from sealegs.traffic.client.reply import REPLY_BYTES_MAX, WAITING_BYTES_MAX, Reply

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    b"X-Served-By: pod-1\r\nTransfer-Encoding: chunked\r\n\r\n"
)
TEXTS = ["", " one", " zwölf", " 三", "\n\n", " last"]


def chunk(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(text: str, *, end: bytes = b"\n\n") -> bytes:
    """One event of a stream, not escaped, so that code points have several bytes."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return b"data: " + json.dumps({"choices": [choice]}, ensure_ascii=False).encode() + end


STREAM = HEAD + b"".join(chunk(event(text)) for text in TEXTS) + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def received(stream: bytes, cuts: list[int]) -> Reply:
    """A reply that came in pieces, stamped 0, 1, ..., and has been read."""
    reply = Reply()
    edges = [0, *sorted(cuts), len(stream)]
    for number, (start, end) in enumerate(pairwise(edges)):
        reply.receive(stream[start:end], stamp_ns=number)
    reply.read_events()
    return reply


@settings(deadline=None)
@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=40))
def test_it_is_the_same_however_it_was_cut(cuts: list[int]) -> None:
    """Pieces may end inside a header, a chunk's length, an event, a code point."""
    reply = received(STREAM, cuts)

    assert (reply.status, reply.complete, reply.broken) == (200, True, None)
    assert reply.headers[b"x-served-by"] == b"pod-1"
    assert reply.answer.texts == [text for text in TEXTS if text]
    assert reply.answer.done
    assert reply.answer.texts_ns == sorted(reply.answer.texts_ns)
    assert reply.size_bytes == len(STREAM)


def test_each_token_has_the_time_of_its_last_byte() -> None:
    """An event that came in two pieces came with the second; a role without content is no token."""
    reply = Reply()
    first, second = chunk(event(" one")), chunk(event(" two"))
    for stamp_ns, data in [(1, HEAD + chunk(event(""))), (2, first[:20]), (3, first[20:]), (4, second)]:
        reply.receive(data, stamp_ns=stamp_ns)
    reply.read_events()

    assert (reply.headers_ns, reply.answer.texts_ns) == (1, [3, 4])


def test_the_first_token_is_known_at_once_and_the_others_are_left_for_later() -> None:
    """A deadline hangs on the first token; reading the rest can wait, and can be done a slice at a time."""
    reply = Reply()
    reply.receive(HEAD, stamp_ns=1)
    for stamp_ns, text in enumerate([" one", " two", " three"], start=2):
        reply.receive(chunk(event(text)), stamp_ns=stamp_ns)

    assert reply.answer.texts == [" one"]
    assert reply.read_events(most=1)
    assert not reply.read_events(most=1)
    assert reply.answer.texts_ns == [2, 3, 4]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'data: {"error": {"message": "no blocks left"}}\n\n', "no blocks left"),
        (b'data: {"error": "plain"}\n\n', "plain"),
        (b"data: {half\n\n", "event is not JSON"),
        (b"data: [1]\n\n", "event is not a JSON object"),
    ],
)
def test_an_event_that_is_no_answer_is_an_error(data: bytes, said: str) -> None:
    """What an error event says is kept, and so is what cannot be read."""
    reply = Reply()
    reply.receive(HEAD + chunk(data), stamp_ns=1)

    assert said in (reply.answer.error or "")


def test_a_reply_that_is_no_http_is_broken() -> None:
    """The parser's complaint is kept, and more bytes do no harm."""
    reply = Reply()
    reply.receive(b"SSH-2.0-OpenSSH\r\n", stamp_ns=1)
    reply.receive(b"more", stamp_ns=2)

    assert reply.broken
    assert reply.status is None


def test_a_body_of_known_length_ends_with_it() -> None:
    """An error page is complete without a chunk, and is no stream."""
    reply = Reply()
    reply.receive(b"HTTP/1.1 503 x\r\nContent-Length: 5\r\nRetry-After: 2\r\n\r\nsorry", stamp_ns=1)

    assert (reply.status, reply.complete, reply.is_answer, reply.said) == (503, True, False, b"sorry")


@pytest.mark.parametrize("stream", [STREAM, STREAM[:-5], b"SSH-2.0-OpenSSH\r\n", b""])
def test_nothing_keeps_a_reply_that_has_ended(stream: bytes) -> None:
    """Load runs without the collector of cycles: what was entered must go by itself."""
    gc.disable()
    try:
        reply = received(stream, [100])
        reply.release()
        left = weakref.ref(reply)
        del reply
        assert left() is None
    finally:
        gc.enable()


def test_interim_replies_and_trailers_are_passed_over() -> None:
    """The status and headers are those of the reply itself, and its end is not that of a 100."""
    reply = Reply()
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n"
    reply.receive(interim, stamp_ns=1)
    assert (reply.status, reply.headers_ns, reply.complete) == (None, None, False)
    reply.receive(HEAD + chunk(event(" one")) + b"0\r\nX-Served-By: nobody\r\n\r\n", stamp_ns=2)

    assert (reply.status, reply.headers_ns, reply.complete) == (200, 2, True)
    assert reply.headers[b"x-served-by"] == b"pod-1"
    assert b"retry-after" not in reply.headers


@pytest.mark.parametrize(
    ("headers", "media"),
    [
        (b"Content-Type: text/html; charset=utf-8\r\n", "text/html; charset=utf-8"),
        (b"", "without a content type"),
        (b"Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n", "text/event-stream in gzip"),
        (b"Content-Type: TEXT/Event-Stream; x=y\r\nContent-Encoding: identity\r\n", ""),
    ],
)
def test_only_events_that_can_be_read_are_events(headers: bytes, media: str) -> None:
    """Anything else is named as its headers do, and not one event is made of it."""
    reply = Reply()
    reply.receive(b"HTTP/1.1 200 OK\r\n" + headers + b"Content-Length: 5\r\n\r\nhello", stamp_ns=1)

    assert (reply.is_answer, reply.media) == (media == "", media)
    assert reply.said == (b"hello" if media and "gzip" not in media else b"")


@pytest.mark.parametrize(
    ("stream", "reusable"),
    [
        (STREAM, True),
        (b"HTTP/1.1 503 x\r\nContent-Length: 5\r\n\r\nsorry", True),
        (STREAM[:-5], False),
        (STREAM.replace(b"X-Served-By: pod-1", b"Connection: close"), False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", False),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", False),
        (b"HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", False),
        (STREAM + b"H", False),
        (STREAM + STREAM, False),
        (STREAM + b"\xff", False),
    ],
)
def test_a_connection_is_used_again_only_where_nothing_is_left(stream: bytes, *, reusable: bool) -> None:
    """Not where the server says no, where only a close can end the body, or where more came."""
    assert received(stream, []).reusable is reusable


def test_bytes_after_a_reply_do_not_change_it() -> None:
    """A second reply that nobody asked for is not read."""
    reply = received(STREAM + STREAM.replace(b"pod-1", b"pod-2").replace(b"one", b"two"), [])

    assert reply.complete
    assert reply.headers[b"x-served-by"] == b"pod-1"
    assert reply.answer.texts == [text for text in TEXTS if text]


def test_an_event_without_end_is_given_up() -> None:
    """Soon after its bound, though the events before it are left for later."""
    reply = Reply()
    reply.receive(HEAD + chunk(event(" one")), stamp_ns=1)
    while reply.receive(chunk(b"data: " + b"x" * 60_000), stamp_ns=3):
        pass

    assert reply.broken == f"an event of more than {EVENT_BYTES_MAX} bytes"
    assert reply.size_bytes <= EVENT_BYTES_MAX + WAITING_BYTES_MAX + 100_000
    assert reply.answer.texts == [" one"]


def test_what_waits_to_be_read_is_bounded() -> None:
    """A fast stream is read while it comes, in order, also when pieces grow; a slow one at its end."""
    reply = Reply()
    reply.receive(HEAD + chunk(event(" one")), stamp_ns=0)
    pieces = [chunk(event(" more"))] * 3_000 + [chunk(event(" more") * 500)] * 100
    most = 0
    for stamp_ns, piece in enumerate(pieces, start=1):
        reply.receive(piece, stamp_ns=stamp_ns)
        most = max(most, reply.waiting_bytes)
    assert WAITING_BYTES_MAX * 0.9 < most <= WAITING_BYTES_MAX
    reply.read_events()

    assert (reply.waiting_bytes, len(reply.answer.texts)) == (0, 1 + 3_000 + 100 * 500)
    assert reply.answer.texts_ns == sorted(reply.answer.texts_ns)


@pytest.mark.parametrize(
    ("start", "piece", "why"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-Much: " + b"x" * 9_000 + b"\r\n", "headers of more than"),
        (b"HTTP/1.1 200 OK\r\nX-Much: ", b"x" * 9_000, "headers of more than"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 400, "headers of more than"),
        (HEAD, chunk(b": ping\n" + b": " + b"x" * 60_000 + b"\n"), "a reply of more than"),
        (
            HEAD + chunk(event(" one")),
            chunk(b": ping\n" + b": " + b"x" * 60_000 + b"\n"),
            "a reply of more than",
        ),
    ],
)
def test_a_reply_without_end_is_given_up(start: bytes, piece: bytes, why: str) -> None:
    """Headers and whole replies have a bound, and nothing is taken in beyond it."""
    reply = Reply()
    reply.receive(start, stamp_ns=1)
    while reply.receive(piece, stamp_ns=2):
        pass
    size_bytes = reply.size_bytes
    assert not reply.receive(piece, stamp_ns=3)

    assert (reply.broken or "").startswith(why)
    assert reply.size_bytes == size_bytes <= REPLY_BYTES_MAX + 100_000


@settings(deadline=None)
@given(
    body=st.binary(max_size=400) | st.text(max_size=200).map(str.encode),
    cuts=st.lists(st.integers(0, 600), max_size=10),
    head=st.sampled_from([HEAD, HEAD[:20], b""]),
    framed=st.booleans(),
)
def test_no_bytes_make_it_fail(body: bytes, cuts: list[int], head: bytes, *, framed: bool) -> None:
    """Whatever comes is received, read and named; it is an error of the server's, not of ours."""
    stream = head + (chunk(body + b"\n\n") + b"0\r\n\r\n" if framed and body else body)
    reply = received(stream, [min(len(stream), cut) for cut in cuts])
    seen = Seen(
        request_id="r000001",
        tokens_asked=3,
        ending="complete" if reply.complete else "unreadable" if reply.broken else "closed",
        ending_detail=reply.broken or "",
        status=reply.status,
        is_answer=reply.is_answer,
        texts=reply.answer.texts,
        error=reply.answer.error,
    )

    assert classify(seen).word in get_args(Word)
