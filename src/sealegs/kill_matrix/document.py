"""``docs/mutants.md``: the kill matrix for readers, from mutants' files and the matrix that is committed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from sealegs.kill_matrix.cells import Matrix, claimed
from sealegs.kill_matrix.table import SIGNS, must, tally, told_names
from sealegs.mutant import Mutant, claims_of
from sealegs.report.words import MISSING
from sealegs.scenario import Scenario

PAGE = Path("docs", "mutants.md")
COMMITTED = Path("docs", "mutants.json")
HEAD = """\
# The kill matrix

A claim that nothing can refute proves nothing.
Each mutant is the reference stack with one defect planted ([`stack/mutants`](../stack/mutants)).
It is run under the scenario that must see it, and exactly the claims that it names must FAIL.

`sealegs mutants` runs them and `sealegs mutants --document` writes this page; it is not written by hand.

- **killed**: every named claim failed, and no claim did that is not named.
- **survived**: a named claim passed with the defect in the stack.
- **killed by another**: a claim failed that is not named.
- **unknown**: not run, or the run could not be trusted or decided nothing.

A claim is undecided when it had too little evidence, or evidence that cannot be trusted.
A counter-example, as a cut stream is, counts in any run.
"""
LEGEND = """\
`✓` failed as it must, `!` must fail and passed, `?` must fail and was not decided or not run,
`·` may fail and did, `✗` failed and is not named.
Claims of a scenario that no mutant names and that failed under none have no column.
"""


def document(mutants: Sequence[Mutant], scenarios: Iterable[Scenario], matrix: Matrix) -> str:
    """The whole page. `scenarios` are all that claim something about the sound stack."""
    parts = [HEAD, *_mutants(mutants, matrix), *_grids(mutants, matrix), *_bare(mutants, scenarios)]
    return "\n".join(parts)


def _mutants(mutants: Sequence[Mutant], matrix: Matrix) -> Iterator[str]:
    """What is planted, what must come of it, and what did."""
    yield f"## Mutants\n\n{tally(mutants, matrix)}.\n"
    rows = []
    for one in (one for of_scenario in claimed(mutants).values() for one in of_scenario):
        cell, outcome = matrix.of(one), matrix.outcome(one)
        name = f"[{one.name}](../stack/mutants/{one.name}/kustomization.yaml)"
        scenario = f"[{one.scenario.name}](../scenarios/{one.scenario.name}.toml)"
        when = f"{cell.started_at[:10]}, {(cell.commit or MISSING)[:10]}" if cell else MISSING
        undecided = f"{len(cell.undecided)} of {len(cell.claims)}" if cell else MISSING
        rows.append((name, one.defect, scenario, must(one), f"{SIGNS[outcome]} {outcome}", undecided, when))
    head = ("mutant", "defect", "scenario", "must fail", "seen", "undecided", "last run, commit")
    yield _table(head, rows)


def _grids(mutants: Sequence[Mutant], matrix: Matrix) -> Iterator[str]:
    """For each scenario its mutants against its claims."""
    yield f"## Expected against seen\n\n{LEGEND}"
    for name, of_scenario in claimed(mutants).items():
        columns = [one for one in claims_of(of_scenario[0].scenario) if _is_of_note(one, of_scenario, matrix)]
        if columns:
            rows = [(one.name, *(_sign(one, claim, matrix) for claim in columns)) for one in of_scenario]
            yield f"### {name}\n"
            yield _table(("mutant", *columns), rows)


def _is_of_note(claim: str, mutants: Iterable[Mutant], matrix: Matrix) -> bool:
    """Whether a claim is named by a mutant, or failed under one."""
    return any(claim in one.kills or _sign(one, claim, matrix) for one in mutants)


def _sign(mutant: Mutant, claim: str, matrix: Matrix) -> str:
    """One claim under one mutant; empty where nothing was to happen and nothing did."""
    cell = matrix.of(mutant)
    word = cell.claims.get(claim) if cell else None
    if claim in mutant.kills:
        return {"FAIL": "✓", "PASS": "!"}.get(word or "", "?")
    if word != "FAIL":
        return ""
    return "·" if claim in mutant.may_kill else "✗"


def _bare(mutants: Sequence[Mutant], scenarios: Iterable[Scenario]) -> Iterator[str]:
    """Claims that no mutant names: nobody has seen them fail on purpose."""
    yield "## Claims without a mutant\n\nNo planted defect must turn these to FAIL yet.\n"
    killed: Mapping[str, set[str]] = {
        name: set().union(*(one.kills for one in of_scenario))
        for name, of_scenario in claimed(mutants).items()
    }
    rows = []
    for one in sorted(scenarios, key=lambda scenario: scenario.name):
        left = [claim for claim in claims_of(one) if claim not in killed.get(one.name, set())]
        rows.append((one.name, f"{len(left)} of {len(claims_of(one))}", told_names(left)))
    yield _table(("scenario", "without", "claims"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |\n" for row in lines)
