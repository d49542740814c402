"""Numbers about a fault: what it did to requests, when it was where, and how often it had to wait."""

from typing import Any

import pytest
from tests.golden.case import INJECTED_S, VICTIM
from tests.golden.make_run import made_facts
from tests.unit import lost_requests
from tests.unit.changes import with_record, without_records
from tests.unit.lost_requests import KILLED, STRUCK_S, Row, pod, struck

from sealegs.judgement.facts import Facts, fault_story
from sealegs.judgement.fates import fates_of
from sealegs.judgement.in_flight import InFlight
from sealegs.judgement.measures import MEASURES
from sealegs.judgement.measures.measured import Measured
from sealegs.judgement.situation import Situation
from sealegs.record_shape import is_timeline
from sealegs.scenario.claim import Bound


def measured(facts: Facts, measure: str, *, at_most: float | None = None) -> Measured:
    """One measure of a run, for a bound with that limit."""
    situation = Situation(facts=facts, fates=fates_of(facts), story=fault_story(facts), in_flight=InFlight())
    return MEASURES[measure](situation, Bound(name="b", measure=measure, at_most=at_most))


def run(*requests: Row, **parts: Any) -> Facts:  # noqa: ANN401 - any part
    """A run of these requests whose fault strikes `hit` and `door-hit` at `STRUCK_S`."""
    rows = [lost_requests.row(number, **one) for number, one in enumerate(requests)]
    return lost_requests.run(rows, **parts)


def answer(sent_s: float, end_s: float | None, *, at: str = "hit", outcome: str = "ok") -> Row:
    """A request that was open between these times on a pod."""
    return {"intended_s": sent_s, "sent_s": sent_s, "end_s": end_s, "pod": at, "outcome": outcome}


OPEN = answer(STRUCK_S - 5, STRUCK_S + 12.5)


@pytest.mark.parametrize(
    ("requests", "value"),
    [
        ([OPEN], 12.5),
        ([OPEN, answer(STRUCK_S - 1, STRUCK_S + 3)], 12.5),
        # Open elsewhere, over before, begun after: not its.
        ([OPEN, answer(STRUCK_S - 5, STRUCK_S + 90, at="other")], 12.5),
        ([OPEN, answer(STRUCK_S - 9, STRUCK_S - 1)], 12.5),
        ([OPEN, answer(STRUCK_S + 1, STRUCK_S + 90)], 12.5),
        # Cut answers are no drained ones, and where all are cut nothing was drained.
        ([OPEN, answer(STRUCK_S - 5, STRUCK_S + 30, outcome="cut_rst")], 12.5),
        ([answer(STRUCK_S - 5, STRUCK_S + 30, outcome="cut_rst")], 0.0),
        # Nobody saw its end.
        ([answer(STRUCK_S - 5, None, outcome="stall")], 0.0),
        ([answer(STRUCK_S - 5, STRUCK_S + 90, at="other")], None),
        ([answer(STRUCK_S - 9, STRUCK_S - 1)], None),
    ],
)
def test_the_longest_drained_stream(requests: list[Row], value: float | None) -> None:
    """The last whole answer of those that were open on the fault's pods when it struck, from then on."""
    assert measured(run(*requests), "longest-drained-stream-s").value == value


def test_the_longest_drained_stream_is_named() -> None:
    """The request that the number is of, and not another that was whole too."""
    facts = run(answer(STRUCK_S - 1, STRUCK_S + 3), OPEN)

    assert measured(facts, "longest-drained-stream-s").request_ids == ("r1",)


def test_losses_on_the_target_are_not_beyond_it() -> None:
    """What was open on the fault's pods when it struck is theirs; elsewhere, and later, it is not."""
    facts = run(
        answer(STRUCK_S - 5, STRUCK_S + 1, outcome="cut_rst"),
        answer(STRUCK_S - 5, STRUCK_S + 1, at="other", outcome="cut_rst"),
        answer(STRUCK_S + 60, STRUCK_S + 61, outcome="http_5xx"),
        answer(STRUCK_S - 50, STRUCK_S - 40, at="other", outcome="cut_rst"),
        answer(STRUCK_S + 1, STRUCK_S + 2, at="other"),
    )

    found = measured(facts, "lost-beyond-target")
    assert (found.value, found.request_ids) == (2, ("r1", "r2"))
    assert found.detail.startswith("of 3 requests lost since injection 2 beyond the fault's pods (")


def test_new_requests_are_unharmed_after_the_last_that_was_lost() -> None:
    """Only requests due after injection count, and only lost ones."""
    facts = run(
        answer(STRUCK_S - 5, STRUCK_S + 40, outcome="cut_rst"),
        answer(STRUCK_S + 2, STRUCK_S + 3, outcome="http_5xx"),
        answer(STRUCK_S + 4.5, STRUCK_S + 9, at="other", outcome="http_429"),
        answer(STRUCK_S + 20, STRUCK_S + 21, at="other"),
    )

    found = measured(facts, "unharmed-after-s")
    assert (found.value, found.request_ids) == (4.5, ("r1", "r2"))


def test_no_loss_after_injection_is_none_at_all() -> None:
    """0 when all later requests were answered; None when there was none that could have been lost."""
    later = answer(STRUCK_S + 1, STRUCK_S + 2, at="other")

    assert measured(run(OPEN, later), "unharmed-after-s").value == 0.0
    assert measured(run(OPEN), "unharmed-after-s").value is None


