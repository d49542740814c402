"""How long requests lasted, by made evidence: the fault's phase begins at 100 s."""

from dataclasses import replace

import pyarrow as pa
import pytest
from tests.unit.two_doors import answered, measured, run

from sealegs import tables


def test_durations_are_those_of_one_models_requests() -> None:
    """From sending to the end, of the bound's model and profile, whatever became of it, or if answered."""
    late = {"outcome": "http_5xx", "status": 504}
    rows = [
        answered(1, 100.5, sent_s=101.0, end_s=161.5, **late),
        answered(2, 102.0, end_s=161.9, **late),
        answered(3, 103.0, end_s=110.0),
        answered(4, 104.0, end_s=134.2, **late),
        answered(5, 12.0, end_s=95.0),
    ]
    facts = run(rows)
    models = ["default", "default", "default", "gpt35", "default"]
    planned = [
        dict(one, model_type=model, profile="chat" if number == 2 else "batch")
        for number, (one, model) in enumerate(zip(facts.schedule.to_pylist(), models, strict=True))
    ]
    facts = replace(facts, schedule=pa.Table.from_pylist(planned, schema=tables.SCHEDULE))

    def value(name: str, model: str, phase: str = "fault", profile: str = "") -> float | None:
        return measured(name, facts, model_type=model, phase=phase, profile=profile).value

    assert value("timeout-s-min", "default") == pytest.approx(59.9)
    assert value("timeout-s-min", "gpt35") == pytest.approx(30.2)
    assert value("timeout-s-min", "gpt4") is None
    assert value("lasted-s-max", "default") == pytest.approx(60.5)
    assert value("lasted-s-max", "default", "run") == pytest.approx(83.0)
    assert value("answered-s-max", "default") == pytest.approx(7.0)
    assert value("answered-s-max", "gpt35") is None
    assert value("lasted-s-max", "") == pytest.approx(60.5)
    assert value("lasted-s-max", "default", profile="chat") == pytest.approx(7.0)
    assert value("lasted-s-max", "gpt35", profile="chat") is None


def test_whatever_fails_before_its_time_is_early() -> None:
    """A 503 after two seconds is, a refusal is not; and where time was up for nobody nothing is measured."""
    late = answered(1, 101.0, end_s=161.0, outcome="http_5xx", status=504)
    others = [
        answered(2, 102.0, end_s=104.0, outcome="http_5xx", status=503),
        answered(3, 103.0, end_s=103.1, outcome="http_429", status=429),
    ]

    found = measured("timeout-s-min", run([late, *others]), phase="fault")
    assert found.value == pytest.approx(2.0)
    assert found.request_ids == ("r1", "r2")
    assert measured("timeout-s-min", run(others), phase="fault").value is None


def test_a_silence_counts_wherever_it_was() -> None:
    """Before the first token, between two, after the last, and of a request that was told nothing at all."""
    begun = {"sent_s": 101.0, "first_token_s": 103.5, "last_token_s": 110.0, "end_s": 110.1, "gap_s_max": 2.0}
    nothing = {"first_token_s": None, "last_token_s": None, "gap_s_max": None}

    def value(**changes: float | str | None) -> float | None:
        return measured("silent-s-max", run([answered(1, 101.0, **begun | changes)]), phase="fault").value

    assert value() == pytest.approx(2.5)
    assert value(gap_s_max=4.0) == pytest.approx(4.0)
    assert value(end_s=117.0) == pytest.approx(7.0)
    assert value(end_s=121.0, outcome="http_5xx", status=504, **nothing) == pytest.approx(20.0)
    assert value(end_s=None, outcome="hole", **nothing) is None
