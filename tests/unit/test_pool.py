"""Idle connections: which is taken, which are closed, and how many are kept."""

import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from sealegs.traffic.client.pool import Pool


@dataclass
class Pair:
    """Both ends of a TCP connection of loopback."""

    ours: socket.socket
    theirs: socket.socket

    @property
    def closed(self) -> bool:
        """Whether our end has been closed."""
        return self.ours.fileno() < 0


@pytest.fixture
def pairs() -> Iterator[list[Pair]]:
    """Three connections."""
    with ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as listener:
        made = []
        for _ in range(3):
            ours = stack.enter_context(socket.create_connection(listener.getsockname()))
            ours.settimeout(0)
            made.append(Pair(ours, stack.enter_context(listener.accept()[0])))
        yield made


def filled(pairs: list[Pair], *, idle_max: int = 9) -> Pool:
    """A pool that was given the connections in order."""
    pool = Pool(idle_max=idle_max)
    for pair in pairs:
        pool.put(pair.ours)
    return pool


def test_the_last_put_is_the_first_taken(pairs: list[Pair]) -> None:
    """Those that are not needed stay at the bottom and grow old."""
    pool = filled(pairs)
    taken = [pool.take() for _ in range(4)]

    assert [idle and idle.sock for idle in taken] == [pairs[2].ours, pairs[1].ours, pairs[0].ours, None]
    assert len(pool) == 0


def test_whether_it_was_used_comes_back(pairs: list[Pair]) -> None:
    """A connection opened ahead has not been."""
    pool = Pool(idle_max=2)
    pool.put(pairs[0].ours, used=False)
    pool.put(pairs[1].ours)

    assert [idle.used for idle in (pool.take(), pool.take()) if idle] == [True, False]


@pytest.mark.parametrize("left", ["fin", "rst", "bytes"])
def test_a_connection_that_is_not_quiet_is_never_taken(pairs: list[Pair], left: str) -> None:
    """Closed, reset, or sent bytes that nobody asked for: it is closed, and the one below is taken."""
    pool = filled(pairs[:2])
    theirs = pairs[1].theirs
    if left == "bytes":
        theirs.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    else:
        linger = struct.pack("ii", 1, 0)
        if left == "rst":
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        theirs.close()
    taken = pool.take()

    assert taken is not None
    assert taken.sock is pairs[0].ours
    assert pairs[1].closed
    assert pool.take() is None


def test_beyond_the_bound_a_connection_is_closed(pairs: list[Pair]) -> None:
    """The newcomer, so that what is kept is known to be open."""
    pool = filled(pairs, idle_max=2)

    assert len(pool) == 2
    assert [pair.closed for pair in pairs] == [False, False, True]


def test_what_is_dropped_is_closed_and_gone(pairs: list[Pair]) -> None:
    """Its owner was told that it became readable."""
    pool = filled(pairs)
    pool.drop(pairs[1].ours.fileno())

    assert pairs[1].closed
    assert [idle.sock for idle in (pool.take(), pool.take()) if idle] == [pairs[2].ours, pairs[0].ours]


def test_closing_leaves_none_open(pairs: list[Pair]) -> None:
    """At the end of load."""
    pool = filled(pairs)
    pool.close()

    assert len(pool) == 0
    assert all(pair.closed for pair in pairs)
