"""What one counter-example refutes, and what was not even put to the test."""

import dataclasses

import pyarrow as pa
import pytest
from tests.golden.case import END_S, INJECTED_S, PODS, VICTIM
from tests.golden.make_run import made_facts
from tests.unit.changes import (
    Change,
    invariant,
    is_,
    requests_where,
    samples_where,
    with_record,
    with_row,
    with_truth,
    without_records,
)

from sealegs.judgement.fates import fates_of
from sealegs.judgement.verdict import decide


@pytest.mark.parametrize("outcome", ["cut_fin", "cut_rst", "no_finish", "abort", "stall", "error_event"])
@pytest.mark.parametrize("valid", [True, False])
def test_one_truncated_stream_fails_any_run(outcome: str, *, valid: bool) -> None:
    """A counter-example stays one in a run that is INVALID for other reasons, and is cited by id."""
    facts = requests_where(made_facts("pass"), is_("r000900"), outcome=outcome)
    if not valid:
        facts = without_records(facts, kind="phase", name="end")

    verdict = decide(facts)

    assert (verdict.verdict, verdict.exit_code) == ("FAIL", 1)
    assert "r000900" in verdict.reasons[0]
    assert invariant(verdict, "no-truncated-stream") == ("FAIL", ("r000900",))


def test_one_foreign_token_fails_any_run() -> None:
    """A token of somebody else's answer is never noise."""
    verdict = decide(requests_where(made_facts("pass"), is_("r000900"), outcome="bad_token"))

    assert verdict.verdict == "FAIL"
    assert invariant(verdict, "no-foreign-token") == ("FAIL", ("r000900",))


def test_ready_replicas_below_the_budget_fail() -> None:
    """One sample with fewer ready than the budget asks for is enough, after the baseline began."""
    low = {"llm-inference": 1, "llm-api": 2}

    during = decide(samples_where(made_facts("pass"), lambda s: int(s["t_s"]) == 100, ready=low))
    before = decide(samples_where(made_facts("pass"), lambda s: int(s["t_s"]) == 15, ready=low))

    assert invariant(during, "pdb-honoured")[0] == "FAIL"
    assert invariant(before, "pdb-honoured")[0] == "PASS"


COUNTER_EXAMPLES: dict[str, Change] = {
    "in-a-second-row": lambda f: with_row(f, "r000900", outcome="abort"),
    "of-nobody": lambda f: with_row(f, "r000900", request_id="r999999", outcome="abort"),
    "without-a-plan": lambda f: dataclasses.replace(
        requests_where(f, is_("r000900"), outcome="abort"), schedule=f.schedule.slice(0, 0)
    ),
}


@pytest.mark.parametrize("case", COUNTER_EXAMPLES)
def test_a_counter_example_needs_no_plan(case: str) -> None:
    """What was seen was seen, also where rows and schedule do not fit each other."""
    verdict = decide(COUNTER_EXAMPLES[case](made_facts("pass")))

    assert not verdict.validity.valid
    assert verdict.verdict == "FAIL"
    assert invariant(verdict, "no-truncated-stream")[0] == "FAIL"


@pytest.mark.parametrize("name", ["no-truncated-stream", "no-foreign-token"])
def test_what_left_no_row_may_have_violated_it(name: str) -> None:
    """Nobody knows how the streams ended that a killed run had in flight."""
    assert invariant(decide(made_facts("killed")), name)[0] == "INCONCLUSIVE"


def test_a_dip_between_two_samples_is_seen_by_the_budget_itself() -> None:
    """Kubernetes' own count of healthy pods is a witness too, and not once a second."""
    dip = {"kind": "pdb", "name": "llm-api", "app": "llm-api", "current_healthy": 0, "desired_healthy": 1}

    during = decide(with_record(made_facts("pass"), t_s=100.5, **dip))
    before = decide(with_record(made_facts("pass"), t_s=15.5, **dip))

    assert invariant(during, "pdb-honoured")[0] == "FAIL"
    assert invariant(before, "pdb-honoured")[0] == "PASS"


