"""How far a run is, read from its folder while it grows."""

from pathlib import Path

import pytest
from tests.golden.make_run import make_run
from tests.unit.growing_run import INJECTED, GrowingRun

from sealegs.errors import ScenarioError
from sealegs.evidence import write_json
from sealegs.progress.reading import Reader


def test_a_growing_folder_is_read_as_it_grows(tmp_path: Path) -> None:
    """What is new is seen at the next look, once; what came between two looks is not lost."""
    run = GrowingRun.begin(tmp_path / "run", ago_s=50)
    reader = Reader(run.run_dir)
    opened = reader.look()
    run.note("node", t_s=29.0, name="worker")
    run.note("phase", t_s=30.0, name="warmup")
    run.note("phase", t_s=45.0, name="baseline")
    run.sample(ready=2, desired=3)
    run.sample(ready=3, desired=3)
    run.status()
    begun = reader.look()
    run.note("fault", t_s=48.0, **INJECTED)

    assert (opened.changes, opened.sending, opened.replicas) == ((), None, {})
    assert [(one.t_s, one.state) for one in begun.changes] == [(30.0, "warmup"), (45.0, "baseline")]
    assert begun.replicas == {"llm-inference": (3, 3)}
    assert 50 <= begun.t_s < 60
    assert begun.sending is not None
    assert (begun.sending.sent, begun.sending.ttft_s_p95, begun.sending.first_tokens) == (300, 0.212, 100)
    assert [one.state for one in reader.look().changes] == ["warmup", "baseline", "injected"]


def test_a_line_counts_when_it_is_whole(tmp_path: Path) -> None:
    """Half a line waits for its end; one that its writer's death has torn is passed over."""
    run = GrowingRun.begin(tmp_path / "run")
    reader = Reader(run.run_dir)
    run.tear("timeline.jsonl", '{"t_s": 1.0, "kind": "phase", ')
    assert reader.look().changes == ()
    run.tear("timeline.jsonl", '"name": "warmup"}\n')
    assert [one.state for one in reader.look().changes] == ["warmup"]
    run.tear("timeline.jsonl", '{"t_s": 2.0, "ki\n')
    run.note("phase", t_s=3.0, name="baseline")
    assert [one.state for one in reader.look().changes] == ["warmup", "baseline"]


def test_several_load_processes_are_told_as_one(tmp_path: Path) -> None:
    """Nothing is told before all of them have said something; then counts add up."""
    run = GrowingRun.begin(tmp_path / "run")
    scenario = run.run_dir / "scenario.toml"
    scenario.write_text(scenario.read_text().replace("processes = 1", "processes = 2"))
    reader = Reader(run.run_dir)
    run.status()
    status = (run.run_dir / "load-status.json").rename(run.run_dir / "load-status.0.json")
    assert reader.look().sending is None
    (run.run_dir / "load-status.1.json").write_bytes(status.read_bytes())

    sending = reader.look().sending
    assert sending is not None
    assert (sending.sent, sending.first_tokens, sending.outcomes["reset"]) == (600, 200, 4)


def test_a_recorded_run_is_at_its_end(tmp_path: Path) -> None:
    """Of evidence that is whole, phases and the fault's states are those of its timeline."""
    now = Reader(make_run(tmp_path, case="pass")).look()

    assert [one.state for one in now.changes if not one.fault] == [
        "warmup", "baseline", "fault", "recovery", "end"
    ]  # fmt: skip
    assert [[one.state for one in states] for states in now.faults] == [
        ["armed", "injected", "landed", "undone", "gone"]
    ]
    assert now.replicas["llm-inference"] == (3, 3)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    """Its problem names the file."""
    with pytest.raises(ScenarioError) as refused:
        Reader(tmp_path)
    assert str(tmp_path / "run.json") in refused.value.problems[0]

    write_json(tmp_path / "run.json", {"scenario": "a", "started_monotonic_ns": 0})
    (tmp_path / "scenario.toml").write_text("seed = 1")
    with pytest.raises(ScenarioError, match="missing"):
        Reader(tmp_path)
