"""A reply is understood however its bytes were cut, and its stamps are those of arrival."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealegs.traffic.reply import Reply

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


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=40))
def test_it_is_the_same_however_it_was_cut(cuts: list[int]) -> None:
    """Pieces may end inside a header, a chunk's length, an event, a code point."""
    reply = Reply()
    edges = [0, *sorted(cuts), len(STREAM)]
    for number, (start, end) in enumerate(pairwise(edges)):
        reply.receive(STREAM[start:end], stamp_ns=number)
    reply.read_events()

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


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
def test_lines_may_end_as_the_standard_allows(end: bytes) -> None:
    """Comments, other fields and either line end."""
    reply = Reply()
    reply.receive(HEAD + chunk(b": ping" + end + b"event: token\r\n" + event(" one", end=end)), stamp_ns=1)

    assert reply.answer.texts == [" one"]


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

    assert (reply.status, reply.complete, reply.is_events, reply.said) == (503, True, False, b"sorry")
