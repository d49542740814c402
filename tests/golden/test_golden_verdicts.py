"""Made-up runs end in the verdict that was recorded for them, byte for byte.

After a change that is meant to change verdicts: ``pytest tests/golden --update-golden``, then read the diff.
"""

import json
from pathlib import Path

import pytest
from tests.golden.case import CASES
from tests.golden.make_run import make_run
from tests.golden.verdicts import judged_twice, schema

HERE = Path(__file__).parent


@pytest.mark.parametrize("case", CASES)
def test_same_evidence_gives_the_recorded_bytes(
    case: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A verdict is a function of the evidence alone, and says what it said when it was reviewed."""
    run_dir = make_run(tmp_path, case=case)
    recorded = HERE / f"{case}.verdict.json"

    seen = judged_twice(run_dir)

    if request.config.getoption("--update-golden", default=False):
        recorded.write_bytes(seen)
    assert seen == recorded.read_bytes()


@pytest.mark.parametrize("case", CASES)
def test_recorded_verdicts_keep_the_schema(case: str) -> None:
    """Whoever reads verdict.json by its schema can read every kind of verdict."""
    schema().validate(json.loads((HERE / f"{case}.verdict.json").read_text()))


@pytest.mark.parametrize(
    ("case", "verdict", "reason"),
    [
        ("pass", "PASS", ""),
        ("fail-truncated", "FAIL", "no-truncated-stream: "),
        ("invalid-not-landed", "INVALID", "fault did not land"),
        ("invalid-baseline", "INVALID", "unhealthy baseline"),
        ("killed", "INVALID", "run did not finish"),
        ("inconclusive-thin", "INCONCLUSIVE", "more good requests would have decided it"),
        ("invalid-missing", "INVALID", "missing: metrics (no APIService metrics.k8s.io"),
    ],
)
def test_each_case_ends_as_it_must(case: str, verdict: str, reason: str) -> None:
    """A golden file that was updated without a look cannot turn one verdict into another."""
    document = json.loads((HERE / f"{case}.verdict.json").read_text())

    assert document["verdict"] == verdict
    assert any(reason in one for one in document["reasons"]) or not reason
