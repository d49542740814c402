"""What makes a client untrustworthy: late, thinned or clumped sends, counts that differ, its own slowness."""

import dataclasses
from typing import Any

import pyarrow as pa
import pytest
from tests.golden.case import END_S, FAULT_AT_S, PODS
from tests.golden.make_run import made_facts
from tests.unit.changes import Change, check, is_, requests_where, with_truth, without_rows

from sealegs.judgement.facts import Facts
from sealegs.judgement.validity.client import LIMITS, Limit
from sealegs.judgement.verdict import decide
from sealegs.scenario.arrivals import Arrivals


def summed_up(facts: Facts, **changes: Any) -> Facts:  # noqa: ANN401 - any number
    """The facts with some of the client's own numbers changed."""
    return dataclasses.replace(facts, load_summary={**(facts.load_summary or {}), **changes})


def sent_in_clumps(facts: Facts) -> Facts:
    """The facts with the sends of each three seconds all moved to their end."""
    rows = [
        one | {"sent_s": max(one["sent_s"], one["intended_s"] // 3 * 3 + 2.9)}
        for one in facts.requests.to_pylist()
    ]
    return dataclasses.replace(facts, requests=pa.Table.from_pylist(rows, schema=facts.requests.schema))


def never_sent(facts: Facts, *ids: str) -> Facts:
    """The facts with requests that their sessions did not come to, in rows and counts."""
    changed = requests_where(facts, lambda r: r["request_id"] in ids, outcome="never_sent", sent_s=None)
    return summed_up(changed, never_sent=len(ids), sent=len(facts.schedule) - len(ids))


INVALIDATING: dict[str, tuple[Change, str]] = {
    "late-sends": (
        lambda f: requests_where(f, lambda r: r["request_id"] > "r001560", sent_s=END_S),
        "lag-p99",
    ),
    "sent-before-its-time": (
        lambda f: requests_where(f, is_("r000900"), sent_s=FAULT_AT_S),
        "sent-early",
    ),
    "hole": (lambda f: without_rows(f, is_("r000900")), "planned-sent"),
    "cap-in-baseline": (
        lambda f: requests_where(f, is_("r000300"), outcome="cap_refused", sent_s=None),
        "planned-sent",
    ),
    "client-miscounts": (
        lambda f: dataclasses.replace(f, load_summary={**(f.load_summary or {}), "sent": 1}),
        "counts-reconcile",
    ),
    "row-twice": (
        lambda f: dataclasses.replace(f, requests=pa.concat_tables([f.requests, f.requests.slice(0, 1)])),
        "counts-reconcile",
    ),
    "row-of-nobody": (lambda f: requests_where(f, is_("r000900"), request_id="r999999"), "counts-reconcile"),
    "moved": (lambda f: requests_where(f, is_("r000900"), intended_s=50.0), "counts-reconcile"),
    "engine-log-lost": (
        lambda f: with_truth(f, lambda line: None if line["pod"] == PODS[0] else line),
        "engines-agree",
    ),
    "no-engine-log": (lambda f: with_truth(f, lambda _: None), "engines-agree"),
    "tokens-differ": (lambda f: requests_where(f, is_("r000900"), tokens_received=3), "engines-agree"),
    "late-by-habit": (
        lambda f: requests_where(f, lambda r: r["request_id"] > "r000700", sent_s=END_S),
        "lag-p50",
    ),
    "a-phase-thinned": (
        lambda f: requests_where(f, lambda r: "r000600" < r["request_id"] < "r000620", sent_s=END_S),
        "rate-kept",
    ),
    "clumped": (sent_in_clumps, "arrivals-poisson"),
    "never-sent-in-baseline": (lambda f: never_sent(f, "r000300"), "planned-sent"),
    "client-plans-more": (lambda f: summed_up(f, planned=1), "counts-reconcile"),
    "client-forgets-attempts": (lambda f: summed_up(f, sent_again=2), "counts-reconcile"),
    "attempt-without-its-line": (lambda f: requests_where(f, is_("r000900"), attempts=2), "counts-reconcile"),
    "client-forgets-refusals": (lambda f: summed_up(f, cap_refused=3), "counts-reconcile"),
    "no-canary-of-one-process": (lambda f: summed_up(f, canaries_taken=False), "canary-before"),
}


@pytest.mark.parametrize("case", INVALIDATING)
def test_a_client_that_cannot_be_trusted_is_invalid(case: str) -> None:
    """Each check can go red by itself, says so as a reason, and the run is then no PASS."""
    change, name = INVALIDATING[case]

    verdict = decide(change(made_facts("pass")))

    assert not check(verdict, name)
    assert verdict.verdict == "INVALID"
    assert any(one.detail in verdict.reasons for one in verdict.validity.checks if one.name == name)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_each_of_the_clients_own_numbers_has_a_limit(limit: Limit) -> None:
    """At the limit it is accepted, above it or unmeasured it is not: what nobody measured is never a pass."""
    facts = made_facts("pass")

    assert check(decide(summed_up(facts, **{limit.key: limit.most})), limit.name)
    assert not check(decide(summed_up(facts, **{limit.key: limit.most + 1e-6})), limit.name)
    assert not check(decide(summed_up(facts, **{limit.key: None})), limit.name)


def test_a_summary_from_before_a_check_existed_fails_it() -> None:
    """Evidence without a number is evidence that nobody measured it."""
    old = {key: one for key, one in (made_facts("pass").load_summary or {}).items() if "canary" not in key}

    verdict = decide(dataclasses.replace(made_facts("pass"), load_summary=old))

    assert verdict.verdict == "INVALID"
    assert "the client cannot be trusted: canary-after was not measured" in verdict.reasons


def test_only_what_should_be_poisson_is_tested_for_it() -> None:
    """A metronome's gaps are all alike, as they were asked to be."""
    facts = sent_in_clumps(made_facts("pass"))
    traffic = dataclasses.replace(facts.scenario.traffic, arrivals=Arrivals(kind="constant"))
    scenario = dataclasses.replace(facts.scenario, traffic=traffic)

    names = [one.name for one in decide(dataclasses.replace(facts, scenario=scenario)).validity.checks]

    assert "arrivals-poisson" not in names


def test_a_plan_that_looks_uneven_itself_is_no_fault_of_the_sending() -> None:
    """One seed in a thousand draws one; without this its scenario could never be judged."""
    facts = sent_in_clumps(made_facts("pass"))
    column = facts.schedule.schema.get_field_index("intended_s")
    clumped = pa.array(facts.schedule["intended_s"].to_numpy() // 3 * 3 + 2.9)

    uneven = dataclasses.replace(facts, schedule=facts.schedule.set_column(column, "intended_s", clumped))

    assert "arrivals-poisson" in [one.name for one in decide(facts).validity.checks]
    assert "arrivals-poisson" not in [one.name for one in decide(uneven).validity.checks]


def test_a_cap_refusal_under_the_fault_is_bad_and_not_invalid() -> None:
    """Once a fault stands, a full client is the system's doing: the request counts against it."""
    facts = made_facts("pass")
    late = {one["request_id"] for one in facts.requests.to_pylist() if 95 < one["intended_s"] < 115}
    changed = requests_where(facts, lambda r: r["request_id"] in late, outcome="cap_refused", sent_s=None)

    verdict = decide(summed_up(changed, sent=len(facts.schedule) - len(late), cap_refused=len(late)))

    assert verdict.validity.valid
    assert verdict.verdict == "FAIL"
    assert verdict.counts["planned"] == verdict.counts["sent"] + verdict.counts["cap_refused"]


def test_what_the_client_broke_off_needs_no_engine_to_confirm_it() -> None:
    """It read one token and hung up as planned; the engine may have written more, and calls it aborted."""
    facts = made_facts("pass")
    ids = {one["request_id"] for one in facts.requests.to_pylist()[::3]}
    changed = requests_where(facts, lambda r: r["request_id"] in ids, outcome="cancelled", tokens_received=1)
    aborted = with_truth(changed, lambda one: {**one, "finish": "abort"} if one["request_id"] in ids else one)

    verdict = decide(aborted)

    assert verdict.validity.valid
    assert verdict.verdict == "PASS"


def test_a_turn_that_load_did_not_come_to_is_bad_and_not_invalid() -> None:
    """The answers before it were too slow for it: it counts against the system, and planned still adds up."""
    facts = made_facts("pass")
    late = [one["request_id"] for one in facts.requests.to_pylist() if one["intended_s"] > END_S - 10]

    verdict = decide(never_sent(facts, *late))

    assert verdict.validity.valid
    assert verdict.verdict == "FAIL"
    assert verdict.counts["planned"] == verdict.counts["sent"] + verdict.counts["never_sent"]
