"""What was built stays under one folder, each artefact keyed by everything it was made from."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from sealegs.errors import ClusterError
from sealegs.waiting import wait_until

HASH_CHARS = 12
FREE_BYTES_MIN = 15 * 2**30
LOCK_LIMIT_S = 3600


def cache_dir() -> Path:
    """``$XDG_CACHE_HOME/sealegs``, or ``~/.cache/sealegs``; made if absent."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(home) / "sealegs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def log_path(step: str) -> Path:
    """Where a step of ``cluster up`` writes what its programs print."""
    return cache_dir() / "logs" / f"{step}.log"


def scratch() -> Path:
    """A folder for what lives no longer than the step that makes it."""
    folder = cache_dir() / "scratch"
    folder.mkdir(exist_ok=True)
    return folder


def require_disk() -> None:
    """At least 15 GB are free where the cache lies.

    Raises:
        ClusterError: fewer are; says how many and where.
    """
    free = shutil.disk_usage(cache_dir()).free
    if free < FREE_BYTES_MIN:
        raise ClusterError(
            f"{cache_dir()} has {free / 2**30:.1f} GB free and a cluster needs {FREE_BYTES_MIN / 2**30:.0f}; "
            "make room, or set XDG_CACHE_HOME to a larger disk"
        )


def digest(inputs: Iterable[str | Path]) -> str:
    """Twelve hex digits that change when any input changes.

    A string counts as itself; a file by name, mode and content; a folder by all files in it.
    """
    total = hashlib.sha256()
    for one in inputs:
        files = [one] if not isinstance(one, Path) or one.is_file() else sorted(one.rglob("*"))
        for file in files:
            if isinstance(file, str):
                total.update(file.encode() + b"\0")
            elif file.is_file() and "__pycache__" not in file.parts:
                name = file.relative_to(one) if file != one else file.name
                total.update(f"{name}\0{file.stat().st_mode & 0o111}\0".encode())
                total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:HASH_CHARS]


def artefact_path(name: str, *, inputs: Iterable[str | Path]) -> Path:
    """Where the folder that is made from exactly these inputs lies, or will."""
    return cache_dir() / f"{name}-{digest([name, *inputs])}"


def artefact(name: str, *, inputs: Iterable[str | Path], build: Callable[[Path], None]) -> Path:
    """The folder that ``build`` filled from exactly these inputs, now or in an earlier run.

    It is filled under another name and renamed when complete, so an interrupted build is never used.
    Versions made from other inputs are removed once the new one stands.
    """
    folder = artefact_path(name, inputs=inputs)
    if folder.is_dir():
        return folder
    versions = f"{name}-{'[0-9a-f]' * HASH_CHARS}"
    for leftover in cache_dir().glob(f"{versions}.part"):
        shutil.rmtree(leftover)
    part = folder.with_name(f"{folder.name}.part")
    part.mkdir()
    build(part)
    part.rename(folder)
    for old in cache_dir().glob(versions):
        if old != folder:
            shutil.rmtree(old)
    return folder


@contextlib.contextmanager
def lock() -> Iterator[None]:
    """Only this process builds or changes the cluster; another one waits and says for whom."""
    path = cache_dir() / "lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip()
            print(f"sealegs: waiting for {holder}, which works on the cluster", file=sys.stderr)  # noqa: T201
            wait_until(
                lambda: _taken(file.fileno()),
                ready=bool,
                limit_s=LOCK_LIMIT_S,
                every_s=1,
                what=f"the lock held by {holder}",
            )
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} (since {time.strftime('%H:%M:%S')})")
        file.flush()
        # Whatever is left here, its maker was killed: he would hold the lock.
        shutil.rmtree(cache_dir() / "scratch", ignore_errors=True)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
