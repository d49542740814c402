"""A mutant: the reference stack with one known defect planted, and the claims that must see it.

It lies beside its kustomization, ``stack/mutants/<name>/mutant.toml``. The claims are those of a scenario's
own file: a copy of them would prove something about the copy.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sealegs.errors import ScenarioError
from sealegs.judgement.verdict import Word, is_as_expected
from sealegs.scenario import Scenario, load_scenario
from sealegs.scenario.claim import Expect, Phases
from sealegs.scenario.toml_shape import Document, build, open_document

MUTANTS = Path("stack", "mutants")
FILE = "mutant.toml"

Outcome = Literal["killed", "survived", "killed by another", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One planted defect. `scenario` is the one that must see it, as it is run with the defect in its stack.

    `kills` are the claims that must FAIL, `may_kill` those that may beside them: no other may.
    """

    name: str
    title: str
    defect: str
    scenario: Scenario
    kills: frozenset[str]
    may_kill: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class _File:
    """The keys of a mutant's file."""

    title: str
    defect: str
    scenario: str
    kills: tuple[str, ...]
    may_kill: tuple[str, ...] = ()
    phases: Mapping[str, Any] = field(default_factory=dict)
    expect: Expect = field(default_factory=lambda: Expect(verdict="FAIL"))


def load_mutant(path: Path, *, name: str | None = None, scenario: Scenario | None = None) -> Mutant:
    """Read a mutant's file, and the scenario that it names where that is not given.

    A run's copy is read with the mutant's `name` (else its folder's).

    Raises:
        ScenarioError: with every problem of the file and of its scenario, as ``file:line: problem``.
    """
    document, keys = open_document(path, root=path.parent)
    file = None if document.problems else build(_File, keys, document=document)
    asked, problems = (None, []) if file is None else _scenario(path, file, scenario, document=document)
    phases = None
    if file is not None and asked is not None:
        _cross_check(file, asked, document=document)
        merged = {**dataclasses.asdict(asked.phases), **file.phases}
        phases = build(Phases, merged, document=document, at=("phases",))
    if file is None or asked is None or phases is None or document.problems:
        raise ScenarioError([*document.problems, *problems])
    name = name or path.parent.name
    return Mutant(
        name=name,
        title=file.title,
        defect=file.defect,
        scenario=dataclasses.replace(
            asked, stack_mutant=name, mutant_file=path, phases=phases, expect=file.expect
        ),
        kills=frozenset(file.kills),
        may_kill=frozenset(file.may_kill),
    )


def names_of(root: Path) -> list[str]:
    """The mutants that have a file under ``root/stack/mutants``, in the order of their names."""
    return sorted(path.parent.name for path in (root / MUTANTS).glob(f"*/{FILE}"))


def load_mutants(root: Path, *, names: Iterable[str] | None = None) -> dict[str, Mutant]:
    """Name → mutant, of these or of all that have a file.

    Raises:
        ScenarioError: with the problems of all of them.
    """
    found: dict[str, Mutant] = {}
    problems: list[str] = []
    for name in names_of(root) if names is None else names:
        try:
            found[name] = load_mutant(root / MUTANTS / name / FILE)
        except ScenarioError as error:
            problems += error.problems
    if problems:
        raise ScenarioError(list(dict.fromkeys(problems)))
    return found


def planted(scenario: Scenario, name: str, *, root: Path) -> Scenario:
    """A scenario with a mutant of `root` in its stack.

    Raises:
        ScenarioError: there is no such mutant, or it is not planted for this scenario.
    """
    path = root / MUTANTS / name / FILE
    if not path.is_file():
        there = ", ".join(names_of(root)) or "none"
        raise ScenarioError([f"{path}:1: no such mutant; there are {there}"])
    return load_mutant(path, scenario=scenario).scenario


