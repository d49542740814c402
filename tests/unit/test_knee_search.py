"""A search for the knee: the cluster is its own meanwhile, it ends in time, and keeps what it saw."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit import api_server
from tests.unit.made_fates import fates, planned, row

from sealegs import knee_search, stack
from sealegs.cluster import Cluster
from sealegs.errors import ClusterError, ScenarioError
from sealegs.judgement.fates import Fates
from sealegs.judgement.validity.client import LIMITS
from sealegs.knee import SETTLE_S, WINDOW_S, Step
from sealegs.knee_search import Searched, at_rate, search
from sealegs.kube import lease
from sealegs.kube.api import connect
from sealegs.scenario import Scenario, load_scenario
from sealegs.scenario.arrivals import Arrivals
from sealegs.traffic.schedule import make

ROOT = Path(__file__).parents[2]


@dataclass
class Stage:
    """A stack that holds up to a rate, and a clock that each step of a search moves on."""

    root: Path
    knee_rps: float = 9.0
    step_s: float = 30.0
    now_s: float = 0.0
    sent: list[Scenario] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    tried: list[Step] = field(default_factory=list)

    @property
    def cluster(self) -> Cluster:
        """The cluster of the stack."""
        return Cluster("test", self.root / "kubeconfig", "test", "http://127.0.0.1:1", owned=True)

    def send(self, asked: Scenario, run_dir: Path, **_: Any) -> Fates:  # noqa: ANN401  as the search calls it
        """Fifty requests that were answered, or refused beyond the knee."""
        run_dir.mkdir(parents=True)
        summary = {"canaries_taken": True} | {limit.key: 0.0 for limit in LIMITS}
        (run_dir / "load-summary.json").write_text(json.dumps(summary))
        self.sent.append(asked)
        self.now_s += self.step_s
        outcome = "ok" if asked.traffic.rate_rps <= self.knee_rps else "http_429"
        times_s = [10.0 + number / 10 for number in range(50)]
        rows = (row(f"r{number}", t_s, outcome=outcome) for number, t_s in enumerate(times_s))
        return fates(planned(*times_s), *rows)

    def search(self, scenario: Scenario, *, start_rps: float = 8.0) -> Searched:
        """Search on this stage."""
        return search(
            scenario, self.cluster, start_rps=start_rps, now=self.told.append, tried=self.tried.append
        )


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    """A scenario in a repository of its own."""
    found = load_scenario(ROOT / "scenarios" / "gpu-node-drain.toml", files_exist=False)
    (tmp_path / "scenarios").mkdir()
    return replace(found, path=tmp_path / "scenarios" / "gpu-node-drain.toml")


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A stage whose stack stands at once."""
    made = Stage(tmp_path)
    monkeypatch.setattr(stack, "apply", lambda *_, **__: None)
    monkeypatch.setattr(stack, "api_key", lambda *_, **__: "key")
    monkeypatch.setattr(knee_search, "_send", made.send)
    monkeypatch.setattr(knee_search, "now_s", lambda: made.now_s)
    with api_server.serving(tmp_path, api_server.Cluster()):
        yield made


def test_a_search_finds_the_knee_and_keeps_it(stage: Stage, scenario: Scenario) -> None:
    """Each step is told when it is over, and the file has the knee, all steps, and what they depend on."""
    found = stage.search(scenario)

    assert (found.knee.rate_rps, found.knee.above_rps, found.knee.ending) == (8.72, 9.51, "found")
    kept = json.loads(found.path.read_text())
    assert kept["knee"]["rate_rps"] == 8.72
    assert [one["rate_rps"] for one in kept["steps"]] == [one.rate_rps for one in stage.tried]
    assert kept["fingerprint"]["overlay"] == "kind"
    assert found.path.parent == scenario.path.parents[1] / "reports" / "capacity"
    assert len(list(found.path.with_suffix("").iterdir())) == len(found.steps)


def test_a_search_ends_within_its_time(stage: Stage, scenario: Scenario) -> None:
    """No step begins that would not end in time; what is known by then stands."""
    stage.step_s = 81.0

    found = stage.search(scenario)

    assert len(found.steps) == 2
    assert stage.now_s <= knee_search.SEARCH_S_MAX
    assert (found.knee.rate_rps, found.knee.ending) == (8.0, "time")


def test_more_than_the_client_can_send_is_its_limit(stage: Stage, scenario: Scenario) -> None:
    """A stack that outgrows the load processes has a knee that is at least what they can send."""
    stage.knee_rps = 1e9

    found = stage.search(scenario, start_rps=20.0)

    assert found.knee.ending == "client"
    assert found.knee.rate_rps == max(asked.traffic.rate_rps for asked in stage.sent)
    assert "processes = " in found.steps[-1].doubts[0]


def test_a_step_is_the_scenarios_traffic_and_nothing_else(scenario: Scenario) -> None:
    """Independent users at the rate, for the settling and the window; each step has requests of its own."""
    falling = Arrivals(kind="ramp", to_rps=0)
    asked = replace(scenario, traffic=replace(scenario.traffic, arrivals=falling))
    one, other = (at_rate(asked, 40.0, number=number) for number in (0, 1))
    times_s = make(one)["intended_s"].to_numpy()

    assert len(times_s) / (SETTLE_S + WINDOW_S) == pytest.approx(40.0, rel=0.15)
    assert times_s.max() < SETTLE_S + WINDOW_S
    assert replace(one.traffic, arrivals=falling, rate_rps=9) == asked.traffic
    assert one.traffic.arrivals.kind == "poisson"
    assert not make(one).equals(make(other))


def test_a_cluster_in_use_is_not_searched(stage: Stage, scenario: Scenario) -> None:
    """A run that goes on holds the cluster; and a search holds it until it ends, however it does."""
    with (
        closing(connect(stage.cluster.kubeconfig, context="test")) as api,
        lease.held(api, holder="a run", on_lost=stage.told.append),
        pytest.raises(ClusterError, match="a run"),
    ):
        stage.search(scenario)
    assert stage.sent == []

    stage.search(scenario)
    assert stage.sent != []


def test_without_objectives_of_the_baseline_nothing_can_break(stage: Stage, scenario: Scenario) -> None:
    """A scenario that asks nothing of undisturbed traffic has no knee."""
    silent = replace(scenario, objectives=tuple(one for one in scenario.objectives if one.phase == "fault"))

    with pytest.raises(ScenarioError, match="no objective of the baseline"):
        stage.search(silent)