def test_what_happens_after_the_end_is_not_the_systems_doing() -> None:
    """A stack that is taken away when its run has ended honoured its budgets."""
    facts = made_facts("pass")
    last = {**facts.samples[-1], "t_s": END_S + 1, "ready": {"llm-inference": 0, "llm-api": 0}}

    verdict = decide(dataclasses.replace(facts, samples=(*facts.samples, last)))

    assert invariant(verdict, "pdb-honoured")[0] == "PASS"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("pdb-honoured", lambda f: without_records(f, kind="eviction")),
        ("pdb-honoured", lambda f: without_records(f, kind="pdb")),
        ("pdb-honoured", lambda f: samples_where(f, lambda _: True, ready={"llm-inference": 3})),
        ("no-truncated-stream", lambda f: without_records(f, kind="fault", state="landed")),
        (
            "no-truncated-stream",
            lambda f: with_truth(
                requests_where(f, lambda r: r["pod"] == VICTIM, pod=None),
                lambda line: None if line["pod"] == VICTIM else line,
            ),
        ),
        ("no-foreign-token", lambda f: requests_where(f, lambda _: True, tokens_received=0)),
    ],
)
def test_what_nothing_could_have_violated_is_not_a_pass(name: str, change: Change) -> None:
    """No eviction, no budget, no sample, no stream in flight at the fault, no token: INCONCLUSIVE."""
    assert invariant(decide(change(made_facts("pass"))), name)[0] == "INCONCLUSIVE"


def test_in_flight_is_told_by_stage_from_the_engines_logs() -> None:
    """Queued, in prefill, decoding, at the moment of injection, on the pods that were hit."""
    facts = made_facts("pass")
    at_s = INJECTED_S + facts.run["started_monotonic_ns"] / 1e9
    line = {"request_id": "x", "pod": VICTIM, "received_s": at_s - 1, "end_s": at_s + 1, "tokens": 1}
    lines = [
        {**line, "admitted_s": at_s + 0.5, "first_token_s": at_s + 0.6},
        {**line, "admitted_s": None, "first_token_s": None},
        {**line, "admitted_s": at_s - 0.5, "first_token_s": at_s + 0.6},
        {**line, "admitted_s": at_s - 0.5, "first_token_s": at_s - 0.4},
        {**line, "admitted_s": at_s - 0.5, "first_token_s": at_s - 0.4, "pod": PODS[0]},
        {**line, "admitted_s": at_s - 0.5, "first_token_s": at_s - 0.4, "end_s": at_s - 0.1},
    ]
    truth = pa.Table.from_pylist(lines, schema=facts.truth.schema)
    elsewhere = requests_where(facts, lambda row: row["pod"] == VICTIM, pod=None)

    verdict = decide(dataclasses.replace(elsewhere, truth=truth))

    assert verdict.fault is not None
    assert dataclasses.astuple(verdict.fault.in_flight_at_injection) == (2, 1, 1)


@pytest.mark.parametrize("owned", [True, False])
def test_a_fault_of_what_answers_nothing_itself_meets_every_stream(*, owned: bool) -> None:
    """As of a gateway or a control plane: all that is being answered is at stake, and so are invariants."""
    facts = made_facts("pass")
    aimed = dataclasses.replace(facts, run={**facts.run, "cluster": {"owned": owned}})
    for record in list(facts.of_kind("fault")):
        aimed = without_records(aimed, kind="fault", state=record["state"])
        aimed = with_record(aimed, **{**record, "target": {"api_server": True, "every_stream": True}})
    fates = fates_of(facts)
    open_then = int(((fates.sent_s <= INJECTED_S) & (fates.end_s > INJECTED_S)).sum())
    verdict, before = decide(aimed), decide(facts)

    assert verdict.fault is not None
    assert before.fault is not None
    assert before.fault.in_flight_at_injection.total < verdict.fault.in_flight_at_injection.total == open_then
    assert invariant(verdict, "no-truncated-stream")[0] == "PASS"


def test_on_a_foreign_cluster_in_flight_is_told_by_the_clients_rows() -> None:
    """Its engines' clocks are not ours; the rows see the same streams."""
    facts = made_facts("pass")
    foreign = dataclasses.replace(facts, run={**facts.run, "cluster": {"owned": False}})
    ours, theirs = decide(facts).fault, decide(foreign).fault

    assert ours is not None
    assert theirs is not None
    assert theirs.in_flight_at_injection.total == ours.in_flight_at_injection.total
