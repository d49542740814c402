"""The kernel's stamp of what arrived, and the sample of how late ours are."""

import socket
import time
from collections.abc import Iterator

import pytest

from sealegs.traffic.client import kernel_stamp
from sealegs.traffic.client.kernel_stamp import KEPT_MAX, Errors


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a TCP connection of loopback."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as ours,
        listener.accept()[0] as theirs,
    ):
        yield ours, theirs


def stamped(pair: tuple[socket.socket, socket.socket]) -> tuple[socket.socket, socket.socket]:
    """The pair once the kernel stamps: it begins to in the background, some time after the first asks."""
    ours, theirs = pair
    kernel_stamp.ask_for_stamps(ours)
    give_up = time.monotonic() + 10
    arrived_ns = None
    while arrived_ns is None:
        assert time.monotonic() < give_up
        theirs.send(b"x")
        _, arrived_ns = kernel_stamp.receive(ours, 1)
    return ours, theirs


def test_the_stamp_lies_between_sending_and_receiving(pair: tuple[socket.socket, socket.socket]) -> None:
    """It is the arrival's: bytes that wait in the socket grow no younger."""
    ours, theirs = stamped(pair)
    before_ns = time.time_ns()
    theirs.send(b"hello")
    ours.recv(1, socket.MSG_PEEK)  # it has arrived
    after_ns = time.time_ns()
    data, arrived_ns = kernel_stamp.receive(ours, 100)

    assert data == b"hello"
    assert arrived_ns is not None
    assert before_ns <= arrived_ns <= after_ns


def test_without_having_asked_there_is_no_stamp(pair: tuple[socket.socket, socket.socket]) -> None:
    """The bytes come all the same."""
    ours, theirs = pair
    theirs.send(b"hello")

    assert kernel_stamp.receive(ours, 100) == (b"hello", None)


def test_a_socket_that_knows_no_stamps_is_let_be() -> None:
    """Nothing is measured then, and nothing fails."""
    closed = socket.socket()
    closed.close()
    kernel_stamp.ask_for_stamps(closed)


def test_differences_are_noted_where_there_is_one() -> None:
    """In seconds; not without a stamp, and not when the clock was set back."""
    errors = Errors()
    errors.note(None)
    errors.note(time.time_ns() + 10_000_000_000)
    assert errors.values_s == []
    errors.note(time.time_ns() - 2_000_000_000)

    assert errors.values_s == [pytest.approx(2.0, abs=0.5)]


def test_however_many_are_noted_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """And they are spread evenly over all: the first as well as the last, at one distance."""
    monkeypatch.setattr(kernel_stamp, "time_ns", lambda: 10**15)
    errors = Errors()
    for number in range(1, 5 * KEPT_MAX):
        errors.note(10**15 - number * 1_000_000_000)
        assert len(errors.values_s) < KEPT_MAX
    steps = {later - earlier for earlier, later in zip(errors.values_s, errors.values_s[1:], strict=False)}

    assert len(errors.values_s) >= KEPT_MAX // 2 - 1
    assert len(steps) == 1
    assert errors.values_s[0] == steps.pop()
    assert errors.values_s[-1] > 5 * KEPT_MAX - 10
