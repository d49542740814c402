"""The command `sealegs mutants`: arguments in, exit code out."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from sealegs import kill_matrix
from sealegs.child_run import Say, heal_killed, in_a_process
from sealegs.commands import root_option, say
from sealegs.errors import ScenarioError, writing
from sealegs.kill_matrix import Matrix
from sealegs.kill_matrix.cells import record_of, records, write_matrix
from sealegs.mutant import MUTANTS, Mutant, load_mutants, names_of
from sealegs.scenario import load_scenario

EXIT_SURVIVED, EXIT_UNKNOWN = 1, 3
EPILOG = """\b
Exit codes:
  0 every mutant was killed as named
  1 one survived, or was killed by another claim  3 of one nothing is known
  4 a problem in your file or arguments  5 a problem of the environment

\b
Examples:
  sealegs mutants                             all of them, 3 to 5 minutes each
  sealegs mutants engine-aborts-on-term       one
  sealegs mutants --scenario gpu-node-drain   those planted for one scenario
  sealegs mutants --again                     go on: those that were not killed when last run
  sealegs mutants --document                  write docs/mutants.md; runs nothing"""


@click.command(epilog=EPILOG)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--scenario", metavar="NAME", help="Only mutants that are planted for this scenario.")
@click.option(
    "--again",
    is_flag=True,
    help="Run only what was not killed when it was last run, here or by `sealegs run --mutant`.",
)
@click.option("--document", is_flag=True, help="Write docs/mutants.md from what is on disk, and run nothing.")
@root_option
def mutants(
    names: tuple[str, ...],
    *,
    scenario: str | None,
    again: bool,
    document: bool,
    root: Path,
) -> int:
    """Plant known defects in the stack, on the cluster made here, and see that exactly the right claims fail.

    Runs each mutant NAME of stack/mutants/, by default all, under the scenario that its mutant.toml names.
    Prints the kill matrix: what must fail beside what failed. It is in reports/mutants/<date>/matrix.json, by
    UTC, and grows with each run: one that is stopped can go on with --again. What killed runs left on the
    cluster is undone first, as `sealegs heal` does it.
    """
    root = root.resolve()
    if document:
        _document(root, load_mutants(root).values())
        return 0
    asked = _chosen(root, names, scenario)
    record = record_of(root, datetime.now(UTC).date())
    known = _known(root, asked) if again else Matrix()
    due = [one for one in asked if known.outcome(one) != "killed"]
    heal_killed(root, say=say)
    with _shown(len(due)) as (tell, advance):
        start = in_a_process(root, context=None, say=tell, prints=False)
        playing = kill_matrix.play(due, record=record, start=start, now=lambda: datetime.now(UTC), say=tell)
        for seen in playing:
            known = kill_matrix.latest((known, seen))
            advance()
    click.echo("\n".join(kill_matrix.table(asked, known)))
    click.echo(f"\nmatrix: {record}")
    return _exit_code(asked, known)


def _chosen(root: Path, names: Sequence[str], scenario: str | None) -> list[Mutant]:
    """The mutants that are asked for. What is wrong with others is nothing to them.

    Raises:
        ScenarioError: one is not there or cannot be read, or none is left.
    """
    known = names_of(root)
    there = ", ".join(known) or "none"
    if unknown := [name for name in names if name not in known]:
        raise ScenarioError([f"{MUTANTS / name}: no such mutant; there are {there}" for name in unknown])
    asked = load_mutants(root, names=dict.fromkeys(names) or known)
    chosen = [one for one in asked.values() if scenario in {None, one.scenario.name}]
    if not chosen:
        of = f" of scenario {scenario}" if scenario else ""
        raise ScenarioError([f"{MUTANTS}: no mutant{of} to run; there are {there}"])
    return chosen


def _known(root: Path, asked: Iterable[Mutant]) -> Matrix:
    """What was last seen of some mutants, by the matrices and the runs that are on disk."""
    runs = kill_matrix.of_runs(root, {one.name: one for one in asked})
    return kill_matrix.latest((runs, *map(kill_matrix.read_matrix, records(root))))


def _exit_code(asked: Iterable[Mutant], matrix: Matrix) -> int:
    outcomes = {matrix.outcome(one) for one in asked}
    if outcomes & {"survived", "killed by another"}:
        return EXIT_SURVIVED
    return EXIT_UNKNOWN if "unknown" in outcomes else 0


def _document(root: Path, found: Iterable[Mutant]) -> None:
    """Write the page, and what it is drawn from beside it: the last cell of each mutant that there is.

    Raises:
        ClusterError: they cannot be written.
    """
    committed, page = root / kill_matrix.COMMITTED, root / kill_matrix.PAGE
    mutants = list(found)
    names = {one.name for one in mutants}
    matrix = kill_matrix.latest((kill_matrix.read_matrix(committed), _known(root, mutants)))
    matrix = Matrix(cells=tuple(cell for cell in matrix.cells if cell.mutant in names))
    scenarios = [load_scenario(path) for path in sorted((root / "scenarios").glob("*.toml"))]
    with writing(page):
        write_matrix(committed, matrix)
        page.write_text(kill_matrix.document(mutants, scenarios, matrix), encoding="utf-8")
    click.echo(f"page: {page}")


@contextmanager
def _shown(total: int) -> Iterator[tuple[Say, Callable[[], None]]]:
    """What tells a line, and what counts a run: on a terminal there is a bar below the lines."""
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("mutants"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(
        *columns,
        console=console,
        transient=True,
        refresh_per_second=2,
        disable=not console.is_interactive,
    )
    with bar:
        task = bar.add_task("", total=total)
        yield (
            lambda text: console.print(Text(f"sealegs: {text}"), soft_wrap=True),
            lambda: bar.advance(task),
        )
