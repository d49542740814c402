"""Knees in files: found again where they belong, and scenarios whose traffic is a share of one."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sealegs import cli, knee_files
from sealegs import cluster as clusters
from sealegs.errors import ClusterError, ScenarioError
from sealegs.knee import Knee
from sealegs.portrait import portrait_of
from sealegs.run import plan
from sealegs.scenario import Scenario, load_scenario

ROOT = Path(__file__).parents[2]
DRAIN = ROOT / "scenarios" / "gpu-node-drain.toml"
OWN = "kind-sealegs"


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    """A scenario at 0.6 of the knee, in a repository where no knee was measured."""
    for name in ("experiments", "locustfiles"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "scenarios").mkdir()
    path = tmp_path / "scenarios" / "share.toml"
    path.write_text(DRAIN.read_text().replace("rate_rps = 9", "knee_share = 0.6  # of the knee"))
    return load_scenario(path)


def measured(scenario: Scenario, rate_rps: float | None, *, hour: int = 1, context: str = OWN) -> None:
    """A knee was found, in that hour, on the cluster of that context."""
    folder = knee_files.folder_of(scenario, started=datetime(2026, 1, 1, hour, tzinfo=UTC))
    folder.parent.mkdir(parents=True, exist_ok=True)
    knee = Knee(rate_rps=rate_rps, goodput_rps=rate_rps, above_rps=None, ending="found")
    knee_files.write(folder, scenario, knee, [], context=context)


def test_without_a_knee_a_share_of_it_is_refused(scenario: Scenario) -> None:
    """The sentence names the command that measures it."""
    for use in (plan, partial(portrait_of, "chat")):
        with pytest.raises(ScenarioError, match=r"knee_share = 0\.6 .* `sealegs capacity .*share\.toml`"):
            use(scenario)


def test_the_last_knee_counts(scenario: Scenario) -> None:
    """The rate is the share of what was found last; a search that found none leaves the one before."""
    measured(scenario, 10.0, hour=1)
    measured(scenario, 15.0, hour=2)
    measured(scenario, None, hour=3)

    assert knee_files.resolved(scenario).traffic.rate_rps == 9.0
    assert plan(scenario).equals(plan(replace(scenario, traffic=load_scenario(DRAIN).traffic)))


def test_a_knee_of_another_cluster_is_another(scenario: Scenario) -> None:
    """A share of a laptop's knee is no traffic for a cluster of GPUs; without one, the last counts."""
    measured(scenario, 10.0, hour=1, context="gpus")
    measured(scenario, 15.0, hour=2)

    assert knee_files.resolved(scenario, context="gpus").traffic.rate_rps == 6.0
    assert knee_files.resolved(scenario, context=OWN).traffic.rate_rps == 9.0
    assert knee_files.resolved(scenario).traffic.rate_rps == 9.0


@pytest.mark.parametrize(("context", "option"), [(OWN, ""), ("gpus", " --context gpus")])
def test_what_measures_a_knee_is_told_with_its_cluster(scenario: Scenario, context: str, option: str) -> None:
    """The command measures where the run would have been."""
    measured(scenario, 10.0, context="another")

    with pytest.raises(ScenarioError) as refused:
        plan(scenario, context=context)

    told = f"on {context}: `sealegs capacity {scenario.path}{option}` measures it"
    assert str(refused.value).endswith(told)


