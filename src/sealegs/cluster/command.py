"""One way to start another program: its output goes to a log, its failure becomes a ClusterError."""

import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sealegs.errors import ClusterError
from sealegs.waiting import now_s

SHOWN_LINES_MAX = 12


def run(
    argv: Sequence[str | Path],
    *,
    log: Path,
    limit_s: float = 600,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes | None = None,
) -> None:
    """A program ran and ended well; what it printed stands in ``log``.

    Raises:
        ClusterError: it could not be started, failed, or took longer than ``limit_s`` seconds.
            The message holds the command, the last lines it printed and where the rest is.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    command = " ".join(str(word) for word in argv)
    with log.open("ab") as out:
        out.write(f"$ {command}\n".encode())
        out.flush()
        start = out.tell()
        with _explained(command, limit_s=limit_s, more=f"; its output: {log}"):
            ended = subprocess.run(
                [str(word) for word in argv],
                stdout=out,
                stderr=subprocess.STDOUT,
                input=stdin,
                stdin=None if stdin is not None else subprocess.DEVNULL,
                env=env,
                cwd=cwd,
                timeout=limit_s,
                check=False,
            )
    if ended.returncode != 0:
        with log.open("rb") as whole:
            whole.seek(start)
            said = whole.read().decode(errors="replace").splitlines()[-SHOWN_LINES_MAX:]
        raise ClusterError("\n  ".join([f"`{command}` failed ({ended.returncode}); all of it: {log}", *said]))


def pipe(source: Sequence[str | Path], sink: Sequence[str | Path], *, limit_s: float) -> None:
    """What one program printed went into the other, and both ended well.

    Raises:
        ClusterError: either could not be started or failed, or both took longer than ``limit_s`` seconds.
    """
    words = [[str(word) for word in argv] for argv in (source, sink)]
    command = " | ".join(" ".join(argv) for argv in words)
    with tempfile.TemporaryFile() as errors:
        with _explained(command, limit_s=limit_s):
            codes = _piped(words[0], words[1], errors=errors, limit_s=limit_s)
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip()[-800:]
    # A source that ended by SIGPIPE did so because its sink had gone.
    if failed := sorted((code for code in codes if code != 0), key=lambda code: code == -signal.SIGPIPE):
        raise ClusterError(f"`{command}` failed ({failed[0]}): {said}")


def _piped(
    source: Sequence[str], sink: Sequence[str], *, errors: BinaryIO, limit_s: float
) -> tuple[int, int]:
    """How both ended; neither outlives the call."""
    deadline_s = now_s() + limit_s
    with subprocess.Popen(source, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=errors) as first:
        try:
            second = subprocess.run(
                sink,
                stdin=first.stdout,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                timeout=limit_s,
                check=False,
            )
            if first.stdout is not None:
                # A source whose sink has gone ends by SIGPIPE, but only if nobody else holds the pipe.
                first.stdout.close()
            return first.wait(max(0.0, deadline_s - now_s())), second.returncode
        finally:
            first.kill()


def output(argv: Sequence[str | Path], *, limit_s: float = 60, env: Mapping[str, str] | None = None) -> str:
    """What a short program printed, stripped; the same errors as `run`."""
    command = " ".join(str(word) for word in argv)
    with _explained(command, limit_s=limit_s):
        ended = subprocess.run(
            [str(word) for word in argv],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            env=env,
            timeout=limit_s,
            check=False,
        )
    if ended.returncode != 0:
        raise ClusterError(f"`{command}` failed ({ended.returncode}): {ended.stderr.strip()[-800:]}")
    return ended.stdout.strip()


@contextmanager
def _explained(command: str, *, limit_s: float, more: str = "") -> Iterator[None]:
    """A program that is missing, or takes longer than it may, is a ClusterError in a sentence."""
    try:
        yield
    except FileNotFoundError as missing:
        raise ClusterError(f"{missing.filename} is not installed or not on PATH") from missing
    except subprocess.TimeoutExpired as late:
        raise ClusterError(f"`{command}` took longer than {limit_s:.0f} s{more}") from late


def succeeds(argv: Sequence[str | Path], *, limit_s: float = 60) -> bool:
    """Whether a short program exists and ends with 0; what it prints is not looked at."""
    try:
        output(argv, limit_s=limit_s)
    except ClusterError:
        return False
    return True
