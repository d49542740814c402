"""A night is run: scenario after scenario, each in a process of its own, and its record grows on disk.

A run that crashes takes its process with it and not the night. A run whose evidence cannot be trusted is made
once more, and both stay on record.
"""

import dataclasses
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sealegs import evidence
from sealegs.claim import Expect
from sealegs.errors import ScenarioError
from sealegs.nightly.digest import digest
from sealegs.nightly.history import record_of, write_night
from sealegs.nightly.night import SCHEMA, Digest, Night, word_of
from sealegs.outputs.text import line
from sealegs.report.words import SIGNS, count, duration
from sealegs.scenario import load_scenario

SEALEGS = (sys.executable, "-c", "from sealegs.cli import main; main()")
TRIES_MAX = 2
ERROR_CHARACTERS_MAX = 240

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A process that ran a scenario has ended: its run's folder, if it came to one, and its last words."""

    run_dir: Path | None
    said: str


Start = Callable[[Path], Ended]


def play(root: Path, *, started: datetime, start: Start, now: Callable[[], datetime], say: Say) -> Night:
    """Run every scenario under ``root/scenarios``, negative controls last, and keep the night's record.

    `start` runs one scenario to its end. The record is on disk after each run: a night that is killed has
    what it came to.

    Raises:
        ScenarioError: there is no scenario, or a night of this date is on record: it is never overwritten.
    """
    paths = scenarios(root)
    record = record_of(root, started.date())
    if record.exists():
        raise ScenarioError(
            [f"{record}:1: there is a night of this date, and it is kept: move its folder to run another"]
        )
    night = Night(
        schema=SCHEMA,
        night=started.date().isoformat(),
        started_at=_written(started),
        ended_at=None,
        runs=(),
    )
    write_night(root, night)
    for number, path in enumerate(paths, 1):
        for attempt in range(1, TRIES_MAX + 1):
            again = " once more" if attempt > 1 else ""
            say(f"night {night.night}: {number} of {count(len(paths), 'scenario')}, {path.stem}{again}")
            run = _run(path, attempt=attempt, start=start)
            night = dataclasses.replace(night, runs=(*night.runs, run))
            write_night(root, night)
            say(f"{path.stem}: {SIGNS[run.verdict]} {run.verdict}{_told(run)}")
            if not _is_worth_another(run):
                break
    night = dataclasses.replace(night, ended_at=_written(now()))
    write_night(root, night)
    return night


def scenarios(root: Path) -> list[Path]:
    """Scenarios in the order of their names, then the negative ones.

    Raises:
        ScenarioError: there is none.
    """
    folder = root / "scenarios"
    found = [*sorted(folder.glob("*.toml")), *sorted((folder / "negative").glob("*.toml"))]
    if not found:
        raise ScenarioError([f"{folder}:1: no scenario here, a night would test nothing"])
    return found


def in_a_process(root: Path, *, context: str | None, say: Say) -> Start:
    """Runs a scenario as ``sealegs run`` does; one that died before its verdict is healed and judged."""
    options = ["--context", context] if context else []

    def start(path: Path) -> Ended:
        there = set(evidence.run_dirs(root))
        pid, said = _called(["run", *options, str(path)], say=say)
        run_dir = next(
            (one for one in evidence.run_dirs(root) if one not in there and _is_of(one, pid)), None
        )
        if run_dir is not None and not (run_dir / "verdict.json").exists():
            say("the run died before its verdict: healing")
            _called(["heal", "--root", str(root)], say=say)
        return Ended(run_dir=run_dir, said=said)

    return start


def _called(words: Sequence[str], *, say: Say) -> tuple[int, str]:
    """A command of ours has ended: its process number, and the last line of what it told."""
    last: deque[str] = deque(maxlen=1)

    def listen(lines: Iterable[str]) -> None:
        for told in lines:
            last.append(told.strip().removeprefix("sealegs: "))
            say(last[0])

    with subprocess.Popen(
        [*SEALEGS, *words],
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        process_group=0,  # Ctrl-C is ours to hear: two of them would end its undo
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


def _run(path: Path, *, attempt: int, start: Start) -> Digest:
    """One run, or why it did not come to be."""
    began_s = time.monotonic()
    expect, said = Expect(verdict="INVALID" if path.parent.name == "negative" else "PASS"), ""
    try:
        expect = load_scenario(path).expect
        ended = start(path)
        said = ended.said
        took_s = round(time.monotonic() - began_s, 1)
        if ended.run_dir is not None:
            return digest(ended.run_dir, scenario=path.stem, expect=expect, attempt=attempt, took_s=took_s)
    except ScenarioError as error:
        said = error.problems[0]
    return Digest(
        scenario=path.stem,
        expected=word_of(expect.verdict),
        as_expected=False,
        attempt=attempt,
        verdict="INVALID",
        took_s=round(time.monotonic() - began_s, 1),
        error=line(said, most=ERROR_CHARACTERS_MAX) or "the run ended without a word",
    )


def _is_worth_another(run: Digest) -> bool:
    """Whether a run failed to test its claim, and might not if it were made again."""
    return run.verdict == "INVALID" and run.run_id is not None and not run.as_expected


def _told(run: Digest) -> str:
    """What goes with a run's word."""
    if run.is_control:
        return ", as it must" if run.as_expected else f", must be {run.expected}"
    return f" after {duration(run.took_s)}" if run.error is None else f": {run.error}"


def _written(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
