"""The files of a run while it is being recorded: append-only lines, atomic documents, the undo journal.

One folder a run, ``reports/runs/<run_id>/``. Whatever is on disk when a run is killed stays readable:
lines are written whole in one call, documents are replaced whole.
"""

import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

RUNS = Path("reports", "runs")
SCHEMA = 1
BUFFER = 1 << 18
BLOCK = 1 << 22

Record = Mapping[str, Any]


def run_id_of(scenario: str, *, started: datetime, seed: int) -> str:
    """Name of a run: sorts by time and says what it was. `started` is aware."""
    return f"{started.astimezone(UTC):%Y%m%dT%H%M%SZ}-{scenario}-s{seed}"


def make_run_dir(root: Path, *, run_id: str) -> Path:
    """A new run folder with its ``logs/`` under ``root/reports/runs``. FileExistsError when it is there."""
    run_dir = root / RUNS / run_id
    run_dir.mkdir(parents=True)
    (run_dir / "logs").mkdir()
    return run_dir


class JsonLines:
    """A file that only grows, one JSON object a line. Safe to use from many threads.

    Each line reaches the kernel whole in one write, so a killed process tears at most its last line.
    """

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        self.path = path
        self._durable = durable
        self._lock = threading.Lock()
        self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            # Whoever wrote here was killed within a line; the next record must not become part of it.
            os.write(self._descriptor, b"\n")

    def append(self, record: Record) -> None:
        """Write one record; with `durable`, return only when the disk has it."""
        line = memoryview((_compact(record) + "\n").encode())
        with self._lock:
            while line:
                line = line[os.write(self._descriptor, line) :]
            if self._durable:
                os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file. Once is enough, more does no harm."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class Lines:
    """What a JSON-lines file held: its records, and how many lines could not be read."""

    records: tuple[dict[str, Any], ...]
    torn: int = 0


def read_lines(path: Path) -> Lines:
    """Every record of a JSON-lines file. Lines that are not a JSON object are counted, not raised.

    A file that is not there holds nothing; one that cannot be read counts as a torn line.
    """
    records: list[dict[str, Any]] = []
    torn = 0
    try:
        with path.open("rb") as lines:
            for line in lines:
                record = parsed(line)
                if record is not None:
                    records.append(record)
                elif line.strip():
                    torn += 1
    except FileNotFoundError:
        return Lines(())
    except OSError:
        torn += 1
    return Lines(tuple(records), torn)


def lines_of(path: Path) -> Iterator[list[bytes]]:
    """The lines of a file of any length, many at a time; a last line without its end comes by itself."""
    with path.open("rb", buffering=BUFFER) as file:
        while lines := file.readlines(BLOCK):
            torn = [] if lines[-1].endswith(b"\n") else [lines.pop()]
            yield from filter(None, (lines, torn))


def write_json(path: Path, value: object) -> None:
    """Replace a JSON file at once: a reader sees the old or the new one. Same value, same bytes."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None when there is none: a run was killed before it was written."""
    try:
        return parsed(path.read_bytes())
    except OSError:
        return None


@dataclass(frozen=True, kw_only=True)
class Undo:
    """How to take one fault back: `action` is known to the fault's module, `args` are plain JSON."""

    id: str
    fault: str
    action: str
    args: Mapping[str, Any]


def record_undo(run_dir: Path, *, fault: str, action: str, args: Mapping[str, Any]) -> str:
    """Put on disk how to undo a fault, before its first change is made. Returns the undo's id."""
    undo_id = f"{len(read_lines(run_dir / 'undo.jsonl').records)}-{fault}"
    _append_undo(
        run_dir, {"id": undo_id, "fault": fault, "action": action, "args": dict(args), "done": False}
    )
    return undo_id


def mark_undone(run_dir: Path, undo_id: str) -> None:
    """Note on disk that an undo was done."""
    _append_undo(run_dir, {"id": undo_id, "done": True})


def open_undos(run_dir: Path) -> tuple[Undo, ...]:
    """Undos that were recorded and not done, the newest first: the order to do them in."""
    undos: dict[str, Undo] = {}
    for row in read_lines(run_dir / "undo.jsonl").records:
        if row.get("done"):
            undos.pop(row["id"], None)
        else:
            undos[row["id"]] = Undo(id=row["id"], fault=row["fault"], action=row["action"], args=row["args"])
    return tuple(reversed(undos.values()))


def run_dirs(root: Path) -> Iterator[Path]:
    """Every run folder under ``root/reports/runs``, the newest first."""
    yield from sorted((path.parent for path in (root / RUNS).glob("*/run.json")), reverse=True)


def _append_undo(run_dir: Path, row: Record) -> None:
    """Append one row to the undo journal and wait for the disk."""
    with JsonLines(run_dir / "undo.jsonl", durable=True) as journal:
        journal.append(row)


def _compact(record: Record) -> str:
    """One line of JSON. A number that is not one (NaN) is a mistake of the caller: ValueError."""
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def parsed(text: bytes) -> dict[str, Any] | None:
    """The object that some JSON is, or None. JSON by its book: no NaN, no half of a surrogate."""
    try:
        record = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None
