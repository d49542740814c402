"""Events come out of a body as the standard says, however it was cut, and none grows without bound."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealegs.traffic.client.events import EVENT_BYTES_MAX, Events

LINES = [b"data:one", b"", b": ping", b"", b"event: token", b"id: 1", b"data: two", b"data:  2"]
LINES += [b"retry: 1", b"", b"data", b"data:", b"", b"database: x", b"", b"data: [DONE]", b"", b"data: cut"]
GIVEN = [b"one", b"two\n 2", b"[DONE]"]

Given = list[tuple[int, bytes]]


def given_by(body: bytes, cuts: list[int]) -> Given:
    """Events of a body that came in pieces, stamped 0, 1, ..."""
    found: Given = []
    events = Events(lambda stamp_ns, data: found.append((stamp_ns, data)))
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    for number, (start, end) in enumerate(pairwise(edges)):
        events.read(number, body[start:end])
    return found


ENDS = [b"\n", b"\r\n", b"\r"]


@pytest.mark.parametrize("end", ENDS)
def test_one_cut_anywhere_changes_nothing(end: bytes) -> None:
    """Least of all between CR and LF, or with an empty piece there."""
    body = end.join(LINES)
    for at in range(len(body) + 1):
        assert [data for _, data in given_by(body, [at])] == GIVEN, at
        assert [data for _, data in given_by(body, [at, at])] == GIVEN, at


@settings(deadline=None)
@given(
    end=st.sampled_from(ENDS),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
    cuts=st.lists(st.integers(0, 200), max_size=20),
)
def test_lines_may_end_and_be_cut_as_they_like(end: bytes, mark: bytes, cuts: list[int]) -> None:
    """A mark of byte order, comments, other fields, data without a space or in two lines, any line's end."""
    found = given_by(mark + end.join(LINES), cuts)

    assert [data for _, data in found] == GIVEN
    assert [stamp_ns for stamp_ns, _ in found] == sorted(stamp_ns for stamp_ns, _ in found)


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_an_event_has_the_time_of_its_last_byte(end: bytes) -> None:
    """The piece with the empty line; where that ends in CR LF the CR is enough."""
    body = b"data: one" + end
    needed = len(end.removesuffix(b"\n")) if end == b"\r\n\r\n" else len(end)
    at = len(body) - len(end) + needed

    assert given_by(body, [4, at - 1, at]) == [(2, b"one")]


def test_a_mark_of_byte_order_is_one_only_at_the_start() -> None:
    """Later it belongs to the line, which is then no data."""
    assert given_by(b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n", []) == [(0, b"a")]


def test_a_large_event_in_small_pieces_is_read() -> None:
    """A megabyte is joined once, not with every piece; what was held is let go with it."""
    found: Given = []
    events = Events(lambda stamp_ns, data: found.append((stamp_ns, data)))
    events.read(0, b"data: ")
    for number in range(20):
        for _ in range(10_000):
            events.read(number, b"x" * 100)
        events.read(number, b"\n\ndata: ")

    assert [(stamp_ns, len(data)) for stamp_ns, data in found] == [(one, 1_000_000) for one in range(20)]
    assert not events.too_long


@pytest.mark.parametrize("piece", [b"x" * 60_000, b"\ndata: " + b"x" * 60_000])
def test_an_event_without_end_is_given_up(piece: bytes) -> None:
    """Whether it is one line or many."""
    events = Events(lambda *_: None)
    events.read(1, b"data: ")
    count = 0
    while not events.too_long:
        events.read(2, piece)
        count += 1

    assert EVENT_BYTES_MAX - 100_000 <= count * len(piece) <= EVENT_BYTES_MAX + 100_000


def test_what_is_dropped_is_not_held() -> None:
    """Comments and other fields may go on for ever."""
    events = Events(lambda *_: None)
    for _ in range(2 * EVENT_BYTES_MAX // 60_000):
        events.read(1, b": " + b"x" * 60_000 + b"\n")

    assert not events.too_long
