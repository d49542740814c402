"""Measure what a year of nights costs: bytes on disk, and the time to draw a page from it.

365 made-up nights of 20 scenarios with 8 objectives each. Processor time stands beside the time passed: it
says more on a machine that does other things too.
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.unit.made_nights import TONIGHT, make_nights  # noqa: E402  the path comes first

from sealegs.nightly.history import NIGHTS, RECORD, read_history  # noqa: E402
from sealegs.nightly.page import PAGE, PAGES_KEPT, render  # noqa: E402

NIGHTS_MADE, SCENARIOS, TIMES = 365, 20, 3


def main() -> None:
    """Make the year, draw it a few times, print what it took."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_nights(root, count=NIGHTS_MADE, scenarios=SCENARIOS)
        timed("read a year of records", lambda: read_history(root, until=TONIGHT))
        timed("draw a page: read, find changes, write", lambda: render(root))
        records = sum(path.stat().st_size for path in (root / NIGHTS).rglob(RECORD))
        page = (root / NIGHTS / TONIGHT.isoformat() / PAGE).stat().st_size
        print(f"records of a year: {records / 1e6:.1f} MB, {records / NIGHTS_MADE / 1e3:.0f} kB a night")
        print(f"a page: {page / 1e3:.0f} kB; {PAGES_KEPT} are kept: {PAGES_KEPT * page / 1e6:.1f} MB")
        print(f"a year in all: {(records + PAGES_KEPT * page) / 1e6:.1f} MB")
        print(f"memory at most: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")


def timed(what: str, act: Callable[[], object]) -> None:
    """Do something a few times and print the shortest."""
    took_s, worked_s = [], []
    for _ in range(TIMES):
        began_s, began_work_s = time.monotonic(), time.process_time()
        act()
        took_s.append(time.monotonic() - began_s)
        worked_s.append(time.process_time() - began_work_s)
    load = os.getloadavg()[0]
    print(f"{what}: {min(took_s):.2f} s, {min(worked_s):.2f} s of processor time (load average {load:.1f})")


if __name__ == "__main__":
    main()
