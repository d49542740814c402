"""What the mesh did of its own accord, by made evidence: from 100 s on an engine fails that two doors ask."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from tests.unit import lost_requests
from tests.unit.lost_requests import Row

from sealegs import tables
from sealegs.judgement.facts import Facts, fault_story
from sealegs.judgement.fates import fates_of
from sealegs.judgement.in_flight import InFlight
from sealegs.judgement.measures import MEASURES
from sealegs.judgement.measures.measured import Measured
from sealegs.judgement.situation import Situation
from sealegs.scenario.claim import Bound

PHASES = {"baseline": 10.0, "fault": 100.0, "recovery": 160.0, "end": 200.0}
DOORS = {"door-a": "10.0.0.8", "door-b": "10.0.0.9"}
BAD = "bad"


def timeline(*pods: str) -> tuple[Row, ...]:
    """Phases, doors, and a fault injected into these pods."""
    marks = [{"t_s": t_s, "kind": "phase", "name": name} for name, t_s in PHASES.items()]
    apps = {**dict.fromkeys(DOORS, "llm-api"), "gate": "istio-ingressgateway"}
    doors = [
        {"t_s": 1.0, "kind": "pod", "name": name, "ip": DOORS.get(name, "10.0.0.7"), "app": app}
        for name, app in apps.items()
    ]
    fault = {"kind": "fault", "fault": "engine_answers", "state": "injected", "target": {"pods": list(pods)}}
    return tuple(sorted([*marks, *doors, {"t_s": 100.0, **fault}], key=lambda one: one["t_s"]))


def looks(*ejected: Mapping[str, int], start_s: float = 100.5, **fields: Any) -> tuple[Row, ...]:  # noqa: ANN401
    """A sample a second with what each proxy says that it has ejected."""
    return tuple({"t_s": start_s + after_s, "ejected": one, **fields} for after_s, one in enumerate(ejected))


def error(number: int, at_s: float, door: str, *, pod: str = BAD, status: int = 503) -> tuple[Row, Row]:
    """A request that an engine failed through a door: its row, and the gateway's record."""
    row = lost_requests.row(
        number,
        intended_s=at_s - 0.01,
        sent_s=at_s - 0.01,
        end_s=at_s,
        outcome="http_5xx",
        status=status,
        pod=pod,
    )
    record = {"request_id": row["request_id"], "start_time": "2026", "response_code": status}
    return row, {**record, "response_flags": "-", "upstream_host": f"{DOORS[door]}:8080"}


def answered(number: int, at_s: float, **columns: Any) -> Row:  # noqa: ANN401 - any column
    """A request that was answered within a second, by an engine that is sound."""
    good = {"outcome": "ok", "status": 200, "pod": "good", "tokens_received": 3}
    times = {"intended_s": at_s, "sent_s": at_s, "end_s": at_s + 1}
    return lost_requests.row(number, **good | times | columns)


def run(
    rows: Sequence[Row],
    *,
    records: Sequence[Row] = (),
    samples: Sequence[Row] = (),
    truth: Sequence[Row] = (),
    pods: Sequence[str] = (BAD,),
) -> Facts:
    """The evidence of one run."""
    facts = lost_requests.run(
        rows,
        timeline=timeline(*pods),
        mesh=tuple(records),
        truth=pa.Table.from_pylist(list(truth), schema=tables.TRUTH),
    )
    return replace(facts, samples=tuple(samples))


def measured(name: str, facts: Facts, **keys: Any) -> Measured:  # noqa: ANN401 - any key of a bound
    """One measure of a run."""
    situation = Situation(facts=facts, fates=fates_of(facts), story=fault_story(facts), in_flight=InFlight())
    return MEASURES[name](situation, Bound(name="b", measure=name, **keys))


# Door a meets three errors until 101.0, and the engine again at 117.5; door b four until 101.8, and at 119.0.
ERRORS = [
    *(error(number, 100.2 + 0.4 * number, "door-a") for number in range(3)),
    *(error(10 + number, 100.3 + 0.5 * number, "door-b") for number in range(4)),
    error(20, 117.5, "door-a"),
    error(21, 119.0, "door-b"),
]
NONE, A, BOTH = ({"door-a": a, "door-b": b, "gate": 0} for a, b in ((0, 0), (1, 0), (1, 1)))
OUT = looks(NONE, NONE, A, *[BOTH] * 14, *[NONE] * 3)
ROWS, RECORDS = zip(*ERRORS, strict=True)
EJECTED = run(ROWS, records=RECORDS, samples=OUT)


def test_the_most_of_any_proxy_counts_and_not_their_sum() -> None:
    """The cap is each client's own: two that have one host out each have one."""
    assert measured("ejected-max", EJECTED).value == 1
    three = run(ROWS, samples=looks({"door-a": 1, "gate": 3}, {"door-a": 2}))
    found = measured("ejected-max", three)

    assert (found.value, "gate had 3 out at 100.5 s" in found.detail) == (3, True)


@pytest.mark.parametrize(
    ("observer", "value"), [("", 9), ("llm-api", 2), ("istio-ingressgateway", 3), ("llm-inference", None)]
)
def test_only_the_observers_proxies_are_asked(observer: str, value: int | None) -> None:
    """What the gateway has out is not what an engine's clients have out; who has no proxy says nothing."""
    facts = run(ROWS, samples=looks({"door-a": 1, "gate": 3}, {"door-a": 2, "stranger": 9}))
    found = measured("ejected-max", facts, observer=observer)

    assert found.value == value
    assert value is not None or f"no proxy of {observer} said" in found.detail


