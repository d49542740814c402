"""Each lost request gets the cause that its own evidence tells, or none."""

from collections import Counter
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.golden.make_run import made_facts
from tests.unit.lost_requests import (
    ADDRESSES,
    EVICTED,
    KILLED,
    STRUCK_S,
    TIMELINE,
    Row,
    cause,
    causes,
    open_from,
    pod,
    record,
    row,
    run,
    struck,
)

from sealegs.judgement.facts import Facts, fault_story
from sealegs.judgement.fates import HOLE, REQUEST_IDS_MAX, fates_of
from sealegs.judgement.losses import MEANINGS, UNEXPLAINED, Losses, cause_of, losses_of
from sealegs.scenario.workload import ANSWERED
from sealegs.traffic.client.outcome import Word

BARE = {
    "refused": "no-connection",
    "reset_before_headers": UNEXPLAINED,
    "http_4xx": UNEXPLAINED,
    "http_429": UNEXPLAINED,
    "http_5xx": UNEXPLAINED,
    "error_event": "engine-error",
    "bad_token": "wrong-answer",
    "abort": "engine-aborted",
    "no_finish": UNEXPLAINED,
    "cut_fin": UNEXPLAINED,
    "cut_rst": UNEXPLAINED,
    "stall": "deadline",
    "deadline_connect": "no-connection",
    "deadline_first_token": "deadline",
    "deadline_total": "deadline",
    "cut_by_us": "client-stopped",
    "cap_refused": "client-cap",
    "never_sent": "client-never-sent",
    HOLE: "client-no-row",
}


def test_every_outcome_has_been_thought_of() -> None:
    """The table below names each word of the evidence's vocabulary that is no answer, and the hole."""
    assert BARE.keys() == {*get_args(Word), HOLE} - {*ANSWERED}


@pytest.mark.parametrize("outcome", BARE)
def test_a_row_alone_tells_little(outcome: str) -> None:
    """Of a request that nobody else has a word about only its own end is known; the rest is unexplained."""
    assert cause({"outcome": outcome}) == BARE[outcome]


CUT_BY_FAULT = {
    "open-when-it-struck": open_from(90.0, 101.0),
    "open-long-after": open_from(90.0, 140.0),
    "never-ended": open_from(90.0, None),
    "aborted": open_from(90.0, 101.0, outcome="abort"),
    "stalled": open_from(90.0, 101.0, outcome="stall"),
    "answered-by-a-proxy": open_from(90.0, 101.0, outcome="http_5xx"),
    "sent-while-it-went": open_from(110.0, 111.0),
    "cut-before-the-recorder-heard": open_from(101.0, 104.5),
}
NOT_BY_FAULT = {
    "ended-before": open_from(90.0, 99.9),
    "sent-and-cut-before-the-pod-went": open_from(101.0, 102.5),
    "sent-when-it-was-gone": open_from(121.0, 122.0),
    "refused-for-want-of-room": open_from(90.0, 101.0, outcome="http_429"),
    "wrong": open_from(90.0, 101.0, outcome="bad_token"),
    "elsewhere": open_from(90.0, 101.0, pod="other"),
    "nobody-knows-where": open_from(90.0, 101.0, pod=None),
    "not-sent": open_from(90.0, 101.0, outcome="cap_refused"),
}


@pytest.mark.parametrize("case", CUT_BY_FAULT)
def test_the_fault_cuts_what_is_open_on_its_pods(case: str) -> None:
    """When it struck, or while the pod was on its way out, up to when it was gone."""
    assert cause({"pod": "hit"} | CUT_BY_FAULT[case]) == "fault"


@pytest.mark.parametrize("case", NOT_BY_FAULT)
def test_the_fault_is_not_to_blame_for_all(case: str) -> None:
    """Not for what was elsewhere, over before, sent after, or failed in a way that a cut does not."""
    assert cause({"pod": "hit"} | NOT_BY_FAULT[case]) != "fault"


def test_a_pod_that_went_silently_was_dead_before_it_was_noticed() -> None:
    """A lost node says nothing for most of a minute, and a killed container not at once: both were away."""
    lost = (*TIMELINE[:4], struck(), pod(142.0, "hit", ready=False))

    killed = (*TIMELINE[:4], struck(), pod(103.5, "hit", **KILLED, killed="OOMKilled"))

    assert cause(open_from(100.5, 101.0, pod="hit"), timeline=killed) == "fault"
    assert cause(open_from(120.0, 130.0, pod="hit"), timeline=lost) == "fault"
    assert cause(open_from(120.0, 130.0, pod="other"), timeline=lost) == UNEXPLAINED


