"""A scenario is run in a process of its own: one that crashes takes its process with it and nothing else."""

import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sealegs import evidence
from sealegs.heal import killed

SEALEGS = (sys.executable, "-c", "from sealegs.cli import main; main()")

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A process that ran a scenario has ended: its run's folder, if it came to one, and its last words."""

    run_dir: Path | None
    said: str


# Given a scenario's file and the name of the mutant that is planted, if one is.
Start = Callable[[Path, str | None], Ended]


def in_a_process(root: Path, *, context: str | None, say: Say, prints: bool = True) -> Start:
    """Runs a scenario as ``sealegs run`` does; one that died before its verdict is healed and judged.

    With `prints`, what the run prints when it is judged is printed; what it tells meanwhile goes to `say`.
    """
    options = ["--context", context] if context else []

    def start(path: Path, mutant: str | None) -> Ended:
        there = set(evidence.run_dirs(root))
        planted = ["--mutant", mutant] if mutant else []
        pid, said = _called(["run", *options, *planted, str(path)], say=say, prints=prints)
        run_dir = next(
            (one for one in evidence.run_dirs(root) if one not in there and _is_of(one, pid)), None
        )
        if run_dir in dict(killed(root)):
            say("the run died, or left its fault on: healing")
            _called(["heal", "--root", str(root)], say=say, prints=prints)
        return Ended(run_dir=run_dir, said=said)

    return start


def heal_killed(root: Path, *, say: Say) -> None:
    """Runs that were killed have been healed, as ``sealegs heal`` does it, which prints what it undid.

    Once before the first of many runs: where a fault of last night is still on, none of them would begin.
    What cannot be undone is told, and keeps no run from being tried.
    """
    if any(killed(root)):
        say("a run was killed, or left its fault on: healing")
        _called(["heal", "--root", str(root)], say=say, prints=True)


def _called(words: Sequence[str], *, say: Say, prints: bool) -> tuple[int, str]:
    """A command of ours has ended: its process number, and the last line of what it told."""
    last: deque[str] = deque(maxlen=1)

    def listen(lines: Iterable[str]) -> None:
        for told in lines:
            last.append(told.strip().removeprefix("sealegs: "))
            say(last[0])

    with subprocess.Popen(
        [*SEALEGS, *words],
        stdout=None if prints else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        process_group=0,  # Ctrl-C is ours to hear, and we pass it on
    ) as child:
        assert child.stderr is not None  # noqa: S101  it was asked for
        try:
            listen(child.stderr)
        except KeyboardInterrupt:
            child.terminate()
            listen(child.stderr)
            child.wait()
            raise
    return child.pid, last[0] if last else ""


def _is_of(run_dir: Path, pid: int) -> bool:
    """Whether a process began a run."""
    return (evidence.read_json(run_dir / "run.json") or {}).get("pid") == pid
