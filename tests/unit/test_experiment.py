"""What a Chaos Toolkit journal says of an experiment that did not go as written."""

from pathlib import Path
from typing import Any

import pytest

from sealegs.evidence import write_json
from sealegs.experiment import failures

RAISED = [
    "Traceback (most recent call last):\n",
    '  File "provider.py", line 57, in run_python_activity\n',
    "chaoslib.exceptions.ActivityFailed: TimeoutError: waited 10 s for the recorder; last seen: nothing\n",
]
SAID = "TimeoutError: waited 10 s for the recorder; last seen: nothing"
MET = {"steady_state_met": True, "probes": []}


def step(name: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401  a journal's own keys
    """One step of a journal, gone well unless `fields` say otherwise."""
    return {"activity": {"name": name}, "output": None, "status": "succeeded", **fields}


def gate(*probes: dict[str, Any]) -> dict[str, Any]:
    """A gate that was not passed."""
    return {"before": {"steady_state_met": False, "probes": list(probes)}}


FINE: dict[str, Any] = {
    "status": "completed",
    "steady_states": {"before": MET, "after": None, "during": []},
    "run": [step("drain"), step("landed")],
    "rollbacks": [step("uncordon")],
}
CUT_OFF = {"activity": {"name": "hold"}, "output": None, "start": "2026-11-24T12:00:00"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({}, [], id="all fine"),
        pytest.param({"steady_states": None}, [], id="no gate"),
        pytest.param(
            {"run": [step("drain"), step("landed", status="failed", exception=RAISED)]},
            [f"landed: {SAID}"],
            id="failed step",
        ),
        pytest.param(
            {"rollbacks": [step("uncordon", status="failed", exception=RAISED)]},
            [f"uncordon: {SAID}"],
            id="failed rollback",
        ),
        pytest.param(
            {"status": "interrupted", "run": [step("drain"), CUT_OFF]}, ["hold: was cut off"], id="cut off"
        ),
        pytest.param(
            {"run": [step("drain", status="failed")]}, ["drain: failed"], id="failed without a word"
        ),
        pytest.param(
            {
                "status": "failed",
                "run": [],
                "steady_states": gate(
                    step("engines are ready", tolerance_met=True),
                    step("stack is whole", tolerance_met=False, output=["llm-api 1 of 2"]),
                ),
            },
            ["the gate was not passed: stack is whole said ['llm-api 1 of 2']"],
            id="gate missed",
        ),
        pytest.param(
            {
                "status": "failed",
                "run": [],
                "steady_states": gate(
                    step("stack is whole", status="failed", tolerance_met=False, exception=RAISED)
                ),
            },
            [
                f"the gate was not passed: stack is whole said {SAID}",
            ],
            id="gate failed",
        ),
        pytest.param(
            {"status": "interrupted", "run": []},
            ["the experiment ended as interrupted, see {run_dir}/logs/chaos.log"],
            id="interrupted between steps",
        ),
    ],
)
def test_what_did_not_go_well_is_told(tmp_path: Path, changes: dict[str, Any], told: list[str]) -> None:
    """A line for each thing that went wrong, with what was raised and not where; none when all is well."""
    write_json(tmp_path / "journal.json", FINE | changes)

    assert list(failures(tmp_path)) == [line.format(run_dir=tmp_path) for line in told]


@pytest.mark.parametrize("content", [None, '{"status": "comp'])
def test_no_journal_is_a_failure(tmp_path: Path, content: str | None) -> None:
    """A Chaos Toolkit that left no journal, or a torn one, is told, with where to look."""
    if content is not None:
        (tmp_path / "journal.json").write_text(content)

    assert list(failures(tmp_path)) == [f"Chaos Toolkit left no journal, see {tmp_path}/logs/chaos.log"]