def asked_of(run_dir: Path, run: Mapping[str, Any]) -> Scenario:
    """What a run was to test, from the copies in its folder and from its ``run.json``.

    Raises:
        ScenarioError: a copy cannot be read.
    """
    scenario = load_scenario(run_dir / "scenario.toml", name=run["scenario"], files_exist=False)
    copy = run_dir / FILE
    return (
        load_mutant(copy, name=run.get("mutant"), scenario=scenario).scenario if copy.exists() else scenario
    )


def claims_of(scenario: Scenario) -> tuple[str, ...]:
    """Names of everything that a scenario claims."""
    objectives = (one.name for one in scenario.objectives)
    bounds = (one.name for one in scenario.bounds)
    whole = (name for name in ("recovery", "budget") if getattr(scenario, name) is not None)
    return (*scenario.invariants, *objectives, *bounds, *whole)


def outcome_of(mutant: Mutant, words: Mapping[str, Word], verdict: Word, reasons: Iterable[str]) -> Outcome:
    """What became of a mutant: `words` is how each claim of its run counted, the rest is the run's verdict.

    Killed when every named claim saw it and no claim that is not named did. A named claim that passed let it
    survive. All else tested nothing.
    """
    seen = {name for name, word in words.items() if word == "FAIL"}
    if seen - mutant.kills - mutant.may_kill:
        return "killed by another"
    if seen >= mutant.kills and is_as_expected(verdict, reasons, mutant.scenario.expect):
        return "killed"
    passed = verdict == "PASS" or any(words.get(name) == "PASS" for name in mutant.kills)
    return "survived" if passed else "unknown"


def _scenario(
    path: Path, file: _File, given: Scenario | None, *, document: Document
) -> tuple[Scenario | None, list[str]]:
    """The scenario of a mutant and its own problems; that there is none is a problem of the mutant."""
    if given is not None:
        if given.name != file.scenario:
            document.report(("scenario",), f"is planted for scenario {file.scenario}, not for {given.name}")
        return given, []
    folder = path.resolve().parents[len(MUTANTS.parts) + 1] / "scenarios"
    there = sorted(one.stem for one in folder.glob("*.toml"))
    if file.scenario not in there:
        document.report(("scenario",), f"no scenario {file.scenario!r}; there are {', '.join(there)}")
        return None, []
    try:
        return load_scenario(folder / f"{file.scenario}.toml"), []
    except ScenarioError as error:
        return None, list(error.problems)


def _cross_check(file: _File, scenario: Scenario, *, document: Document) -> None:
    """Note what no single key can show."""
    if scenario.stack_mutant is not None:
        document.report(("scenario",), f"scenario {scenario.name} plants {scenario.stack_mutant} itself")
    for key, problem in (*_misnamed(file, claims_of(scenario)), *_unexpected(file)):
        document.report((key,), problem)


def _misnamed(file: _File, claims: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Names that the scenario does not claim, or that are said twice."""
    for key, names in (("kills", file.kills), ("may_kill", file.may_kill)):
        for name in dict.fromkeys(names):
            if name not in claims:
                yield key, f"{file.scenario} does not claim {name!r}; it claims {', '.join(claims)}"
    for name in sorted(set(file.kills) & set(file.may_kill)):
        yield "may_kill", f"{name!r} must FAIL already"


def _unexpected(file: _File) -> Iterator[tuple[str, str]]:
    """What does not go together with how the run must end."""
    expect = file.expect
    if expect.verdict == "FAIL":
        if not file.kills:
            yield "kills", "names no claim: a defect that nobody must see proves nothing"
        if expect.reason:
            yield "expect", "a reason goes with verdict = 'INVALID': what must FAIL stands in kills"
    elif expect.verdict == "INVALID":
        if file.kills or file.may_kill:
            yield "expect", "a run that must be INVALID kills no claim: kills = []"
        if not expect.reason:
            yield "expect", "a run may be INVALID for many reasons: give the one that must be told"
    else:
        yield "expect", f"a planted defect ends as FAIL or INVALID, not as {expect.verdict}"
