"""Which stack a scenario is about: ours, or one of yours, which ``stack/<name>/stack.toml`` describes."""

from pathlib import Path

from sealegs.scenario import Scenario, root_of
from sealegs.stack_shape import REFERENCE, StackShape, load_shape

FOLDER, FILE = Path("stack"), "stack.toml"


def shape_for(scenario: Scenario) -> StackShape:
    """How the stack of a scenario is named.

    Raises:
        ScenarioError: it is one of yours, and `load_shape` refuses its file.
    """
    path = _file_of(scenario)
    return REFERENCE if path is None else load_shape(path)


def overlay_for(scenario: Scenario, shape: StackShape) -> str | Path | None:
    """What is applied for a scenario: an overlay of ours, by name, or a folder of yours; None: nothing."""
    path = _file_of(scenario)
    if path is None:
        return scenario.stack_overlay
    return (path.parent / shape.overlay).resolve() if shape.overlay else None


def folder_of(scenario: Scenario) -> Path | None:
    """The folder of a scenario's stack, where it is one of yours; None of ours."""
    name = scenario.stack_name
    return None if name is None else root_of(scenario.path) / FOLDER / name


def _file_of(scenario: Scenario) -> Path | None:
    """The file that describes a scenario's stack; None of ours."""
    folder = folder_of(scenario)
    return None if folder is None else folder / FILE
