"""What a run needs beside its scenario is found missing before a cluster is touched, all of it at once."""

from pathlib import Path

import pytest

from sealegs.errors import ScenarioError
from sealegs.run import plan
from sealegs.scenario import Scenario, load_scenario

ROOT = Path(__file__).parents[2]
DRAIN = (ROOT / "scenarios" / "gpu-node-drain.toml").read_text()
STACK = 'overlay = "kind"'


def asked(root: Path, stack: str, *, share: bool = False) -> Scenario:
    """A scenario with this table of its stack, perhaps at a share of a knee that nobody measured."""
    for name in ("experiments", "locustfiles"):
        (root / name).symlink_to(ROOT / name)
    path = root / "scenarios" / "a.toml"
    path.parent.mkdir()
    text = DRAIN.replace("rate_rps =", "knee_share = 0.6 #") if share else DRAIN
    path.write_text(text.replace(STACK, stack))
    return load_scenario(path)


def refused(scenario: Scenario) -> list[str]:
    """What is said of a scenario that cannot be run, without the path of its file."""
    with pytest.raises(ScenarioError) as error:
        plan(scenario)
    return [one.removeprefix(str(scenario.path)) for one in error.value.problems]


@pytest.mark.parametrize(
    ("stack", "after", "problem"),
    [
        ('overlay = "kindd"', 0, "stack/overlays/kindd: no such folder; there are gpu, kind, "),
        ('overlay = "/kind"', 0, "stack/overlays//kind: no such folder; there are gpu, kind, "),
        (f'{STACK}\nmutant = "nosuch"', 1, "stack/mutants/nosuch: no such folder; there are "),
    ],
)
def test_an_overlay_or_a_mutant_that_is_not_there_is_named(
    tmp_path: Path, stack: str, after: int, problem: str
) -> None:
    """At the line that asks for it, with what there is."""
    line = DRAIN.splitlines().index(STACK) + 1 + after

    (told,) = refused(asked(tmp_path, stack))

    assert told.startswith(f":{line}: {problem}")


def test_a_mutant_is_one_of_its_overlay(tmp_path: Path) -> None:
    """What is made of another overlay would plant more than its defect."""
    (told,) = refused(asked(tmp_path, 'overlay = "kind-hpa"\nmutant = "no-prestop"'))

    assert "stack/mutants/no-prestop: is made of another overlay than kind-hpa" in told


def test_stack_and_knee_are_told_together(tmp_path: Path) -> None:
    """A knee takes an hour to measure: who mistyped the overlay is not to hear of it after that."""
    told = refused(asked(tmp_path, 'overlay = "kindd"', share=True))

    assert len(told) == 2
    assert "no such folder" in told[0]
    assert "knee_share = 0.6" in told[1]


def test_what_is_there_is_ready(tmp_path: Path) -> None:
    """An overlay of ours, with a mutant of it or without."""
    assert plan(asked(tmp_path, f'{STACK}\nmutant = "no-prestop"')).num_rows > 0
