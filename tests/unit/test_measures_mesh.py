"""What the mesh did of its own accord, by made evidence: from 100 s on an engine fails that two doors ask."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from tests.unit import lost_requests
from tests.unit.lost_requests import Row
from tests.unit.two_doors import BAD, DOORS, answered, error, looks, measured, run

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


@pytest.mark.parametrize(
    ("said", "observer", "value"),
    [
        ({"gate": 0}, "", None),
        ({"gate": 0, "door-a": 0}, "", None),
        ({"door-a": 0}, "llm-api", None),
        ({"door-a": 0, "door-b": 0}, "llm-api", 0),
        ({"door-a": 0, "door-b": 0}, "", None),
        ({"door-a": 1}, "llm-api", 1),
    ],
)
def test_that_nobody_was_out_takes_the_word_of_all(
    said: Mapping[str, int], observer: str, value: int | None
) -> None:
    """A proxy that was there and silent may have had somebody out; what another had out is a number."""
    found = measured("ejected-max", run(ROWS, samples=looks(said)), observer=observer, phase="fault")

    assert found.value == value


@pytest.mark.parametrize(("gone_s", "value"), [(99.0, 0), (101.0, None)])
def test_a_proxy_that_had_gone_need_not_speak(gone_s: float, value: int | None) -> None:
    """Before the phase; one that went in it was there. Nor need one that comes after it."""
    facts = run(ROWS, samples=looks({"door-a": 0}))
    gone = {"kind": "pod", "name": "door-b", "ip": DOORS["door-b"], "app": "llm-api", "event": "deleted"}
    new = gone | {"t_s": 161.0, "name": "door-c", "event": "added"}
    facts = replace(facts, timeline=(*facts.timeline, gone | {"t_s": gone_s}, new))

    assert measured("ejected-max", facts, observer="llm-api", phase="fault").value == value


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


def test_a_silent_door_is_not_known_to_have_it_out() -> None:
    """Door b says nothing from 109.5 s on, so that only what was sent until 104.5 s counts."""
    samples = (*looks(*[BOTH] * 6, start_s=103.5), *looks(*[{"door-a": 1}] * 12, start_s=109.5))
    sent = [answered(30, 104.0), *(answered(31 + number, 110.0 + number, pod=BAD) for number in range(6))]
    found = measured("share-while-ejected", run(sent, samples=samples))

    assert (found.value, "of 1 requests" in found.detail) == (0, True)


@pytest.mark.parametrize(
    "name", ["errors-until-ejected", "errors-until-ejected-min", "ejected-s", "share-while-ejected"]
)
def test_about_several_targets_nothing_is_said(name: str) -> None:
    """A proxy counts what it has out and does not say which: two that fail cannot be told apart."""
    found = measured(name, run(ROWS, records=RECORDS, samples=OUT, pods=(BAD, "worse")))

    assert (found.value, "exactly one pod" in found.detail) == (None, True)


@pytest.mark.parametrize(
    ("grown", "at_most", "value"),
    [
        ({}, 0, 0),
        # Before the phase, and long after.
        ({99.5: 2, 165.5: 3}, 0, 0),
        ({110.5: 5}, None, 5),
        ({99.5: 2, 110.5: 4, 130.5: 1, 165.5: 9}, None, 5),
        # A look soon after an edge may tell of a refusal before it.
        *(({at_s: 25}, 0, None) for at_s in (160.5, 164.5, 100.5, 104.5)),
        ({103.5: 25, 105.5: 1}, 0, 1),
        ({103.5: 25, 105.5: 1}, 1, None),
        ({110.5: 5, 160.5: 1}, 4, 5),
        ({110.5: 5, 160.5: 1}, 5, None),
        ({110.5: 5, 160.5: 1}, None, None),
    ],
)
def test_overflow_is_what_surely_grew_in_the_phase(
    grown: Mapping[float, int], at_most: float | None, value: int | None
) -> None:
    """From 100 to 160 s. A count is up to four seconds old, so that at an edge it is nobody's."""
    seconds = [90.5 + number for number in range(90)]
    counts = [sum(by for at_s, by in grown.items() if at_s <= t_s) for t_s in seconds]
    samples = [{"t_s": t_s, "pending_overflow": n} for t_s, n in zip(seconds, counts, strict=True)]
    found = measured("overflow", run(ROWS, samples=samples), phase="fault", at_most=at_most)

    assert found.value == value


@pytest.mark.parametrize("phase", ["recovery", "run"])
@pytest.mark.parametrize("grew", [0, 3])
def test_overflow_of_a_phase_that_ends_with_the_run_is_what_the_last_look_has(phase: str, grew: int) -> None:
    """When it ends everything has been answered, and nobody looks any more."""
    seconds = [0.5 + number for number in range(199)]
    samples = [{"t_s": t_s, "pending_overflow": 7 + grew * (t_s > 170)} for t_s in seconds]

    assert measured("overflow", run(ROWS, samples=samples), phase=phase).value == grew


def test_overflow_of_a_phase_that_nobody_outlasted_is_unknown() -> None:
    """No look after it, or none in it; what is beyond the limit by then stays beyond."""
    late = looks({}, {}, start_s=158.5, pending_overflow=7)
    facts = run(ROWS, samples=late)
    grew = run(ROWS, samples=(*looks({}, start_s=105.0, pending_overflow=0), *late))

    assert measured("overflow", facts, phase="fault", at_most=0).value is None
    assert measured("overflow", facts, phase="recovery").value is None
    assert measured("overflow", grew, phase="fault").value is None
    assert measured("overflow", grew, phase="fault", at_most=6).value == 7


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
