"""An engine that is killed takes its last lines with it: what was in flight is known all the same."""

import dataclasses
from typing import Any

import pytest
from tests.golden.case import BASELINE_AT_S, END_S, FAULT_AT_S, INJECTED_S, PODS, T0_S, VICTIM
from tests.golden.make_run import made_facts
from tests.unit.changes import check, is_, requests_where, with_record, with_truth, without_records

from sealegs.judgement.facts import Facts
from sealegs.judgement.fates import Fates, fates_of
from sealegs.judgement.reconcile import LAST_WORDS_S
from sealegs.judgement.verdict import decide


def killed(facts: Facts, *, at_s: float = INJECTED_S, keeps_s: float = 0.0, pod: str = VICTIM) -> Facts:
    """The facts without the lines that an engine had not written, or that had not left it, when it died."""
    over_s = T0_S + at_s - keeps_s
    return with_truth(facts, lambda line: None if line["pod"] == pod and line["end_s"] > over_s else line)


def open_at_injection(fates: Fates) -> int:
    """How many requests the client had open on the fault's pod."""
    return int(((fates.sent_s <= INJECTED_S) & (fates.end_s > INJECTED_S) & (fates.pod == VICTIM)).sum())


def test_what_an_engine_had_in_flight_when_it_was_killed_is_counted_by_the_clients_rows() -> None:
    """As many as its own lines would have said, and none twice where it wrote some."""
    facts = made_facts("pass")
    whole, lost = decide(facts).fault, decide(killed(facts)).fault

    assert whole is not None
    assert lost is not None
    assert whole.in_flight_at_injection.total == open_at_injection(fates_of(facts)) > 0
    assert lost.in_flight_at_injection.total == whole.in_flight_at_injection.total
    first_gone = with_truth(
        facts,
        lambda line: None if is_(str(line["request_id"]))({"request_id": a_victim(facts)}) else line,
    )
    partly = decide(first_gone).fault
    assert partly is not None
    assert partly.in_flight_at_injection.total == whole.in_flight_at_injection.total


def a_victim(facts: Facts) -> str:
    """A request that was in flight on the fault's pod at injection."""
    fates = fates_of(facts)
    chosen = (fates.sent_s <= INJECTED_S) & (fates.end_s > INJECTED_S) & (fates.pod == VICTIM)
    return str(fates.request_id[chosen][0])


@pytest.mark.parametrize("pod", [VICTIM, PODS[0]])
def test_last_answers_of_a_killed_engine_need_no_line(pod: str) -> None:
    """Those of the moments before it died, and of no engine that lived on: there a log was lost."""
    facts = killed(made_facts("pass"), keeps_s=LAST_WORDS_S - 0.5, pod=pod)
    facts = with_truth(
        facts, lambda line: None if line["pod"] == pod and line["end_s"] > T0_S + INJECTED_S else line
    )
    # After the strike this engine answered nothing, as one that was killed.
    after = requests_where(
        facts, lambda row: row["pod"] == VICTIM and row["end_s"] > INJECTED_S, outcome="cut_rst"
    )

    verdict = decide(after)

    assert check(verdict, "engines-agree") == (pod == VICTIM)
    (told,) = (one.detail for one in verdict.validity.checks if one.name == "engines-agree")
    assert ("died with its engine" in told) == (pod == VICTIM)


def test_a_killed_engines_log_of_before_must_be_there() -> None:
    """Of what was over long before it died the lines had left it: their lack is a lost log."""
    facts = with_truth(made_facts("pass"), lambda line: None if line["pod"] == VICTIM else line)

    assert not check(decide(facts), "engines-agree")


def away(facts: Facts, from_s: float, until_s: float) -> Facts:
    """The facts without the samples of a while."""
    kept = tuple(one for one in facts.samples if not from_s < one["t_s"] < until_s)
    return dataclasses.replace(facts, samples=kept)


@pytest.mark.parametrize(
    ("from_s", "away_s", "ok"),
    [
        (INJECTED_S + 2.0, 3.0, True),
        (INJECTED_S + 2.0, 6.5, False),
        (INJECTED_S - 3.0, 7.0, False),
        (BASELINE_AT_S + 10.0, 9.0, True),
        (FAULT_AT_S + 60.0, 9.0, True),
    ],
)
def test_nobody_may_look_away_while_the_fault_stands(from_s: float, away_s: float, *, ok: bool) -> None:
    """Before it and after it a share of the seconds will do."""
    facts = away(made_facts("pass"), from_s, from_s + away_s)

    assert check(decide(facts), "samples-present") == ok


@pytest.mark.parametrize("beat_s", [0.0, 0.49, 0.5, 0.98])
def test_a_beat_near_a_whole_second_loses_none(beat_s: float) -> None:
    """A look comes a little early or late: two in a calendar second are two beats all the same."""
    facts = made_facts("pass")
    looks = (
        {**one, "t_s": round(one["t_s"]) + beat_s + (0.05 if number % 2 else -0.05)}
        for number, one in enumerate(facts.samples)
    )
    (found,) = (
        one
        for one in decide(dataclasses.replace(facts, samples=tuple(looks))).validity.checks
        if one.name == "samples-present"
    )

    assert found.value == pytest.approx(1.0, abs=1 / (END_S - BASELINE_AT_S))


@pytest.mark.parametrize(
    ("from_s", "until_s"), [(BASELINE_AT_S, BASELINE_AT_S + 20), (END_S - 20, END_S + 1)]
)
def test_a_hole_at_an_end_of_the_run_is_one(from_s: float, until_s: float) -> None:
    """Seconds count from the baseline to the end, though beats do from the first look."""
    facts = made_facts("pass")

    assert not check(decide(away(facts, from_s, until_s)), "samples-present")
    assert check(decide(away(facts, from_s + 5, until_s - 5)), "samples-present")


@pytest.mark.parametrize(("api_server", "ok"), [(True, True), (False, False)])
def test_a_fault_that_takes_the_api_server_away_leaves_nobody_to_look(*, api_server: bool, ok: bool) -> None:
    """Samples are absent then by design: its time is left out, and no other."""
    facts = made_facts("pass")
    target: dict[str, Any] = {"node": "sealegs-control-plane", "api_server": api_server}
    aimed = facts
    for record in list(facts.of_kind("fault")):
        aimed = without_records(aimed, kind="fault", state=record["state"])
        aimed = with_record(aimed, **{**record, "target": target})
    gone_s = next(one["t_s"] for one in facts.of_kind("fault") if one["state"] == "gone")

    assert check(decide(away(aimed, INJECTED_S, gone_s)), "samples-present") == ok
    assert not check(decide(away(aimed, INJECTED_S - 20.0, gone_s)), "samples-present")