@pytest.mark.parametrize(
    "measure",
    [
        "longest-drained-stream-s",
        "lost-beyond-target",
        "unharmed-after-s",
        "landed-s",
        "ready-again-s",
        "target-gone-s",
    ],
)
def test_without_an_injection_nothing_is_measured(measure: str) -> None:
    """A run whose fault was only armed has no number that begins with its injection."""
    facts = run(OPEN, timeline=(pod(1.0, "hit"),))

    assert measured(facts, measure).value is None


def test_a_fault_landed_so_long_after_its_injection() -> None:
    """By the timeline's own records of its states."""
    facts = made_facts("pass")
    story = fault_story(facts)

    assert story is not None
    assert story.landed_s is not None
    assert measured(facts, "landed-s").value == story.landed_s - INJECTED_S
    assert measured(made_facts("invalid-not-landed"), "landed-s").value is None


def test_the_last_of_the_targets_pods_ends_it() -> None:
    """Both were seen deleted 20 s after; one that was not took longer than was watched."""
    facts = with_record(run(OPEN), **pod(150.0, "other", event="deleted"))
    left = without_records(facts, name="hit", event="deleted")

    assert measured(facts, "target-gone-s").value == 20.0
    assert measured(with_record(left, **pod(141.0, "hit", event="deleted")), "target-gone-s").value == 41.0
    assert measured(left, "target-gone-s").value is None
    assert "hit" in measured(left, "target-gone-s").detail
    watched_s = left.seen_until_s - STRUCK_S
    assert measured(left, "target-gone-s", at_most=watched_s - 1).value == pytest.approx(watched_s)


def test_ready_again_is_when_the_faults_pods_are_made_up_for() -> None:
    """Killed after 1 s, ready after 12; what is not took longer than was watched; nobody away, nothing."""
    dead = (pod(1.0, "hit"), struck(), pod(STRUCK_S + 1, "hit", **KILLED))
    back = (*dead, pod(STRUCK_S + 12, "hit", restarts=1))
    never = run(OPEN, timeline=(*dead, pod(STRUCK_S + 40, "other")))

    assert measured(run(OPEN, timeline=back), "ready-again-s").value == pytest.approx(12.0)
    assert measured(never, "ready-again-s", at_most=30.0).value == pytest.approx(
        never.seen_until_s - STRUCK_S
    )
    assert measured(never, "ready-again-s", at_most=1e6).value is None
    assert measured(run(OPEN, timeline=dead[:2]), "ready-again-s").value is None


def test_evictions_refused_are_counted_with_their_budget() -> None:
    """Of the bound's app alone; without any eviction nothing was put to the test."""
    facts = made_facts("pass")
    refusal = {
        "kind": "eviction",
        "pod": VICTIM,
        "status": 429,
        "pdb": "llm-inference",
        "uid": "u",
        "message": "",
    }
    before = measured(facts, "evictions-refused").value
    refused = measured(with_record(facts, t_s=INJECTED_S + 1, **refusal), "evictions-refused")
    elsewhere = measured(
        with_record(facts, t_s=INJECTED_S + 1, **refusal | {"pod": "x"}), "evictions-refused"
    )

    assert before is not None
    assert (refused.value, elsewhere.value) == (before + 1, before)
    assert refused.detail.endswith("by budget llm-inference")
    assert measured(without_records(facts, kind="eviction"), "evictions-refused").value is None


def watched(**serving: str) -> Facts:
    """A run whose pods were watched until 4 s after a configuration had changed."""
    told = {"kind": "config_watched", "serving": serving, "wanted": "new"}
    return with_record(run(OPEN), t_s=STRUCK_S + 4, **told)


@pytest.mark.parametrize(
    ("b", "at_most", "value", "told"),
    [
        ("new", 15.0, 4.0, "served by all of 2 pods"),
        ("old", 3.0, 4.0, "not yet served by b"),
        # Watched for too short a time: it may still have been in time, or not.
        ("old", 15.0, None, "not yet served by b"),
        ("old", None, None, "not yet served by b"),
    ],
)
def test_a_reload_lasts_until_the_last_pod_has_it(
    b: str, at_most: float | None, value: float | None, told: str
) -> None:
    """Where one has not it took longer than it was watched, which is a number beyond the limit only."""
    found = measured(watched(a="new", b=b), "reload-s", at_most=at_most)

    assert (found.value, found.detail) == (value, f"{told} 4.0 s after injection")


@pytest.mark.parametrize("facts", [run(OPEN), watched()], ids=["unwatched", "no pod"])
def test_what_nobody_watched_was_not_reloaded(facts: Facts) -> None:
    """Neither late nor in time."""
    assert measured(facts, "reload-s").value is None


@pytest.mark.parametrize(("serving", "fits"), [({"a": "new"}, True), (["a"], False), ("new", False)])
def test_what_pods_were_seen_to_serve_is_a_table(serving: object, *, fits: bool) -> None:
    """A record of another shape is damage, and no measure has to cope with it."""
    record = {"t_s": 1.0, "kind": "config_watched", "serving": serving, "wanted": "new"}

    assert is_timeline(record) == fits
