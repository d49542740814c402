"""What runs in a load pod beside Locust: it takes the order, starts Locust, and tells what becomes of it.

``keep`` is the pod's first process. The runner calls the others through the API server, each in a process of
its own beside Locust, which is why nothing but the standard library is imported for them.
"""

import io
import json
import os
import select
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event
from time import monotonic_ns
from typing import Any

from sealegs.evidence import read_json, write_json
from sealegs.waiting import every, wait_until

HOME = Path("/run/sealegs")
LOG = Path("logs", "locust.log")
GO, EXIT, STOP, HEARD = "go.json", "exit.json", "stop", "heard"
# Who has heard nothing from the runner for so long has no runner any more.
LEASE_S = 20.0
LOOK_EVERY_S = 0.1
TELL_EVERY_S = 0.2
END_LIMIT_S = 10.0
BEAT = "beat"


def main(words: Sequence[str]) -> None:
    """Do what the first word says."""
    match words:
        case ["keep"]:
            keep(HOME)
        case ["clock"]:
            clock()
        case ["take", size, *argv]:
            take(HOME, size_bytes=int(size), argv=argv)
        case ["tell", *told]:
            tell(HOME, told={name: int(count) for name, _, count in (one.rpartition(":") for one in told)})
        case _:
            sys.exit("usage: keep | clock | take SIZE ARGV... | tell [FILE:BYTES]...")


def keep(home: Path, *, lease_s: float = LEASE_S) -> None:
    """Run Locust once its order is there, and stay until told to end or left alone for `lease_s`.

    Whoever reads the evidence reads it from here: the pod outlives Locust, however that ended.
    """
    end = Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    hear(home)
    locust: subprocess.Popen[bytes] | None = None
    for _ in every(LOOK_EVERY_S, until=end):
        if monotonic_ns() - (home / HEARD).stat().st_mtime_ns > lease_s * 1e9:
            break
        if locust is None:
            locust = _begun(home)
        elif (code := locust.poll()) is not None:
            _leave_exit(home, code)
        elif (home / STOP).exists():
            _leave_exit(home, _ended(locust))
    if locust is not None and locust.poll() is None:
        _leave_exit(home, _ended(locust))


def clock() -> None:
    """For each byte that comes, the time on this machine's monotonic clock, in nanoseconds, a line each."""
    while os.read(0, 1):
        os.write(1, b"%d\n" % monotonic_ns())


def take(home: Path, *, size_bytes: int, argv: Sequence[str]) -> None:
    """Put here the files of an archive of so many bytes that comes in; a command starts Locust.

    Each file is there whole or not at all: Locust's processes wait for some of them.
    """
    with zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read(size_bytes))) as archive:
        for name in archive.namelist():
            part = home / f".{name.replace('/', '-')}.part"
            part.write_bytes(archive.read(name))
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            part.replace(home / name)
    (home / LOG).parent.mkdir(exist_ok=True)
    hear(home)
    if argv:
        write_json(home / GO, {"argv": list(argv)})


def hear(home: Path) -> None:
    """Note that the runner was heard now. The file's time is on the monotonic clock, which nobody sets."""
    (home / HEARD).touch()
    os.utime(home / HEARD, ns=(monotonic_ns(), monotonic_ns()))


def tell(home: Path, *, told: Mapping[str, int]) -> None:
    """Write what is new in the run's files to stdout until stdin ends: ``FILE<tab>LINE``, a line each.

    `told` says how many bytes of each growing file are known already. Documents are told whole, again when
    they have changed. Bytes on stdin say that the runner is there; an ``s`` among them stops Locust.
    """
    news = _News(home, told)
    while True:
        for line in news.lines():
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.write(f"{BEAT}\t\n".encode())
        sys.stdout.buffer.flush()
        if select.select([0], [], [], TELL_EVERY_S)[0]:
            said = os.read(0, 1024)
            if not said:
                return
            hear(home)
            if b"s" in said:
                (home / STOP).touch()


class _News:
    """What is new in the files of a run since one asked last."""

    def __init__(self, home: Path, told: Mapping[str, int]) -> None:
        self._home = home
        self._told = dict(told)
        self._documents: dict[str, bytes] = {}

    def lines(self) -> Iterator[bytes]:
        """The end, if there is one, comes last: what was written before it is told before it."""
        exit_said = read_json(self._home / EXIT)
        for path in (*sorted(self._home.glob("*.jsonl")), self._home / LOG):
            yield from self._grown(path, to_the_end=exit_said is not None)
        for path in sorted(self._home.glob("load-*.json")):
            yield from self._changed(path.name, read_json(path))
        yield from self._changed(EXIT, exit_said)

    def _grown(self, path: Path, *, to_the_end: bool) -> Iterator[bytes]:
        """Whole lines that were added; after the end also the torn one, for it is evidence too."""
        name = str(path.relative_to(self._home))
        if not path.exists() or path.stat().st_size <= self._told.get(name, 0):
            return
        with path.open("rb") as file:
            file.seek(self._told.get(name, 0))
            for line in file:
                if not line.endswith(b"\n") and not to_the_end:
                    return
                self._told[name] = self._told.get(name, 0) + len(line)
                yield f"{name}\t".encode() + line.rstrip(b"\n") + b"\n"

    def _changed(self, name: str, document: Mapping[str, Any] | None) -> Iterator[bytes]:
        """A document that is not what was told last."""
        if document is None:
            return
        line = f"{name}\t{json.dumps(document)}\n".encode()
        if self._documents.get(name) != line:
            self._documents[name] = line
            yield line


def _begun(home: Path) -> subprocess.Popen[bytes] | None:
    """Locust, if its order has come."""
    go = read_json(home / GO)
    if go is None:
        return None
    with (home / LOG).open("ab") as log:
        return subprocess.Popen(go["argv"], cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _ended(locust: subprocess.Popen[bytes]) -> int:
    """Locust's exit code, after it was asked to end, or made to."""
    locust.terminate()
    try:
        wait_until(
            locust.poll,
            ready=lambda code: code is not None,
            limit_s=END_LIMIT_S,
            every_s=LOOK_EVERY_S,
            what="Locust to end",
        )
    except TimeoutError:
        locust.kill()
    return locust.wait()


def _leave_exit(home: Path, code: int) -> None:
    """Say once how Locust ended."""
    if not (home / EXIT).exists():
        write_json(home / EXIT, {"code": code})


if __name__ == "__main__":
    main(sys.argv[1:])
