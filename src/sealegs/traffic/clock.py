"""Which clocks a load process has: what it takes to compare its times with those of others, later."""

import time
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Which start of which machine this is: processes that say the same share one monotonic clock."""
    return BOOT_ID.read_text().strip()


def wall_zero_s(zero_ns: int) -> float:
    """What this machine's wall clock would have shown at the run's zero, going by what it shows now.

    A wall clock that is being corrected gives another answer later.
    """
    wall_ns, monotonic_ns = time.time_ns(), time.monotonic_ns()
    return (wall_ns - (monotonic_ns - zero_ns)) / 1e9
