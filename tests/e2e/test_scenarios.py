"""`pytest -m e2e`, one of the three doors: every scenario is run and must end as it says.

A claim that is refuted is a failure, at once. A run that cannot be trusted or decides nothing tested nothing:
it is made once more, as a night does, and is an error if that one did no better.
"""

import sys
from functools import partial
from pathlib import Path

import pytest

from sealegs.cluster import Cluster
from sealegs.doors import present
from sealegs.evidence import RUNS
from sealegs.progress import shown
from sealegs.run import execute
from sealegs.scenario import Scenario, load_scenario
from sealegs.verdict import Verdict, is_as_expected

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
TRIES_MAX = 2
CORE = ("gpu-node-drain", "noop-drain", "outlier-ejection")
SCENARIOS = [
    pytest.param(path, id=path.stem, marks=[pytest.mark.core] if path.stem in CORE else [])
    for path in sorted((ROOT / "scenarios").rglob("*.toml"))
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
    pytest.fail(f"{verdict.verdict}, the claim was not tested: {'; '.join(verdict.reasons)}")


def test_scenario_ends_as_it_says(tested: Tested) -> None:
    """A sound system keeps its promise; a planted defect is found, and for the reason that was planted."""
    scenario, verdict = tested

    met = is_as_expected(verdict.verdict, verdict.reasons, scenario.expect)
    assert met, f"{verdict.verdict}: {'; '.join(verdict.reasons)}"
