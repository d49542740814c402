"""What a run needs beside its scenario's file: its stack and its knee, before any cluster is touched."""

from pathlib import Path

from sealegs import stack, stack_choice
from sealegs.errors import ScenarioError
from sealegs.knee_files import resolved
from sealegs.scenario import Scenario, load_scenario, root_of
from sealegs.scenario.toml_shape import open_document
from sealegs.stack_shape import load_shape


def read(path: Path) -> Scenario:
    """The scenario of a file. Whether its stack can be applied, `ready` and `require_stack` say.

    Raises:
        ScenarioError: with everything that is wrong with the file, and then also with the stack it names.
    """
    try:
        return load_scenario(path)
    except ScenarioError as error:
        raise ScenarioError([*error.problems, *_stack_problems(path)]) from error


def ready(scenario: Scenario, *, context: str | None = None) -> Scenario:
    """The scenario with a rate, and a stack that can be applied; the knee is that of the context, or any.

    Raises:
        ScenarioError: with all of it: there is no such overlay or mutant, the stack's file is refused, the
            knee is not known.
    """
    problems = _stack_problems(scenario.path)
    try:
        scenario = resolved(scenario, context=context)
    except ScenarioError as error:
        problems += error.problems
    if problems:
        raise ScenarioError(problems)
    return scenario


def require_stack(scenario: Scenario) -> None:
    """Raise ScenarioError where the stack that a scenario names cannot be applied; its rate is not asked."""
    if problems := _stack_problems(scenario.path):
        raise ScenarioError(problems)


def _stack_problems(path: Path) -> list[str]:
    """What is wrong with the stack that a scenario's file names, whatever else is wrong with that file."""
    document, keys = open_document(path, root=root_of(path), files_exist=False)
    table = keys.get("stack")
    if not isinstance(table, dict):
        return []
    name, overlay, mutant = (
        one if isinstance(one := table.get(key), str) and one else None
        for key in ("name", "overlay", "mutant")
    )
    try:
        if name:
            load_shape(document.root / stack_choice.FOLDER / name / stack_choice.FILE)
        elif overlay:
            at = "overlay"
            stack.folder_of(overlay, None)
            at = "mutant"
            stack.folder_of(overlay, mutant)
    except ScenarioError as error:
        if name:
            return list(error.problems)
        for problem in error.problems:
            document.report(("stack", at), problem)
    return document.problems
