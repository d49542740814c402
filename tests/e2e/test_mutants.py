"""Every planted defect is seen, on the real cluster, by exactly the claims that its mutant names.

A run that tested nothing is made once more.

``pytest -m proof -k engine-aborts-on-term`` runs one; `sealegs mutants` runs them too, and keeps the matrix.
"""

import sys
from functools import partial
from pathlib import Path

import pytest

from sealegs.cluster import Cluster
from sealegs.doors import present
from sealegs.evidence import RUNS
from sealegs.kill_matrix import TRIES_MAX, Matrix, cell_of, table
from sealegs.mutant import FILE, MUTANTS, load_mutant
from sealegs.progress import shown
from sealegs.run import execute

pytestmark = pytest.mark.proof

ROOT = Path(__file__).parents[2]
CORE = ("engine-aborts-on-term",)
FILES = [
    pytest.param(path, id=path.parent.name, marks=[pytest.mark.core] if path.parent.name in CORE else [])
    for path in sorted((ROOT / MUTANTS).glob(f"*/{FILE}"))
]


@pytest.mark.parametrize("path", FILES)
def test_a_mutant_is_killed_as_named(path: Path, cluster: Cluster) -> None:
    """Its scenario, run with the defect in the stack, fails in the claims that it names and in no other."""
    mutant, seen = load_mutant(path), Matrix()
    watch = partial(shown, out=sys.stderr, live=False)
    for _ in range(TRIES_MAX):
        verdict = execute(mutant.scenario, cluster, door="pytest", watch=watch)
        run_dir = ROOT / RUNS / verdict.run_id
        present(run_dir, verdict, out=sys.stdout)
        seen = seen.with_cell(cell_of(run_dir, mutant))
        if seen.outcome(mutant) != "unknown":
            break

    assert seen.outcome(mutant) == "killed", "\n".join(table([mutant], seen))
