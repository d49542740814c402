"""Mutants are run under their scenarios, one after the other, and the matrix grows on disk."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sealegs.child_run import Say, Start
from sealegs.errors import ScenarioError
from sealegs.kill_matrix.cells import Cell, Matrix, cell_of, read_matrix, write_matrix
from sealegs.kill_matrix.table import SIGNS, told
from sealegs.mutant import Mutant
from sealegs.outputs.text import line
from sealegs.report.words import count

TRIES_MAX = 2
ERROR_CHARACTERS_MAX = 240


def play(
    mutants: Sequence[Mutant], *, record: Path, start: Start, now: Callable[[], datetime], say: Say
) -> Iterator[Matrix]:
    """Run each mutant under its scenario; gives the matrix after each.

    `start` runs one to its end. One that tested nothing is run once more, and its last run counts. Whoever is
    stopped has the record of those before in `record`.

    Raises:
        ScenarioError: the record that is to go on cannot be read.
    """
    read_matrix(record)
    for number, mutant in enumerate(mutants, 1):
        for attempt in range(1, TRIES_MAX + 1):
            again = " once more" if attempt > 1 else ""
            counted = f"{number} of {count(len(mutants), 'mutant')}"
            say(f"{counted}: {mutant.name} under {mutant.scenario.name}{again}")
            cell = _cell(mutant, start=start, now=now)
            # Read again: somebody else's cells may have been added in the minutes of a run.
            matrix = read_matrix(record).with_cell(cell)
            write_matrix(record, matrix)
            outcome = matrix.outcome(mutant)
            say(f"{mutant.name}: {SIGNS[outcome]} {outcome}{told(mutant, matrix)}")
            if outcome != "unknown" or cell.run_id is None:
                break
        yield matrix


def _cell(mutant: Mutant, *, start: Start, now: Callable[[], datetime]) -> Cell:
    """One run, or why it did not come to be."""
    started, began_s = now(), time.monotonic()
    try:
        ended = start(mutant.scenario.path, mutant.name)
        said = ended.said
        if ended.run_dir is not None:
            return cell_of(ended.run_dir, mutant, took_s=round(time.monotonic() - began_s, 1))
    except ScenarioError as error:
        said = error.problems[0]
    return Cell(
        mutant=mutant.name,
        scenario=mutant.scenario.name,
        started_at=started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        took_s=round(time.monotonic() - began_s, 1),
        verdict="INVALID",
        error=line(said, most=ERROR_CHARACTERS_MAX) or "the run ended without a word",
    )