def test_only_the_absence_that_the_fault_made_is_its_own() -> None:
    """An earlier one of the same pod is not taken for it, and nothing that ended before is put down to it."""
    earlier = (pod(10.0, "hit", ready=False), pod(20.0, "hit"))
    gone = (pod(100.2, "hit", deleting=True, reason=EVICTED), pod(120.0, "hit", event="deleted"))
    timeline = (*TIMELINE[:4], *earlier, struck(), *gone)

    assert cause(open_from(110.0, 111.0, pod="hit"), timeline=timeline) == "fault"
    assert cause(open_from(90.0, 99.5, pod="hit"), timeline=timeline) == UNEXPLAINED


def test_what_every_stream_passes_through_cuts_them_all() -> None:
    """A gateway that the fault took is where each request was, whatever engine answered it."""
    gateway = struck()
    gateway["target"] |= {"every_stream": True}
    timeline = (*TIMELINE[:6], gateway, *TIMELINE[7:])

    for pod_name in ("other", None):
        assert cause(open_from(99.0, 101.0, pod=pod_name), timeline=timeline) == "fault"
        assert cause(open_from(99.0, 101.0, pod=pod_name)) == UNEXPLAINED
    assert cause(open_from(90.0, 99.5, pod="other"), timeline=timeline) == UNEXPLAINED


@pytest.mark.parametrize(("sent_s", "expected"), [(129.5, "fault"), (130.5, UNEXPLAINED)])
def test_what_every_stream_passes_through_is_away_until_the_fault_is_gone(
    sent_s: float, expected: str
) -> None:
    """A gateway that has left the API at 120 s takes requests while it dies; its successor ends that."""
    gateway = struck()
    gateway["target"] |= {"every_stream": True}
    gone = gateway | {"t_s": 130.0, "state": "gone"}
    timeline = (*TIMELINE[:6], gateway, *TIMELINE[7:], gone)

    assert cause(open_from(sent_s, 131.0, pod="other"), timeline=timeline) == expected


def test_without_a_fault_nothing_is_its_doing() -> None:
    """The same losses in a run whose fault was not injected have no such cause."""
    unharmed = tuple(one for one in TIMELINE if one["kind"] != "fault")

    assert cause(open_from(90.0, 101.0, pod="hit"), timeline=unharmed) == UNEXPLAINED
    assert cause(open_from(104.0, 110.0, pod="hit"), timeline=unharmed) == f"pod-{EVICTED}"


TAKEN: dict[str, tuple[Row, list[Row]]] = {
    "pod-PreemptionByScheduler": (open_from(40.0, 55.0, pod="taken"), []),
    "pod-OOMKilled": (open_from(60.0, 70.0), [pod(70.2, "other", **KILLED, killed="OOMKilled")]),
    "pod-restarted": (open_from(60.0, 70.0), [pod(70.2, "other", **KILLED, killed="Error")]),
    "pod-deleted": (open_from(60.0, 70.0), [pod(69.0, "other", deleting=True)]),
}


@pytest.mark.parametrize("expected", TAKEN)
def test_a_pod_that_something_else_took_is_named_by_its_reason(expected: str) -> None:
    """Of its disruption, or of its container's end; deleted or restarted where that says nothing."""
    values, records = TAKEN[expected]
    timeline = tuple(sorted((*TIMELINE, *records), key=lambda one: float(one["t_s"])))

    assert cause({"pod": "other"} | values, timeline=timeline) == expected
    assert (
        cause({"pod": "other"} | values | {"outcome": "http_429"}, timeline=timeline) == "refused-by-engine"
    )


def test_a_pod_that_was_only_not_ready_took_nothing_away() -> None:
    """A probe that fails cuts no stream."""
    timeline = (*TIMELINE, pod(130.0, "other", ready=False), pod(140.0, "other"))

    assert cause(open_from(125.0, 135.0, pod="other"), timeline=timeline) == UNEXPLAINED


