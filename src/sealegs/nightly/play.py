"""A night is run: every scenario, then every planted defect, and its record grows on disk.

A run that crashes takes its process with it and not the night. A run whose evidence cannot be trusted is made
once more, and both stay on record.
"""

import dataclasses
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sealegs import evidence
from sealegs.child_run import Say, Start
from sealegs.errors import ScenarioError
from sealegs.mutant import FILE as MUTANT
from sealegs.mutant import MUTANTS, Mutant, load_mutant, outcome_of
from sealegs.nightly.digest import digest
from sealegs.nightly.history import record_of, write_night
from sealegs.nightly.night import SCHEMA, Digest, Night, claims, word_of
from sealegs.outputs.text import line
from sealegs.report.words import SIGNS, count, duration
from sealegs.scenario import load_scenario
from sealegs.scenario.claim import Expect

TRIES_MAX = 2
ERROR_CHARACTERS_MAX = 240


def play(
    root: Path,
    *,
    started: datetime,
    start: Start,
    now: Callable[[], datetime],
    say: Say,
    with_mutants: bool = True,
) -> Night:
    """Run every scenario of a folder, negative controls and mutants last, and keep the night's record.

    `start` runs one of them to its end. The record is on disk after each run: a night that is killed has
    what it came to.

    Raises:
        ScenarioError: there is no scenario, or a night of this date is on record: it is never overwritten.
    """
    paths = [*scenarios(root), *(mutants(root) if with_mutants else ())]
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
            say(f"night {night.night}: {number} of {count(len(paths), 'scenario')}, {_name(path)}{again}")
            run = _run(path, attempt=attempt, start=start)
            night = dataclasses.replace(night, runs=(*night.runs, run))
            write_night(root, night)
            say(f"{_name(path)}: {SIGNS[run.verdict]} {run.verdict}{_told(run)}")
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


def mutants(root: Path) -> list[Path]:
    """The mutants' files in the order of their names."""
    return sorted((root / MUTANTS).glob(f"*/{MUTANT}"))


def _name(path: Path) -> str:
    """What a scenario, or a mutant, is called."""
    return path.parent.name if path.name == MUTANT else path.stem


def _run(path: Path, *, attempt: int, start: Start) -> Digest:
    """One run, or why it did not come to be."""
    began_s = time.monotonic()
    expect, said = Expect(verdict=_likely(path)), ""
    try:
        mutant = load_mutant(path) if path.name == MUTANT else None
        scenario = mutant.scenario if mutant else load_scenario(path)
        expect = scenario.expect
        ended = start(scenario.path, mutant.name if mutant else None)
        said = ended.said
        took_s = round(time.monotonic() - began_s, 1)
        if ended.run_dir is not None:
            run = digest(ended.run_dir, scenario=_name(path), expect=expect, attempt=attempt, took_s=took_s)
            return _caught(run, mutant, ended.run_dir) if mutant else run
    except ScenarioError as error:
        said = error.problems[0]
    return Digest(
        scenario=_name(path),
        expected=word_of(expect.verdict),
        as_expected=False,
        attempt=attempt,
        verdict="INVALID",
        took_s=round(time.monotonic() - began_s, 1),
        error=line(said, most=ERROR_CHARACTERS_MAX) or "the run ended without a word",
    )


def _likely(path: Path) -> str:
    """How a run must end whose file cannot tell."""
    return "FAIL" if path.name == MUTANT else "INVALID" if path.parent.name == "negative" else "PASS"


def _caught(run: Digest, mutant: Mutant, run_dir: Path) -> Digest:
    """A mutant's run: it ended as it must when exactly the claims that it names failed."""
    reasons = (evidence.read_json(run_dir / "verdict.json") or {}).get("reasons", ())
    outcome = outcome_of(mutant, dict(claims(run)), run.verdict, reasons)
    return dataclasses.replace(run, as_expected=outcome == "killed")


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
