"""`pytest -m e2e`, one of the three doors: every scenario is run and must end as it says.

Those that must not pass are `pytest -m proof`.

A claim that is refuted is a failure, at once. A run that cannot be trusted or decides nothing tested nothing:
it is made once more, as a night does, and is an error if that one did no better.
"""

import sys
import tomllib
from functools import partial
from pathlib import Path

import pytest

from sealegs.cluster import Cluster
from sealegs.doors import present
from sealegs.evidence import RUNS
from sealegs.judgement.verdict import Verdict, is_as_expected
from sealegs.progress import shown
from sealegs.run import execute
from sealegs.scenario import Scenario, load_scenario

ROOT = Path(__file__).parents[2]
NEGATIVE = "negative"
TRIES_MAX = 2
CORE = ("gpu-node-drain", "noop-drain", "outlier-ejection")


def by_overlay(path: Path) -> tuple[str, Path]:
    """Scenarios on one overlay come together: putting another one on the cluster takes most of a minute."""
    return tomllib.loads(path.read_text())["stack"]["overlay"], path


def marks_of(path: Path) -> list[pytest.MarkDecorator]:
    """What must not pass tells about the suite, everything else about the stack."""
    kind = pytest.mark.proof if path.parent.name == NEGATIVE else pytest.mark.e2e
    return [kind, pytest.mark.core] if path.stem in CORE else [kind]


SCENARIOS = [
    pytest.param(path, id=path.stem, marks=marks_of(path))
    for path in sorted((ROOT / "scenarios").rglob("*.toml"), key=by_overlay)
]

Tested = tuple[Scenario, Verdict]


@pytest.fixture(params=SCENARIOS)
def tested(request: pytest.FixtureRequest, cluster: Cluster) -> Tested:
    """A scenario and the verdict of a run of it, made now."""
    scenario = load_scenario(request.param)
    for _ in range(TRIES_MAX):
        verdict = execute(scenario, cluster, door="pytest", watch=partial(shown, out=sys.stderr, live=False))
        present(ROOT / RUNS / verdict.run_id, verdict, out=sys.stdout)
        if verdict.verdict in {"PASS", "FAIL", scenario.expect.verdict}:
            return scenario, verdict
        if request.session.shouldstop:
            break
    pytest.fail(f"{verdict.verdict}, the claim was not tested: {'; '.join(verdict.reasons)}")


def test_scenario_ends_as_it_says(tested: Tested) -> None:
    """A sound system keeps its promise; a planted defect is found, and for the reason that was planted."""
    scenario, verdict = tested

    met = is_as_expected(verdict.verdict, verdict.reasons, scenario.expect)
    assert met, f"{verdict.verdict}: {'; '.join(verdict.reasons)}"
