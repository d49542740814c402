"""The schedule of a scenario: from its seed alone, complete, and honest about what it left out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sealegs.errors import ScenarioError
from sealegs.scenario import Scenario, load_scenario
from sealegs.tables import SCHEDULE, read_table
from sealegs.traffic.schedule import dropped_of, make, write

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """A scenario with a context that some of the trace's requests do not fit."""
    found = load_scenario(ROOT / "scenarios" / "gpu-node-drain.toml", files_exist=False)
    return with_context(found, 2_048)


def with_context(scenario: Scenario, context_tokens_max: int) -> Scenario:
    """The scenario for a model of another context."""
    return replace(scenario, traffic=replace(scenario.traffic, context_tokens_max=context_tokens_max))


def test_it_is_made_from_the_seed_alone(scenario: Scenario) -> None:
    """Made twice it is the same to the byte; another seed makes another."""
    assert make(scenario).equals(make(scenario), check_metadata=True)
    assert not make(scenario).equals(make(replace(scenario, seed=scenario.seed + 1)))


def test_a_later_start_moves_the_times_and_nothing_else(scenario: Scenario) -> None:
    """What is asked, and how far apart, does not depend on when load begins."""
    early, late = make(scenario).to_pandas(), make(scenario, start_s=12.5).to_pandas()

    assert (late["intended_s"] - early["intended_s"]).to_numpy() == pytest.approx(12.5, abs=2e-6)
    assert late.drop(columns="intended_s").equals(early.drop(columns="intended_s"))


def test_rows_are_whole_and_in_order(scenario: Scenario) -> None:
    """Ids count from r000000, times ascend within the phases' length, names are the scenario's."""
    table = make(scenario)
    rows = table.to_pandas()

    assert table.schema.equals(SCHEDULE)
    assert rows["request_id"].tolist() == [f"r{number:06d}" for number in range(len(rows))]
    assert rows["intended_s"].is_monotonic_increasing
    assert rows["intended_s"].iloc[-1] < scenario.phases.duration_s
    assert set(rows["profile"]) == {"chat"}
    assert set(rows["model_type"]) == {scenario.traffic.model_type}


def test_what_does_not_fit_is_dropped_and_counted(scenario: Scenario) -> None:
    """Kept and dropped together are what was drawn; the kept ones are the same, none of them shorter."""
    everything, some = make(with_context(scenario, 10**6)).to_pandas(), make(scenario)
    whole = everything["prompt_tokens"] + everything["output_tokens"] <= 2_048

    assert dropped_of(some) == len(everything) - some.num_rows > 0
    columns = ["intended_s", "prompt_tokens", "output_tokens"]
    kept = everything.loc[whole, columns].reset_index(drop=True)
    assert some.to_pandas()[columns].equals(kept)


def test_another_arrival_process_keeps_the_rate(scenario: Scenario) -> None:
    """The rate is the scenario's whatever the law."""
    scenario = with_context(scenario, 10**6)
    constant = replace(scenario, traffic=replace(scenario.traffic, arrivals="constant"))
    rate_rps = scenario.traffic.rate_rps

    assert make(constant).num_rows / constant.phases.duration_s == pytest.approx(rate_rps, rel=0.01)
    assert make(scenario).num_rows / scenario.phases.duration_s == pytest.approx(rate_rps, rel=0.1)


def test_a_context_that_nothing_fits_is_a_problem_of_the_scenario(scenario: Scenario) -> None:
    """The message names the file, the key and how much was drawn."""
    with pytest.raises(ScenarioError, match=r"gpu-node-drain.toml: none of \d+ requests .* = 3$"):
        make(with_context(scenario, 3))


def test_it_is_evidence(scenario: Scenario, tmp_path: Path) -> None:
    """Written, it reads back as the run's schedule, with the count of the dropped beside it."""
    table = make(scenario)
    write(table, tmp_path / "schedule.parquet")

    found, damage = read_table(tmp_path, "schedule", SCHEDULE)

    assert damage is None
    assert found.equals(table)
    assert dropped_of(pa.parquet.read_table(tmp_path / "schedule.parquet")) == dropped_of(table)
    assert np.all(found["prompt_tokens"].to_numpy() > 0)
