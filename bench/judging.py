"""Measure what judging a run of many requests takes: time, memory, and the size of its page.

A run folder is made up under a temporary folder, and a child process judges it as `sealegs judge` does. What
is printed is the child's wall time, processor time and peak memory, all with Python and the imports, and the
parts of its wall time. On a machine that does other things too the processor time is what can be compared.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from made_run import make_run

MIB = 1 << 20
# The imports belong to what is measured, so they stand in the child.
CHILD = """
import json, resource, sys, time
from pathlib import Path
began_s = time.monotonic()
from sealegs import evidence, judge, report, verdict
imported_s = time.monotonic()
run_dir = Path(sys.argv[1])
facts = judge.read_facts(run_dir)
read_s = time.monotonic()
decided = verdict.decide(facts)
evidence.write_json(run_dir / "verdict.json", decided.document)
decided_s = time.monotonic()
# The command holds a run's evidence no longer than this either.
del facts
parts = {"imports": imported_s - began_s, "reading": read_s - imported_s, "deciding": decided_s - read_s}
if sys.argv[2] == "page":
    report.render(run_dir)
    parts["page"] = time.monotonic() - decided_s
used = resource.getrusage(resource.RUSAGE_SELF)
cost = {"cpu_s": used.ru_utime + used.ru_stime, "peak_kib": used.ru_maxrss}
print(json.dumps({"verdict": decided.verdict, "reasons": decided.reasons[:3], "parts_s": parts, **cost}))
"""


def main() -> int:
    """Make a run and judge it, as often as asked."""
    asked = _arguments()
    with tempfile.TemporaryDirectory(dir=asked.under) as folder:
        run_dir = Path(folder) / "made-up"
        began_s = time.monotonic()
        make_run(run_dir, requests=asked.requests)
        size = sum(path.stat().st_size for path in run_dir.rglob("*") if path.is_file())
        took_s = time.monotonic() - began_s
        print(f"{asked.requests:,} requests: {size / MIB:,.0f} MiB of evidence, made in {took_s:.1f} s")
        for _ in range(asked.repeats):
            print(_judged(run_dir, page=asked.page), flush=True)
    return 0


def _judged(run_dir: Path, *, page: bool) -> str:
    """What one judging took, in words."""
    began_s = time.monotonic()
    command = [sys.executable, "-c", CHILD, str(run_dir), "page" if page else ""]
    said = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    wall_s = time.monotonic() - began_s
    found = json.loads(said)
    parts = ", ".join(f"{name} {took_s:.2f} s" for name, took_s in found["parts_s"].items())
    cost = f"{found['cpu_s']:.2f} s of processor, peak {found['peak_kib'] / 1024:,.0f} MiB"
    told = f"{found['verdict']}: {wall_s:.2f} s, {cost}; {parts}"
    if page:
        told += f"; page of {(run_dir / 'report.html').stat().st_size / MIB:.2f} MiB"
    return "\n  ".join([told, *found["reasons"]])


def _arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench/judging.py", description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000, help="how many (default: 1,000,000)")
    parser.add_argument("--repeats", type=int, default=3, help="how often to judge the run (default: 3)")
    parser.add_argument("--page", action="store_true", help="draw the page too")
    parser.add_argument("--under", type=Path, help="where to make it: 1.8 GB a million requests")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
