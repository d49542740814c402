"""The kill matrix in lines for a terminal: a row a mutant, what must fail beside what did."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sealegs.doors import aligned
from sealegs.kill_matrix.cells import Matrix, claimed
from sealegs.mutant import Mutant, Outcome
from sealegs.report.words import MISSING, count

SIGNS: Mapping[Outcome, str] = {"killed": "✓", "survived": "✗", "killed by another": "✗", "unknown": "?"}


def table(mutants: Sequence[Mutant], matrix: Matrix) -> Iterator[str]:
    """The matrix in lines, and how many of its mutants ended how."""
    rows: list[tuple[str, ...]] = [("", "mutant", "scenario", "must fail", "failed", "undecided")]
    for of_scenario in claimed(mutants).values():
        for one in of_scenario:
            cell, outcome = matrix.of(one), matrix.outcome(one)
            seen = told_names(cell.failed) if cell else "not run"
            undecided = f"{len(cell.undecided)}" if cell else ""
            sign = f"{SIGNS[outcome]} {outcome}"
            rows.append((sign, one.name, one.scenario.name, must(one), seen, undecided))
    yield from aligned(rows, words=len(rows[0]) - 1)
    yield ""
    yield f"  {tally(mutants, matrix)}"
    for one in sorted(mutants, key=lambda mutant: mutant.name):
        if matrix.outcome(one) != "killed":
            yield f"  - {one.name}: {matrix.outcome(one)}{told(one, matrix)}"


def tally(mutants: Iterable[Mutant], matrix: Matrix) -> str:
    """How many mutants ended how, in words."""
    outcomes = [matrix.outcome(one) for one in mutants]
    counts = [f"{outcomes.count(outcome)} {outcome}" for outcome in SIGNS if outcome in outcomes]
    return f"{count(len(outcomes), 'mutant')}: {', '.join(counts) or 'none'}"


def told(mutant: Mutant, matrix: Matrix) -> str:
    """What goes with a mutant's outcome; empty where nothing needs to be said."""
    cell, outcome = matrix.of(mutant), matrix.outcome(mutant)
    if cell is None:
        return ", it was not run"
    if cell.error:
        return f": {cell.error}"
    if outcome == "killed":
        return f" by {must(mutant)}"
    if outcome == "killed by another":
        return f": {told_names(cell.failed - mutant.kills - mutant.may_kill)}"
    silent = f"{told_names(mutant.kills - cell.failed)} did not fail, " if outcome == "survived" else ""
    return f": {'; '.join((f'{silent}{cell.verdict}, run {cell.run_id}', *cell.reasons[:1]))}"


def must(mutant: Mutant) -> str:
    """What must come of a mutant."""
    expect = mutant.scenario.expect
    return told_names(mutant.kills) if mutant.kills else f"{expect.verdict}: {expect.reason}"


def told_names(names: Iterable[str]) -> str:
    """Names in their order, or a sign that there are none."""
    return ", ".join(sorted(names)) or MISSING
