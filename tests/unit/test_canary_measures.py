"""What a canary release met, out of made evidence: a weight of 20 % from 105 to 125 s, gone by 130 s."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from tests.unit import lost_requests
from tests.unit.lost_requests import STRUCK_S, Row, pod, struck

from sealegs.judgement.facts import fault_story
from sealegs.judgement.fates import fates_of
from sealegs.judgement.in_flight import InFlight
from sealegs.judgement.measures import MEASURES
from sealegs.judgement.measures.canary import PUSHED_S
from sealegs.judgement.measures.measured import Measured
from sealegs.judgement.situation import Situation
from sealegs.judgement.stats import good_share_bounds
from sealegs.scenario.claim import Bound

LANDED_S, UNDONE_S, GONE_S = STRUCK_S + 5, STRUCK_S + 25, STRUCK_S + 30


def state(name: str, t_s: float, **target: object) -> Row:
    """The release has reached a state: whose streams must not notice, and which of them are the canary."""
    known = {"pods": ["hit", "other"], "canary": ["hit"], **target}
    return struck() | {"t_s": t_s, "fault": "canary", "state": name, "target": known}


def release(weight: float = 20) -> tuple[Row, ...]:
    """The timeline of a release with this weight, whose canary is bad before and after its rollback."""
    moments = {"injected": STRUCK_S, "landed": LANDED_S, "undone": UNDONE_S, "gone": GONE_S}
    bad = {"fault": "engine_answers", "target": {"pods": ["hit"]}}
    return (
        {"t_s": 10.0, "kind": "phase", "name": "baseline"},
        *(pod(11.0, name) for name in ("hit", "other")),
        {"t_s": 99.0, "kind": "phase", "name": "fault"},
        *(state(name, t_s, weight=weight) for name, t_s in moments.items() if t_s <= LANDED_S),
        state("landed", LANDED_S + 10) | bad,
        *(state(name, t_s, weight=weight) for name, t_s in moments.items() if t_s > LANDED_S),
        state("undone", GONE_S + 10) | bad,
        # Looked at again when all is over.
        state("gone", GONE_S + 20, weight=weight),
    )


def until(state: str) -> tuple[Row, ...]:
    """The timeline of a release that did not come to this state."""
    records = release()
    return records[: next(at for at, one in enumerate(records) if one.get("state") == state)]


def measured(
    measure: str,
    sent: Iterable[tuple[float, str]],
    *,
    timeline: Sequence[Row] = release(),
    at_least: float | None = None,
    **changes: Any,  # noqa: ANN401 - any column
) -> Measured:
    """A measure, where requests were sent at these times and answered by these pods."""
    rows = [
        lost_requests.row(
            number,
            intended_s=sent_s,
            sent_s=sent_s,
            end_s=sent_s + 1,
            pod=name or None,
            **{"outcome": "ok", **changes},
        )
        for number, (sent_s, name) in enumerate(sent)
    ]
    facts = lost_requests.run(rows, timeline=timeline)
    situation = Situation(facts=facts, fates=fates_of(facts), story=fault_story(facts), in_flight=InFlight())
    return MEASURES[measure](situation, Bound(name="b", measure=measure, at_least=at_least))


def split(hit: int, other: int) -> list[tuple[float, str]]:
    """So many requests for each, all sent at the weight."""
    return [(LANDED_S + 1, "hit")] * hit + [(LANDED_S + 1, "other")] * other


@settings(max_examples=40, deadline=None)
@given(hit=st.integers(0, 60), other=st.integers(0, 240), weight=st.integers(1, 99))
def test_the_p_value_is_twice_the_smaller_exact_tail(hit: int, other: int, weight: int) -> None:
    """As scipy's own binomial test has its one-sided tails."""
    if hit + other == 0:
        return
    found = measured("weight-p-value", split(hit, other), timeline=release(weight)).value
    tails = [
        binomtest(hit, hit + other, weight / 100, alternative=side).pvalue for side in ("less", "greater")
    ]

    assert found == pytest.approx(min(1.0, 2 * min(tails)), rel=1e-9, abs=1e-300)


@settings(max_examples=40, deadline=None)
@given(hit=st.integers(1, 60), other=st.integers(1, 240))
def test_a_p_value_below_alpha_is_a_weight_outside_of_clopper_and_pearson(hit: int, other: int) -> None:
    """The bound's limit of 0.001 is the interval of 99.9 %: half of the rest on each side."""
    found = measured("weight-p-value", split(hit, other)).value
    interval = good_share_bounds(n=hit + other, bad=other, confidence=1 - 0.001 / 2)

    assert found is not None
    assert (found >= 0.001) == (interval.low <= 0.2 <= interval.high)