def test_the_mesh_knows_where_a_request_was_that_no_engine_named() -> None:
    """Cut at the door that the fault hit: the gateway flags it. What a door passed on was not cut there."""
    at_door = {"upstream_host": "10.0.0.4:8080"}
    values = open_from(90.0, 101.0, status=503, outcome="http_5xx")

    assert cause(values, mesh=[record("UC", response_code=503, **at_door)]) == "fault"
    assert cause(values | {"sent_s": 100.5}, mesh=[record("UC", **at_door)]) == "mesh-UC"
    assert cause(values, mesh=[record("-", response_code=503, **at_door)]) == UNEXPLAINED
    assert cause(values | {"outcome": "abort"}, mesh=[record("UC", **at_door)]) == "engine-aborted"


def test_an_address_that_two_pods_had_tells_nothing() -> None:
    """A wrong explanation is worse than none."""
    timeline = (*TIMELINE, pod(130.0, "hit", ip=ADDRESSES["door-hit"]))
    values = open_from(90.0, 101.0, outcome="cut_rst")

    assert cause(values, mesh=[record("UC", upstream_host="10.0.0.4:8080")], timeline=timeline) == "mesh-UC"


rows = st.builds(
    lambda outcome, sent_s, took_s, pod: {
        "outcome": outcome,
        "intended_s": sent_s,
        "sent_s": sent_s,
        "end_s": sent_s + took_s,
        "pod": pod,
    },
    st.sampled_from([*get_args(Word), HOLE]),
    st.integers(30, 130).map(float),
    st.integers(0, 60).map(float),
    st.sampled_from([None, *ADDRESSES]),
)


def counted(facts: Facts) -> Losses:
    """The losses of a run."""
    fates = fates_of(facts)
    return losses_of(fates, cause_of(facts, fates, fault_story(facts)))


@settings(max_examples=40, deadline=None)
@given(st.lists(rows, max_size=30))
def test_every_loss_is_counted_once(drawn: list[Row]) -> None:
    """The causes add up to what was lost, the unexplained among them, the most frequent first."""
    facts = run([row(number, **values) for number, values in enumerate(drawn)])
    losses = counted(facts)

    words = [word for word in causes(facts) if word]
    assert losses.lost == len(words) == sum(one["outcome"] not in ANSWERED for one in drawn)
    assert {one.cause: one.count for one in losses.causes} == Counter(words)
    assert losses.unexplained == words.count(UNEXPLAINED)
    order = [(-one.count, one.cause) for one in losses.causes]
    assert order == sorted(order)
    assert all(one.meaning == MEANINGS[one.cause] for one in losses.causes)


@settings(max_examples=15, deadline=None)
@given(st.lists(rows, min_size=1, max_size=4))
def test_a_cause_is_of_one_request_alone(drawn: list[Row]) -> None:
    """What became of others changes nothing about a request's own evidence."""
    alone = {f"r{number}": cause(values) for number, values in enumerate(drawn)}
    facts = run([row(number, **values) for number, values in enumerate(drawn)])

    assert dict(zip(fates_of(facts).request_id, causes(facts), strict=True)) == alone


@settings(max_examples=60, deadline=None)
@given(rows)
def test_only_the_fault_s_pods_lose_to_it(values: Row) -> None:
    """And nothing does that had ended when it struck, or was sent when the pod was gone."""
    if cause(values) == "fault":
        assert values["pod"] in {"hit", "door-hit"}
        assert values["sent_s"] <= 120.0
        assert values["end_s"] >= STRUCK_S


def test_the_first_of_many_are_cited() -> None:
    """In the order in which they were due."""
    facts = run([row(number, intended_s=10.0 + number) for number in range(30)])
    (only,) = counted(facts).causes

    assert (only.cause, only.count, len(only.request_ids)) == (UNEXPLAINED, 30, REQUEST_IDS_MAX)
    assert only.request_ids[:3] == ("r0", "r1", "r2")


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("pass", set()),
        ("fail-truncated", {"fault"}),
        ("invalid-baseline", {"mesh-FI"}),
        ("killed", {"client-no-row"}),
    ],
)
def test_made_up_runs_lose_requests_to_what_was_made_up(case: str, expected: set[str]) -> None:
    """Streams that a drained engine aborts, an abort filter's refusals, and rows that were never written."""
    assert {one.cause for one in counted(made_facts(case)).causes} == expected


def test_every_cause_has_a_sentence() -> None:
    """Meanings are plain text of one line, none twice."""
    assert all(text and "\n" not in text for text in MEANINGS.values())
    assert len(set(MEANINGS.values())) == len(MEANINGS)
