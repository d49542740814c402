"""When the kernel had what we received: how late our own stamps are, measured on a sample of receives.

Linux stamps each arriving segment and gives the stamp as ancillary data (SO_TIMESTAMPNS, socket(7)), with TCP
that of the last segment a call has read. It is of CLOCK_REALTIME, so it is compared with that clock at once
and kept as a difference.
"""

import socket
import struct
from contextlib import suppress
from time import time_ns

# Not among the names of Python's socket module; the number is that of asm-generic, so of x86 and Arm.
SO_TIMESTAMPNS = 35
TIMESPEC = struct.Struct("@qq")
ANCILLARY_BYTES = socket.CMSG_SPACE(TIMESPEC.size)
KEPT_MAX = 8_192


def ask_for_stamps(sock: socket.socket) -> None:
    """Have the kernel stamp what arrives on a socket; where it does not know how, nothing is measured.

    It begins in the background when the first socket asks: what arrives in that moment has no stamp.
    """
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


def receive(sock: socket.socket, size: int) -> tuple[bytes, int | None]:
    """Bytes as from `recv`, and when the last of them had arrived: nanoseconds of CLOCK_REALTIME, or None."""
    data, ancillary, _, _ = sock.recvmsg(size, ANCILLARY_BYTES)
    for level, kind, value in ancillary:
        if (level, kind, len(value)) == (socket.SOL_SOCKET, SO_TIMESTAMPNS, TIMESPEC.size):
            seconds, nanoseconds = TIMESPEC.unpack(value)
            return data, seconds * 1_000_000_000 + nanoseconds
    return data, None


class Errors:
    """Differences in seconds, at most `KEPT_MAX` of them: when full, every second one goes.

    What stays is spread evenly over all that was noted.
    """

    def __init__(self) -> None:
        self.values_s: list[float] = []
        self._every = 1
        self._noted = 0

    def note(self, arrived_ns: int | None) -> None:
        """What arrived at `arrived_ns` has been received just now."""
        error_ns = 0 if arrived_ns is None else time_ns() - arrived_ns
        # A clock that was set back in between makes nonsense of one difference.
        if error_ns <= 0:
            return
        self._noted += 1
        if self._noted % self._every:
            return
        self.values_s.append(error_ns / 1e9)
        if len(self.values_s) == KEPT_MAX:
            del self.values_s[::2]
            self._every *= 2