@pytest.mark.parametrize(
    ("hit", "kept"), [(0, False), (37, False), (38, True), (60, True), (84, True), (85, False)]
)
def test_three_hundred_requests_may_be_split_as_the_scenario_says(hit: int, *, kept: bool) -> None:
    """13 to 28 %: none of an empty subset, and half of a subset that stable pods share, are far outside."""
    found = measured("weight-p-value", split(hit, 300 - hit))

    assert found.value is not None
    assert (found.value >= 0.001) is kept
    assert found.detail == f"{hit} of 300 requests, {hit / 300:.1%}, went to a canary with a weight of 20 %"


@pytest.mark.parametrize(
    ("hit", "sent", "known"),
    [(0, 34, False), (7, 34, False), (0, 35, True), (7, 35, True), (4, 4, False), (5, 5, True)],
)
def test_a_split_passes_only_where_one_could_fail(hit: int, sent: int, *, known: bool) -> None:
    """At 20 % none of 34 is as likely as 0.001: of so few a bound of that would let too few pass, too.

    What the bound does not allow is a counter-example, of however few.
    """
    found = measured("weight-p-value", split(hit, sent - hit), at_least=0.001)

    assert (found.value is not None) == known
    assert known or f"{hit} of {sent} requests" in found.detail


def test_a_split_by_a_weight_near_all_or_nothing_takes_many() -> None:
    """Nearly all are to go there: that none does would show soon, and that all do would not."""
    assert measured("weight-p-value", split(5, 0), timeline=release(95), at_least=0.001).value is None
    assert measured("weight-p-value", split(1, 0)).value is not None


def test_only_what_was_sent_at_the_weight_counts() -> None:
    """From landed to undone, and with an engine's name: an error of the canary's has one too."""
    outside = [(LANDED_S - 0.1, "hit"), (UNDONE_S, "hit"), (LANDED_S + 1, "")]
    sent = [(LANDED_S, "hit"), (UNDONE_S - 0.1, "other"), *outside]

    assert measured("weight-p-value", sent, outcome="http_5xx", status=503).detail.startswith(
        "1 of 2 requests"
    )
    assert measured("weight-p-value", outside).value is None
    assert measured("weight-p-value", sent, timeline=until("landed")).value is None
    plain = [one for one in release() if "weight" not in one.get("target", {})]
    assert measured("weight-p-value", sent, timeline=plain).value is None


def test_after_the_rollback_each_request_counts() -> None:
    """From its push on, whoever saw it late; not those that were sent before, however late they end."""
    over_s = UNDONE_S + PUSHED_S
    sent = [(over_s - 0.5, "hit"), (over_s, "hit"), (over_s + 5, "hit"), (over_s + 6, "other")]
    found = measured("after-rollback", sent)

    assert (found.value, found.request_ids) == (2, ("r1", "r2"))
    assert measured("after-rollback", sent[3:]).value == 0
    assert measured("after-rollback", sent[:1]).value is None
    assert measured("after-rollback", sent, timeline=until("undone")).value is None


def test_what_the_canary_was_writing_at_its_rollback_may_be_cut() -> None:
    """Open there then, and cut; not what had ended, came later, was of others, or was refused."""
    others = [(UNDONE_S - 1.5, "hit"), (UNDONE_S + 0.1, "hit"), (UNDONE_S - 0.5, "other")]
    sent = [(UNDONE_S - 0.5, "hit"), (UNDONE_S - 0.2, "hit"), *others]
    found = measured("cut-by-rollback", sent, outcome="cut_rst")

    assert (found.value, found.request_ids) == (2, ("r0", "r1"))
    assert found.detail == "of 2 answers of the canary at its rollback 2 were cut"
    for whole in ("ok", "http_5xx"):
        assert measured("cut-by-rollback", sent, outcome=whole).value == 0
    assert measured("cut-by-rollback", others, outcome="cut_rst").value is None
    assert measured("cut-by-rollback", sent, timeline=until("undone")).value is None
    assert measured("cut-by-rollback", sent, timeline=release()[:3]).value is None


@pytest.mark.parametrize(("status", "outcome"), [(503, "http_5xx"), (404, "http_4xx"), (429, "http_429")])
def test_who_is_refused_without_a_name_met_nobody(status: int, outcome: str) -> None:
    """An engine that refuses says who it is."""
    sent = [(50.0, "other"), (LANDED_S, ""), (GONE_S, "")]
    body: Row = {"outcome": outcome, "status": status, "outcome_detail": "no healthy upstream"}
    found = measured("unserved", sent, **body)

    assert (found.value, found.request_ids) == (2, ("r1", "r2"))
    assert found.detail == "of 3 requests 2 were refused without an engine's name (2 mesh-UH)"


def test_silence_is_no_refusal() -> None:
    """A request without a name that was not refused is another matter, and no request at all is no zero."""
    assert measured("unserved", [(50.0, ""), (LANDED_S, "")], outcome="deadline_first_token").value == 0
    assert measured("unserved", [(5.0, "")], timeline=release()[1:2]).value is None
