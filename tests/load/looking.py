"""A look at a run of load from outside: how far it is, and what Locust says of it."""

import re
from typing import Any

from tests.load.drive import END_LIMIT_S, Drive

from sealegs.waiting import wait_until

STEADY_COUNT, STEADY_SESSIONS = 60, 6
# Turns wait for each other: however late the processes are up, it takes ten answers' time.
STEADY: dict[str, Any] = {
    "offsets_s": [0.1 * number for number in range(STEADY_COUNT)],
    "changes": {
        number: {"session": f"s{number % STEADY_SESSIONS}", "turn": number // STEADY_SESSIONS}
        for number in range(STEADY_COUNT)
    },
}
TOKEN_GAP_S = 0.1
# The middle of a run: some have ended, some are in flight, some are not sent.
ENDED_MIN = 10


def in_the_middle(drive: Drive) -> None:
    """Return when some requests have ended."""
    wait_until(
        lambda: (drive.load.status() or {"finished": 0})["finished"],
        ready=lambda finished: finished >= ENDED_MIN,
        limit_s=END_LIMIT_S,
        every_s=0.05,
        what="requests to end",
    )


def log_of(drive: Drive) -> str:
    """What the load processes said."""
    return (drive.run_dir / "logs" / "locust.log").read_text()


def locusts_figures(drive: Drive) -> tuple[int, int, int]:
    """Requests and failures by the table that Locust prints at the end, and its exit code."""
    ((requests, failures),) = re.findall(r"^ +Aggregated +(\d+) +(\d+)\(", log_of(drive), re.MULTILINE)
    leader = drive.load.master or drive.load.children[0]
    return int(requests), int(failures), leader.returncode
