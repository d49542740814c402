"""The matrix on disk, ``reports/mutants/<date>/matrix.json``: what was seen, one cell a mutant.

A cell holds how each claim of a run counted and not what follows from it: that is judged anew whenever it is
shown, by what the mutant's file says then.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

import orjson

from sealegs import evidence
from sealegs.errors import ScenarioError
from sealegs.judgement.verdict import Word
from sealegs.mutant import FILE, Mutant, Outcome, outcome_of
from sealegs.nightly.shape import ShapeError, shaped
from sealegs.outputs.claims import claims
from sealegs.outputs.text import line

SCHEMA = 1
MATRICES = Path("reports", "mutants")
RECORD = "matrix.json"
REASON_CHARACTERS_MAX = 240


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What came of one mutant under its scenario; without `run_id` there was no run, and `error` says why.

    `claims` is how each claim counted: INVALID where the evidence cannot carry what its numbers say.
    """

    mutant: str
    scenario: str
    started_at: str
    verdict: Word
    took_s: float | None = None
    claims: dict[str, Word] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    run_id: str | None = None
    commit: str | None = None
    dirty: bool | None = None
    error: str | None = None

    @property
    def failed(self) -> frozenset[str]:
        """The claims that saw something."""
        return frozenset(name for name, word in self.claims.items() if word == "FAIL")

    @property
    def undecided(self) -> frozenset[str]:
        """The claims that said nothing, of which nobody knows whether they would have failed."""
        return frozenset(name for name, word in self.claims.items() if word in {"INCONCLUSIVE", "INVALID"})


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Mutants' cells by name, the last run of each."""

    schema: int = SCHEMA
    cells: tuple[Cell, ...] = ()

    def with_cell(self, cell: Cell) -> "Matrix":
        """The same with this cell in the place of an earlier one of its mutant."""
        others = (one for one in self.cells if one.mutant != cell.mutant)
        return Matrix(cells=tuple(sorted((*others, cell), key=lambda one: one.mutant)))

    def of(self, mutant: Mutant) -> Cell | None:
        """A mutant's cell; None when it was not run under the scenario that it is planted for now."""
        found = (one for one in self.cells if one.mutant == mutant.name)
        cell = next(found, None)
        return cell if cell is not None and cell.scenario == mutant.scenario.name else None

    def outcome(self, mutant: Mutant) -> Outcome:
        """What became of a mutant; of one that was not run nothing is known."""
        cell = self.of(mutant)
        return "unknown" if cell is None else outcome_of(mutant, cell.claims, cell.verdict, cell.reasons)


def cell_of(run_dir: Path, mutant: Mutant, *, took_s: float | None = None) -> Cell:
    """What a judged run saw of a mutant.

    Raises:
        ScenarioError: the folder has no ``run.json`` or ``verdict.json`` that can be read.
    """
    run, verdict = (evidence.read_json(run_dir / name) for name in ("run.json", "verdict.json"))
    if run is None or verdict is None:
        raise ScenarioError([f"{run_dir / 'verdict.json'}:1: absent or not readable: nothing was judged"])
    counted = [one for one in claims(verdict) if one.kind not in {"check", "run"}]
    return Cell(
        mutant=mutant.name,
        scenario=mutant.scenario.name,
        started_at=run["started_at"],
        took_s=took_s,
        verdict=verdict["verdict"],
        claims={one.name: one.word for one in counted},
        reasons=tuple(line(one, most=REASON_CHARACTERS_MAX) for one in verdict["reasons"]),
        run_id=run["run_id"],
        commit=run.get("commit"),
        dirty=run.get("dirty"),
    )


def of_runs(root: Path, mutants: Mapping[str, Mutant]) -> Matrix:
    """What the judged runs under ``root/reports/runs`` saw of mutants, whoever started them."""
    cells: list[Cell] = []
    for run_dir in evidence.run_dirs(root):
        run = evidence.read_json(run_dir / "run.json") or {}
        mutant = mutants.get(run.get("mutant") or "")
        if mutant is None or run.get("scenario") != mutant.scenario.name:
            continue
        if (run_dir / FILE).is_file() and (run_dir / "verdict.json").is_file():
            cells.append(cell_of(run_dir, mutant))
    return latest([Matrix(cells=tuple(cells))])


def latest(matrices: Iterable[Matrix]) -> Matrix:
    """Of each mutant the last cell among some matrices."""
    cells = sorted((cell for matrix in matrices for cell in matrix.cells), key=lambda one: one.started_at)
    together = Matrix()
    for cell in cells:
        together = together.with_cell(cell)
    return together


def records(root: Path) -> Iterator[Path]:
    """The matrices under ``root/reports/mutants``, the oldest first."""
    yield from sorted((root / MATRICES).glob(f"*/{RECORD}"))


def record_of(root: Path, day: date) -> Path:
    """Where the matrix of a day lies."""
    return root / MATRICES / day.isoformat() / RECORD


def read_matrix(path: Path) -> Matrix:
    """The matrix of a file; an empty one where there is none.

    Raises:
        ScenarioError: it is damaged, or of a later sealegs.
    """
    try:
        document = orjson.loads(path.read_bytes())
        matrix = shaped(Matrix, document)
    except FileNotFoundError:
        return Matrix()
    except (OSError, orjson.JSONDecodeError, ShapeError) as error:
        raise ScenarioError([f"{path}:1: not a matrix of ours: {error}"]) from error
    if matrix.schema > SCHEMA:
        told = f"schema {matrix.schema}, this one reads up to {SCHEMA}"
        raise ScenarioError([f"{path}:1: written by a later sealegs: {told}"])
    return matrix


def write_matrix(path: Path, matrix: Matrix) -> None:
    """Put a matrix on disk at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    evidence.write_json(path, asdict(matrix))


def claimed(mutants: Iterable[Mutant]) -> Mapping[str, list[Mutant]]:
    """Scenario → the mutants that are planted for it, both in the order of their names."""
    found: dict[str, list[Mutant]] = {}
    for one in sorted(mutants, key=lambda mutant: (mutant.scenario.name, mutant.name)):
        found.setdefault(one.scenario.name, []).append(one)
    return found