@pytest.mark.parametrize(
    ("samples", "phase", "value"),
    [
        (looks(NONE, NONE), "run", 0),
        (looks(NONE, A), "baseline", None),
        (looks(A, start_s=12.0), "run", 1),
        (looks(A, start_s=5.0), "run", None),
        (looks({}), "run", None),
        (({"t_s": 101.0, "ejections_active": 1},), "run", None),
    ],
)
def test_where_no_proxy_spoke_nobody_knows(samples: tuple[Row, ...], phase: str, value: int | None) -> None:
    """Silence is no zero: not in the phase, not in evidence of old, not in a look that no proxy answered."""
    assert measured("ejected-max", run(ROWS, samples=samples), phase=phase).value == value


def test_errors_are_counted_by_proxy_until_its_own_ejection() -> None:
    """Door b needed four; what door a met after the engine was back is not among its three."""
    found = measured("errors-until-ejected", EJECTED)

    assert (found.value, found.request_ids) == (4, ("r10", "r11", "r12", "r13"))
    assert "door-a 3, door-b 4" in found.detail


def test_an_engine_that_is_never_ejected_counts_all_its_errors() -> None:
    """No ejection is no lack of evidence: the errors are there."""
    found = measured("errors-until-ejected", run(ROWS, records=RECORDS, samples=looks(*[NONE] * 20)))

    assert (found.value, "door-a 4 and never" in found.detail) == (5, True)


def test_the_fewest_errors_are_of_a_proxy_that_took_it_out() -> None:
    """Door a took three; a door that never did so has no number, and without any nothing is measured."""
    found = measured("errors-until-ejected-min", EJECTED)
    never = run(ROWS, records=RECORDS, samples=looks(*[NONE] * 20))

    assert (found.value, len(found.request_ids)) == (3, 3)
    assert measured("errors-until-ejected-min", never).value is None


def test_only_the_targets_own_errors_count() -> None:
    """Not those of another engine, those before the injection, refusals, or of a door that nobody knows."""
    others = [
        error(0, 99.0, "door-a"),
        error(1, 100.1, "door-a", pod="good"),
        error(2, 100.2, "door-a", status=429),
    ]
    rows, records = zip(*others, strict=True)
    unknown, record = error(3, 100.3, "door-a")
    record["upstream_host"] = "10.9.9.9:8080"

    facts = run([*rows, unknown], records=[*records, record], samples=OUT)
    assert measured("errors-until-ejected", facts).value is None


def test_it_is_out_until_it_fails_again() -> None:
    """From its last error at a proxy to its next there: 101.0 to 117.5 s."""
    found = measured("ejected-s", EJECTED)

    assert found.value == pytest.approx(16.5)
    assert "door-a" in found.detail
    assert measured("ejected-s", run(ROWS[:-2], records=RECORDS[:-2], samples=OUT)).value is None


def test_its_share_is_of_what_was_sent_while_all_had_it_out() -> None:
    """Both doors had it out from 103.5 to 116.5 s; the last four seconds of that may be old news."""
    sent = [answered(30 + number, 104.0 + number, pod=BAD if number < 2 else "good") for number in range(8)]
    outside = [answered(50, 103.0, pod=BAD), answered(51, 113.0, pod=BAD)]
    found = measured("share-while-ejected", run([*sent, *outside], samples=OUT))

    assert (found.value, found.request_ids) == (2 / 8, ("r30", "r31"))
    assert measured("share-while-ejected", run(sent, samples=looks(*[A] * 20))).value is None


@pytest.mark.parametrize(
    "name", ["errors-until-ejected", "errors-until-ejected-min", "ejected-s", "share-while-ejected"]
)
def test_about_several_targets_nothing_is_said(name: str) -> None:
    """A proxy counts what it has out and does not say which: two that fail cannot be told apart."""
    found = measured(name, run(ROWS, records=RECORDS, samples=OUT, pods=(BAD, "worse")))

    assert (found.value, "exactly one pod" in found.detail) == (None, True)


def test_overflow_is_what_grew_in_the_phase() -> None:
    """The counter runs since the run's start."""
    counts = [*looks({}, {}, start_s=98.5, pending_overflow=2), *looks({}, pending_overflow=7, start_s=101.0)]
    facts = run(ROWS, samples=counts)

    assert measured("overflow", facts, phase="fault").value == 5
    assert measured("overflow", facts, phase="run").value == 7
    assert measured("overflow", facts, phase="recovery").value is None


def test_an_attempt_that_engines_saw_twice_was_sent_again_by_the_mesh() -> None:
    """What the client itself sent twice may have two lines."""
    rows = [answered(1, 101.0), answered(2, 102.0, attempts=2), answered(3, 103.0)]
    lines = [lost_requests.line(request_id=name, received_s=t_s) for name, t_s in [("r1", 1.0), ("r2", 2.0)]]
    lines += [lost_requests.line(request_id="r2", received_s=3.0)]

    assert measured("attempts-max", run(rows, truth=lines)).value == 1
    again = [lost_requests.line(request_id="r1", received_s=after_s) for after_s in (4.0, 5.0)]
    found = measured("attempts-max", run(rows, truth=[*lines, *again]))
    assert (found.value, found.request_ids) == (3, ("r1",))
    assert measured("attempts-max", run(rows)).value is None


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
