"""The schedule of a scenario: from its seed alone, complete, and honest about what it left out."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from sealegs.errors import ScenarioError
from sealegs.scenario import Scenario, load_scenario
from sealegs.scenario.arrivals import Arrivals
from sealegs.scenario.workload import PROFILES, Policy
from sealegs.tables import SCHEDULE, read_table
from sealegs.traffic.schedule import dropped_of, make, write

# In so short a time their mean is not yet what it will be.
UNEVEN = ("on_off", "trace")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """A scenario with a context that some of the trace's requests do not fit."""
    found = load_scenario(ROOT / "scenarios" / "gpu-node-drain.toml", files_exist=False)
    return with_context(found, 2_048)


def with_context(scenario: Scenario, context_tokens_max: int) -> Scenario:
    """The scenario for a model of another context."""
    return replace(scenario, traffic=replace(scenario.traffic, context_tokens_max=context_tokens_max))


def with_traffic(scenario: Scenario, **keys: Any) -> Scenario:  # noqa: ANN401  any key of the table
    """The scenario with other traffic."""
    return replace(scenario, traffic=replace(scenario.traffic, **keys))


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


@pytest.mark.parametrize(
    "arrivals",
    [
        Arrivals(kind="poisson"),
        Arrivals(kind="constant"),
        Arrivals(kind="gamma", cv=1.09),
        Arrivals(kind="weibull", cv=1.5),
        Arrivals(kind="on_off", on_s=3, off_s=2),
        Arrivals(kind="trace"),
        Arrivals(kind="ramp", to_rps=9),
        Arrivals(kind="step", to_rps=9, at_s=60),
        Arrivals(kind="steps", factors=(0.5, 1.5, 1.0), step_s=60),
        Arrivals(kind="day"),
    ],
    ids=lambda arrivals: arrivals.kind,
)
def test_every_arrival_process_keeps_the_rate(scenario: Scenario, arrivals: Arrivals) -> None:
    """The rate is the scenario's whatever the law, and so are the rows that a seed draws."""
    # Of a trace a few minutes may be busy ones.
    long = replace(scenario, phases=replace(scenario.phases, baseline_s=600.0))
    scenario = with_context(long, 10**6)
    table = make(with_traffic(scenario, arrivals=arrivals))

    rate_rps = table.num_rows / scenario.phases.duration_s
    slack = 0.3 if arrivals.kind in UNEVEN else 0.1
    assert rate_rps == pytest.approx(scenario.traffic.rate_rps, rel=slack)
    assert table["intended_s"].to_numpy().min() >= 0


@pytest.mark.parametrize("profile", PROFILES)
def test_the_rate_is_that_of_requests(scenario: Scenario, profile: str) -> None:
    """However many turns a profile's sessions have, from the first second on."""
    asked = with_traffic(
        with_context(scenario, 10**7), profiles={profile: 1.0}, rate_rps=40.0, tokens_per_s=10.0**6
    )
    intended_s = make(asked)["intended_s"].to_numpy()

    half_s = asked.phases.duration_s / 2
    # Requests of a session come together, so their count varies more than a Poisson one.
    assert len(intended_s) / (2 * half_s) == pytest.approx(40, rel=0.15)
    assert (intended_s < half_s).sum() / half_s == pytest.approx(40, rel=0.2)


def test_a_mix_has_its_shares_of_requests(scenario: Scenario) -> None:
    """Not of sessions: agents ask a hundred times where a chat asks once."""
    shares = {"chat": 0.5, "agents": 0.3, "code": 0.2}
    asked = with_traffic(with_context(scenario, 10**7), profiles=shares, rate_rps=100.0)
    found = make(asked).to_pandas()["profile"].value_counts(normalize=True)

    assert found.to_dict() == pytest.approx(shares, abs=0.05)


