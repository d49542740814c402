"""One word for a run: what makes it PASS, FAIL or INCONCLUSIVE."""

import dataclasses
import json

import numpy as np
import pytest
from tests.golden.case import END_S, FAULT_AT_S
from tests.golden.make_run import made_facts
from tests.unit.changes import requests_where

from sealegs.scenario import Expect
from sealegs.verdict import conclude, decide, is_as_expected


def test_the_run_that_all_others_differ_from_passes() -> None:
    """Otherwise nothing below shows anything."""
    verdict = decide(made_facts("pass"))

    assert (verdict.verdict, verdict.reasons, verdict.exit_code) == ("PASS", (), 0)
    assert verdict.fault is not None
    assert verdict.fault.in_flight_at_injection.decode >= 1


def test_all_requests_failed_is_not_a_good_latency() -> None:
    """A load tool passed p99 0 ms of 5,999 failures; goodput over survivors would say 100 %."""
    facts = requests_where(
        made_facts("pass"), lambda r: r["intended_s"] > FAULT_AT_S, outcome="http_5xx", first_token_s=None
    )

    verdict = decide(facts)

    assert verdict.verdict == "FAIL"
    assert {one.name: one.verdict for one in verdict.objectives if one.phase == "fault"} == {
        "success-fault": "FAIL",
        "ttft-fault": "FAIL",
    }
    assert all(one.request_ids for one in verdict.objectives if one.verdict == "FAIL")
    assert verdict.recovery is not None
    assert (verdict.recovery.verdict, verdict.recovery.recovery_s) == ("FAIL", None)


def test_no_requests_are_never_a_pass() -> None:
    """Nothing planned, nothing sent, nothing wrong: and nothing shown."""
    facts = made_facts("pass")
    empty = dataclasses.replace(
        facts,
        schedule=facts.schedule.slice(0, 0),
        requests=facts.requests.slice(0, 0),
        load_summary={"planned": 0, "sent": 0},
    )

    verdict = decide(empty)

    assert verdict.verdict == "INVALID"
    assert {one.verdict for one in verdict.objectives} == {"INCONCLUSIVE"}


def test_too_few_requests_are_inconclusive_and_say_how_many_more() -> None:
    """A fault phase of a few seconds shows nothing at 95 %."""
    verdict = decide(made_facts("inconclusive-thin"))

    assert (verdict.verdict, verdict.exit_code) == ("INCONCLUSIVE", 2)
    assert any("more good requests would have decided it" in reason for reason in verdict.reasons)


def test_requests_that_went_bad_together_are_inconclusive_and_say_what_they_are_worth() -> None:
    """Six in a row after a fault: the exact rule alone would pass them."""
    facts = requests_where(
        made_facts("pass"), lambda r: "r000800" <= r["request_id"] < "r000806", first_token_s=END_S
    )

    verdict = decide(facts)

    assert verdict.verdict == "INCONCLUSIVE"
    assert verdict.reasons == (
        "ttft-fault: 6 bad of 290, target 0.95; clumped: worth about 47 independent requests",
    )


def test_claiming_nothing_is_not_a_pass() -> None:
    """As a test runner exits 0 when all is skipped; a verdict without a claim is INCONCLUSIVE."""
    assert conclude((), (), (), None)[0] == "INCONCLUSIVE"


def test_the_order_of_evidence_changes_nothing() -> None:
    """Same facts in another order, same verdict."""
    facts = made_facts("fail-truncated")
    order = np.random.default_rng(1).permutation(len(facts.requests))
    shuffled = dataclasses.replace(facts, requests=facts.requests.take(order), truth=facts.truth[::-1])

    assert json.dumps(decide(shuffled).document) == json.dumps(decide(facts).document)


@pytest.mark.parametrize(
    ("case", "expect", "met"),
    [
        ("pass", Expect(), True),
        ("killed", Expect(verdict="INVALID", reason="run did not finish"), True),
        ("killed", Expect(verdict="INVALID", reason="fault did not land"), False),
        ("killed", Expect(), False),
        ("pass", Expect(verdict="FAIL"), False),
    ],
)
def test_an_expectation_is_a_verdict_and_a_reason(case: str, expect: Expect, *, met: bool) -> None:
    """A negative control that ends right for the wrong reason has not shown what it is there to show."""
    assert is_as_expected(decide(made_facts(case)), expect) == met
