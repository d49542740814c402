"""Runs of the real cluster, packed small: what judging reads, and nothing of the machine they ran on.

To record one anew, on a quiet machine::

    sealegs run scenarios/pod-kill.toml
    python -m tests.golden.record reports/runs/RUN_ID pod-kill
    pytest tests/golden --update-golden

Of the engines' logs the truth lines are kept, without the stamps of each token, of the gateway's those about
requests that were not answered: judging reads no more. The same run gives the same bytes.
"""

import io
import lzma
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from sealegs import tables
from sealegs.judgement import mesh
from sealegs.scenario.workload import ANSWERED
from sealegs.truth import PREFIX, bare

RECORDED = Path(__file__).parent / "recorded"
SUFFIX = ".tar.xz"
TABLES = ("schedule.parquet", "requests.parquet", "attempts.parquet")
# Chaos Toolkit's journal is left out: it names the machine, and judging does not read it.
WHOLE = (
    "run.json",
    "scenario.toml",
    "mutant.toml",
    "experiment.json",
    "timeline.jsonl",
    "samples.jsonl",
    "undo.jsonl",
    "load.json",
    "load-summary.json",
)


def pack(run_dir: Path, archive: Path) -> None:
    """Put what is kept of a run into an archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in sorted(_kept(run_dir)):
            # A new entry has neither time nor owner.
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    archive.write_bytes(lzma.compress(packed.getvalue(), preset=9 | lzma.PRESET_EXTREME))


def unpack(archive: Path, run_dir: Path) -> Path:
    """Make the run's folder, as far as it was kept, out of an archive; returns it."""
    with tarfile.open(archive) as tar:
        tar.extractall(run_dir, filter="data")
    return run_dir


def _kept(run_dir: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file, logs without what nobody reads of them."""
    for name in WHOLE:
        if (run_dir / name).exists():
            yield name, (run_dir / name).read_bytes()
    for name in TABLES:
        # Stored plain: the archive's compression does better over all columns.
        plain = io.BytesIO()
        pq.write_table(pq.read_table(run_dir / name), plain, compression="none")
        yield name, plain.getvalue()
    lost = _lost(run_dir)
    for log in sorted((run_dir / "logs").iterdir()):
        lines = log.read_bytes().splitlines(keepends=True)
        if log.name.endswith(mesh.LOG):
            kept = [line for line in lines if any(mesh.about([line], lost))]
        else:
            kept = [bare(line) for line in lines if line.startswith(PREFIX)]
        if kept:
            yield f"logs/{log.name}", b"".join(kept)


def _lost(run_dir: Path) -> set[str]:
    """Requests that were planned and not answered."""
    schedule, _ = tables.read_table(run_dir, "schedule", tables.SCHEDULE)
    requests, _ = tables.read_table(run_dir, "requests", tables.REQUESTS)
    rows = zip(requests["request_id"].to_pylist(), requests["outcome"].to_pylist(), strict=True)
    answered = {request_id for request_id, outcome in rows if outcome in ANSWERED}
    return {str(one) for one in schedule["request_id"].to_pylist()} - answered


if __name__ == "__main__":
    pack(Path(sys.argv[1]), RECORDED / f"{sys.argv[2]}{SUFFIX}")