def test_a_run_asks_for_the_knee_of_its_own_cluster(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only another cluster's is known, it is told so before a cluster is asked."""
    measured(scenario, 10.0, context="gpus")
    monkeypatch.setattr(clusters, "connect", lambda _: pytest.fail("a cluster was asked"))

    with pytest.raises(ScenarioError, match=f"not measured on this machine with this stack on {OWN}"):
        cli.run.main([str(scenario.path)], standalone_mode=False)


@pytest.mark.parametrize(
    "change",
    [{"profiles": {"code": 1.0}}, {"context_tokens_max": 2048}, {"tokens_per_s": 50.0}, {"whole": ("chat",)}],
    ids=", ".join,
)
def test_a_knee_of_other_traffic_is_another(scenario: Scenario, change: dict[str, Any]) -> None:
    """Other lengths make another knee."""
    measured(replace(scenario, traffic=replace(scenario.traffic, **change)), 10.0)

    assert knee_files.knee_rps(scenario) is None


def test_a_knee_of_another_machine_or_stack_is_another(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More processors, another overlay, a planted defect, a stack of yours, any other file of the stack."""
    yours = scenario.path.parents[1] / "stack" / "yours"
    yours.mkdir(parents=True)
    measured(scenario, 10.0)
    assert knee_files.knee_rps(scenario) == 10.0
    assert knee_files.knee_rps(replace(scenario, stack_overlay="gpu")) is None
    assert knee_files.knee_rps(replace(scenario, stack_mutant="tiny-pool")) is None
    assert knee_files.knee_rps(replace(scenario, stack_name="yours")) is None

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(999)))
    assert knee_files.knee_rps(scenario) is None
    monkeypatch.undo()
    monkeypatch.setattr(knee_files, "digest", lambda _: "another")
    assert knee_files.knee_rps(scenario) is None


def test_a_knee_of_other_wishes_is_another(scenario: Scenario) -> None:
    """It is the most that the baseline's objectives allow, and these want more."""
    measured(scenario, 10.0)
    stricter = tuple(replace(one, target=0.999) for one in scenario.objectives)

    assert knee_files.knee_rps(replace(scenario, objectives=stricter)) is None


def test_a_damaged_file_is_no_knee(scenario: Scenario) -> None:
    """What cannot be read, or says no rate, is passed over."""
    measured(scenario, 10.0, hour=1)
    folder = scenario.path.parents[1] / knee_files.CAPACITY
    (found,) = folder.glob("*.json")
    for hour, text in enumerate(("{", found.read_text().replace("10.0", '"ten"'), "{}"), 2):
        (folder / f"20260101T0{hour}0000Z-share.json").write_text(text)

    assert knee_files.knee_rps(scenario) == 10.0


def test_a_copy_says_which_rate_it_was(scenario: Scenario, tmp_path: Path) -> None:
    """Read without the knee's file, as evidence is, the copy has the run's rate; the rest is untouched."""
    measured(scenario, 10.0)
    copy = tmp_path / "scenario.toml"

    knee_files.write_copies(knee_files.resolved(scenario), tmp_path)

    read = load_scenario(copy, files_exist=False)
    assert (read.traffic.rate_rps, read.traffic.knee_share) == (6.0, 0.6)
    shared = "knee_share = 0.6  # of the knee\n"
    assert copy.read_text() == scenario.path.read_text().replace(shared, f"{shared}rate_rps = 6.0\n")


def test_a_copy_of_a_plain_scenario_is_its_bytes(tmp_path: Path) -> None:
    """A scenario with a rate of its own is copied as it is."""
    copy = tmp_path / "scenario.toml"

    knee_files.write_copies(load_scenario(DRAIN, files_exist=False), tmp_path)

    assert copy.read_bytes() == DRAIN.read_bytes()


def test_a_file_has_a_rate_or_a_share(scenario: Scenario) -> None:
    """Both in a file that somebody wrote leave open which one is meant; none says nothing."""
    text = scenario.path.read_text()
    scenario.path.write_text(text.replace("knee_share = 0.6", "rate_rps = 9\nknee_share = 0.6"))
    with pytest.raises(ScenarioError, match="one of the two, not both"):
        load_scenario(scenario.path)

    scenario.path.write_text(text.replace("knee_share = 0.6", ""))
    with pytest.raises(ScenarioError, match=r"missing 'traffic\.rate_rps'"):
        load_scenario(scenario.path)

    scenario.path.write_text(text.replace("knee_share = 0.6", "knee_share = -1"))
    with pytest.raises(ScenarioError, match=r"'traffic\.knee_share' must be more than 0"):
        load_scenario(scenario.path)


def test_too_small_a_machine_is_an_error_of_the_environment(scenario: Scenario) -> None:
    """The run ends INVALID with what it would need, and a machine of that size runs it."""
    measured(scenario, 1.0, hour=1)
    with pytest.raises(ClusterError, match=r"too small for share: .* a knee of [\d.]+ would do"):
        knee_files.require_machine(knee_files.resolved(scenario))

    measured(scenario, 15.0, hour=2)
    knee_files.require_machine(knee_files.resolved(scenario))