def test_turns_follow_each_other(scenario: Scenario) -> None:
    """In a session turns ascend by one, each an answer's time and a think time after the one before."""
    asked = with_traffic(
        with_context(scenario, 10**7),
        profiles={"agents": 1.0},
        deadlines=replace(scenario.traffic.deadlines, total_s=10**6),
    )
    rows = make(asked).to_pandas()
    sessions = [one for _, one in rows.groupby("session") if len(one) > 1]

    assert len(sessions) > 10
    for one in sessions:
        assert (one["turn"].diff().dropna() == 1).all()
        answer_s = one["output_tokens"] / asked.traffic.tokens_per_s
        due_s = (one["intended_s"] + answer_s).shift() + one["think_s"]
        assert one["intended_s"].iloc[1:].to_numpy() == pytest.approx(due_s.iloc[1:].to_numpy(), abs=1e-5)


def test_what_follows_a_request_that_does_not_fit_is_dropped_too(scenario: Scenario) -> None:
    """A session ends where its prompt outgrows the model."""
    asked = with_traffic(with_context(scenario, 60_000), profiles={"agents": 1.0}, rate_rps=50.0)
    rows = make(asked).to_pandas()

    assert (rows["prompt_tokens"] + rows["output_tokens"]).max() <= 60_000
    for _, one in rows.groupby("session"):
        assert (one["turn"].diff().dropna() == 1).all()


def test_an_answer_that_its_deadline_would_cut_is_not_asked_for(scenario: Scenario) -> None:
    """At 10 tokens a second a limit of 20 s leaves room for 200 tokens."""
    asked = with_traffic(
        scenario, tokens_per_s=10.0, deadlines=replace(scenario.traffic.deadlines, total_s=20.0)
    )
    table = make(asked)

    assert table["output_tokens"].to_numpy().max() == 200
    assert dropped_of(table) > table.num_rows / 4


def test_the_cancelled_share_is_the_policys(scenario: Scenario) -> None:
    """Drawn by the seed, and none by default."""
    asked = with_traffic(scenario, policy=Policy(cancel_share=0.25))

    assert not any(make(scenario)["cancel"].to_pylist())
    assert make(asked)["cancel"].to_numpy().mean() == pytest.approx(0.25, abs=0.05)
    assert make(asked).drop(["cancel"]).equals(make(scenario).drop(["cancel"]))


def test_a_trace_without_times_cannot_give_them(scenario: Scenario) -> None:
    """The message says which profile."""
    asked = with_traffic(scenario, profiles={"batch": 1.0}, arrivals=Arrivals(kind="trace"))

    with pytest.raises(ScenarioError, match="the trace of 'batch' has no two times"):
        make(asked)


def test_a_context_that_nothing_fits_is_a_problem_of_the_scenario(scenario: Scenario) -> None:
    """The message names the file, the key and how much was drawn."""
    with pytest.raises(
        ScenarioError, match=r"gpu-node-drain.toml: none of \d+ requests of chat fits context_tokens_max = 3 "
    ):
        make(with_context(scenario, 3))


def test_a_load_too_short_for_a_request_is_a_problem_too(scenario: Scenario) -> None:
    """It is not the context's fault."""
    said = rf"no request falls into {scenario.phases.duration_s:g} s of load at rate_rps = 1e-06"
    with pytest.raises(ScenarioError, match=said):
        make(with_traffic(scenario, rate_rps=1e-6))


def test_it_is_evidence(scenario: Scenario, tmp_path: Path) -> None:
    """Written, it reads back as the run's schedule, with the count of the dropped beside it."""
    table = make(scenario)
    write(table, tmp_path / "schedule.parquet")

    found, damage = read_table(tmp_path, "schedule", SCHEDULE)

    assert damage == ()
    assert found.equals(table)
    assert dropped_of(pa.parquet.read_table(tmp_path / "schedule.parquet")) == dropped_of(table)
    assert np.all(found["prompt_tokens"].to_numpy() > 0)
