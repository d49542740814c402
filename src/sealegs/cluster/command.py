"""One way to start another program: its output goes to a log, its failure becomes a ClusterError."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from sealegs.errors import ClusterError

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
        try:
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
        except FileNotFoundError as missing:
            raise ClusterError(f"{argv[0]} is not installed or not on PATH") from missing
        except subprocess.TimeoutExpired as late:
            raise ClusterError(f"`{command}` took longer than {limit_s:.0f} s; its output: {log}") from late
    if ended.returncode != 0:
        with log.open("rb") as whole:
            whole.seek(start)
            said = whole.read().decode(errors="replace").splitlines()[-SHOWN_LINES_MAX:]
        raise ClusterError("\n  ".join([f"`{command}` failed ({ended.returncode}); all of it: {log}", *said]))


def pipe(source: Sequence[str | Path], sink: Sequence[str | Path], *, limit_s: float) -> None:
    """What one program printed went into the other, and both ended well.

    Raises:
        ClusterError: either failed, or both together took longer than ``limit_s`` seconds.
    """
    words = [[str(word) for word in argv] for argv in (source, sink)]
    command = " | ".join(" ".join(argv) for argv in words)
    with subprocess.Popen(words[0], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as first:
        try:
            second = subprocess.run(
                words[1], stdin=first.stdout, capture_output=True, timeout=limit_s, check=False
            )
        except subprocess.TimeoutExpired as late:
            raise ClusterError(f"`{command}` took longer than {limit_s:.0f} s") from late
        finally:
            # A source whose sink has gone ends by SIGPIPE, but only if nobody else holds the pipe.
            if first.stdout is not None:
                first.stdout.close()
    if codes := [code for code in (first.returncode, second.returncode) if code != 0]:
        said = second.stderr.decode(errors="replace").strip()[-800:]
        raise ClusterError(f"`{command}` failed ({codes[0]}): {said}")


def output(argv: Sequence[str | Path], *, limit_s: float = 60, env: Mapping[str, str] | None = None) -> str:
    """What a short program printed, stripped; the same errors as `run`."""
    command = " ".join(str(word) for word in argv)
    try:
        ended = subprocess.run(
            [str(word) for word in argv],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            env=env,
            timeout=limit_s,
            check=False,
        )
    except FileNotFoundError as missing:
        raise ClusterError(f"{argv[0]} is not installed or not on PATH") from missing
    except subprocess.TimeoutExpired as late:
        raise ClusterError(f"`{command}` took longer than {limit_s:.0f} s") from late
    if ended.returncode != 0:
        raise ClusterError(f"`{command}` failed ({ended.returncode}): {ended.stderr.strip()[-800:]}")
    return ended.stdout.strip()


def succeeds(argv: Sequence[str | Path], *, limit_s: float = 60) -> bool:
    """Whether a short program exists and ends with 0; what it prints is not looked at."""
    try:
        output(argv, limit_s=limit_s)
    except ClusterError:
        return False
    return True
