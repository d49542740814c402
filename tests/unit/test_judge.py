"""Reading a run's folder: what is damaged is counted and makes the run INVALID; nothing in it raises."""

import json
from pathlib import Path

import pytest
from tests.golden.make_run import make_run

from sealegs.errors import ScenarioError
from sealegs.judge import judge


@pytest.mark.parametrize(
    "line",
    [
        '{"t_s":50.0,"kind":"phase"}',
        '{"t_s":50.0,"kind":"fault","target":{}}',
        '{"t_s":50.0,"kind":"fault","state":"armed","target":{"api_server":"yes"}}',
        '{"t_s":50.0,"kind":"fault","state":"armed","target":{"every_stream":1}}',
        '{"t_s":50.0,"kind":"pod"}',
        '{"t_s":50.0,"kind":"pdb","app":"llm-api"}',
        '{"t_s":50.0,"kind":"node"}',
        '{"t_s":50.0}',
        '{"kind":"phase","name":"baseline"}',
        "[1, 2]",
        '{"t_s":50.0,"ki',
    ],
)
def test_a_line_that_lacks_what_is_read_makes_the_run_invalid(line: str, tmp_path: Path) -> None:
    """A good run with one such line in its timeline is INVALID, and says how many lines it lost."""
    run_dir = make_run(tmp_path, case="pass")
    with (run_dir / "timeline.jsonl").open("a") as timeline:
        timeline.write(line + "\n")

    verdict = judge(run_dir)

    assert verdict.verdict == "INVALID"
    assert "evidence is damaged: 1 torn line in timeline.jsonl" in verdict.reasons


@pytest.mark.parametrize("key", ["run_id", "scenario", "started_monotonic_ns"])
def test_a_folder_without_identity_is_not_a_run(key: str, tmp_path: Path) -> None:
    """What says not which run it is cannot be judged; the message names what is missing."""
    run_dir = make_run(tmp_path, case="pass")
    document = json.loads((run_dir / "run.json").read_text())
    del document[key]
    (run_dir / "run.json").write_text(json.dumps(document))

    with pytest.raises(ScenarioError, match=f"{key}.*not a run's folder"):
        judge(run_dir)
