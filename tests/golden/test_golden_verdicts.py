"""Made-up runs end in the verdict that was recorded for them, byte for byte.

After a change that is meant to change verdicts: ``pytest tests/golden --update-golden``, then read the diff.
"""

import json
from functools import cache
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from tests.golden.case import CASES
from tests.golden.make_run import make_run

from sealegs.judge import judge

HERE = Path(__file__).parent
SCHEMA = Path(__file__).parents[2] / "src" / "sealegs" / "verdict.schema.json"


@cache
def validator() -> Draft202012Validator:
    """What holds a document against the schema, which is one itself."""
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("case", CASES)
def test_same_evidence_gives_the_recorded_bytes(
    case: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A verdict is a function of the evidence alone, and says what it said when it was reviewed."""
    run_dir = make_run(tmp_path, case=case)
    recorded = HERE / f"{case}.verdict.json"

    judge(run_dir)
    first = (run_dir / "verdict.json").read_bytes()
    judge(run_dir)

    assert (run_dir / "verdict.json").read_bytes() == first
    if request.config.getoption("--update-golden", default=False):
        recorded.write_bytes(first)
    assert first == recorded.read_bytes()


@pytest.mark.parametrize("case", CASES)
def test_recorded_verdicts_keep_the_schema(case: str) -> None:
    """Whoever reads verdict.json by its schema can read every kind of verdict."""
    validator().validate(json.loads((HERE / f"{case}.verdict.json").read_text()))


@pytest.mark.parametrize(
    ("case", "verdict", "reason"),
    [
        ("pass", "PASS", ""),
        ("fail-truncated", "FAIL", "no-truncated-stream: "),
        ("invalid-not-landed", "INVALID", "fault did not land"),
        ("invalid-baseline", "INVALID", "unhealthy baseline"),
        ("killed", "INVALID", "run did not finish"),
        ("inconclusive-thin", "INCONCLUSIVE", "more good requests would have decided it"),
    ],
)
def test_each_case_ends_as_it_must(case: str, verdict: str, reason: str) -> None:
    """A golden file that was updated without a look cannot turn one verdict into another."""
    document = json.loads((HERE / f"{case}.verdict.json").read_text())

    assert document["verdict"] == verdict
    assert any(reason in one for one in document["reasons"]) or not reason
