"""One word for a run: what makes it PASS, FAIL or INCONCLUSIVE."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from tests.golden.case import END_S, FAULT_AT_S
from tests.golden.make_run import made_facts
from tests.unit.changes import is_, requests_where, without_records, without_rows

from sealegs.judgement.verdict import conclude, decide, is_as_expected
from sealegs.scenario.claim import Expect


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
    assert [
        reason.split(":")[0] for reason in verdict.reasons if "spent" in reason or "in a row" in reason
    ] == [
        "recovery",
        "budget",
    ]


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
    order_of_lines = np.arange(len(facts.truth))[::-1]
    shuffled = dataclasses.replace(
        facts, requests=facts.requests.take(order), truth=facts.truth.take(order_of_lines)
    )

    assert json.dumps(decide(shuffled).document) == json.dumps(decide(facts).document)


@pytest.mark.parametrize(
    ("case", "expect", "met"),
    [
        ("pass", Expect(), True),
        ("killed", Expect(verdict="INVALID", reason="run did not finish"), True),
        ("killed", Expect(verdict="INVALID", reason="fault did not land"), False),
        ("killed", Expect(), False),
        ("pass", Expect(verdict="FAIL"), False),
        ("pass", Expect(reason="X"), False),
    ],
)
def test_an_expectation_is_a_verdict_and_a_reason(case: str, expect: Expect, *, met: bool) -> None:
    """A negative control that ends right for the wrong reason has not shown what it is there to show."""
    verdict = decide(made_facts(case))

    assert is_as_expected(verdict.verdict, verdict.reasons, expect) == met


def test_a_run_without_a_fault_is_judged_without_one() -> None:
    """What was claimed of its recovery is undecided; what was not claimed is not in the verdict."""
    facts = without_records(made_facts("pass"), kind="fault")
    plain = dataclasses.replace(facts.scenario, recovery=None, budget=None)

    asked = decide(facts)
    verdict = decide(dataclasses.replace(facts, scenario=plain))

    assert asked.fault is None
    assert asked.recovery is not None
    assert asked.recovery.detail == "no fault was injected, there is nothing to recover from"
    assert (verdict.fault, verdict.recovery, verdict.budget) == (None, None, None)


def test_a_fault_that_did_not_strike_disturbed_nothing() -> None:
    """Bad requests in a row are no outage's then; and no recovery is told that was not asked for."""
    clumped = requests_where(
        made_facts("pass"), lambda r: "r000800" <= r["request_id"] < "r000840", outcome="http_5xx"
    )
    plain = dataclasses.replace(clumped.scenario, recovery=None)
    armed_only = without_records(clumped, kind="fault", state="injected")
    words = {
        facts is clumped: {one.name: one.verdict for one in decide(facts).objectives}["success-run"]
        for facts in (clumped, armed_only)
    }

    assert words == {True: "FAIL", False: "INCONCLUSIVE"}
    assert decide(dataclasses.replace(clumped, scenario=plain)).recovery is None


def test_counts_say_what_became_of_each_request_once() -> None:
    """What was refused or not sent has no end, whatever its row says; a request sent may have none either."""
    changes: dict[str, dict[str, Any]] = {
        "r000010": {"outcome": "cap_refused"},
        "r000011": {"outcome": "never_sent"},
        "r000012": {"outcome": "never_sent"},
        "r000013": {"outcome": "http_5xx", "end_s": None, "attempts": 3},
        "r000014": {"outcome": "cut_fin", "attempts": 2},
        "r000015": {"outcome": "abort"},
        "r000016": {"outcome": "stall"},
    }
    facts = without_rows(
        made_facts("pass"), lambda r: r["request_id"] in {f"r00002{one}" for one in range(5)}
    )
    for request_id, values in changes.items():
        facts = requests_where(facts, is_(request_id), **values)

    counts = decide(facts).counts

    assert counts.pop("tokens_received") > counts.pop("tokens_wasted") > 0
    assert counts == {
        "planned": 1631,
        "sent": 1623,
        "cap_refused": 1,
        "never_sent": 2,
        "finished": 1622,
        "ok": 1619,
        "holes": 5,
        "truncated": 3,
        "attempts": 1629,
        "retried": 2,
        "evictions_granted": 1,
        "evictions_refused": 1,
        "engine_lines": 1631,
    }
