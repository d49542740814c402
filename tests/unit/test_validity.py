"""What makes a run INVALID, one change at a time from a run that passes."""

import dataclasses

import pyarrow as pa
import pytest
from tests.golden.case import BASELINE_AT_S, END_S, FAULT_AT_S, PODS
from tests.golden.make_run import made_facts
from tests.unit.changes import (
    Change,
    check,
    in_baseline,
    is_,
    requests_where,
    samples_where,
    with_record,
    without_records,
    without_rows,
)

from sealegs.scenario import Objective
from sealegs.verdict import decide

INVALIDATING: dict[str, tuple[Change, str]] = {
    "no-end-mark": (lambda f: without_records(f, kind="phase", name="end"), "run-finished"),
    "no-recovery-mark": (lambda f: without_records(f, kind="phase", name="recovery"), "run-finished"),
    "damage": (lambda f: dataclasses.replace(f, damage=("3 torn lines",)), "evidence-whole"),
    "own-error": (lambda f: with_record(f, t_s=50.0, kind="error", where="w", message="m"), "no-errors"),
    "load-died": (lambda f: dataclasses.replace(f, load_summary=None), "load-ended"),
    "stack-not-ready": (
        lambda f: samples_where(
            f, lambda s: s["t_s"] <= BASELINE_AT_S, ready={"llm-inference": 2, "llm-api": 2}
        ),
        "stack-ready",
    ),
    "stack-unseen": (
        lambda f: dataclasses.replace(f, samples=tuple(s for s in f.samples if s["t_s"] > BASELINE_AT_S)),
        "stack-ready",
    ),
    "nothing-desired": (lambda f: samples_where(f, lambda _: True, desired={}), "stack-ready"),
    "not-landed": (lambda f: without_records(f, kind="fault", state="landed"), "fault-landed"),
    "no-fault-at-all": (lambda f: without_records(f, kind="fault"), "fault-landed"),
    "landed-unwitnessed": (
        lambda f: with_record(
            without_records(f, kind="fault", state="landed"),
            t_s=95.0,
            kind="fault",
            state="landed",
            witness={},
        ),
        "fault-landed",
    ),
    "landed-before-injected": (
        lambda f: with_record(
            without_records(f, kind="fault", state="injected"), t_s=96.0, kind="fault", state="injected"
        ),
        "fault-landed",
    ),
    "injected-in-baseline": (
        lambda f: with_record(f, t_s=FAULT_AT_S - 5, kind="fault", state="injected"),
        "fault-landed",
    ),
    "landed-after-its-phase": (
        lambda f: with_record(
            without_records(f, kind="fault", state="landed"),
            t_s=150.0,
            kind="fault",
            state="landed",
            witness={"source": "recorder"},
        ),
        "fault-landed",
    ),
    "gone-unwitnessed": (
        lambda f: with_record(
            without_records(f, kind="fault", state="gone"), t_s=125.0, kind="fault", state="gone", witness={}
        ),
        "fault-gone",
    ),
    "gone-before-landed": (
        lambda f: with_record(
            without_records(f, kind="fault", state="gone"),
            t_s=FAULT_AT_S + 1,
            kind="fault",
            state="gone",
            witness={"source": "recorder"},
        ),
        "fault-gone",
    ),
    "not-gone": (lambda f: without_records(f, kind="fault", state="gone"), "fault-gone"),
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
        lambda f: dataclasses.replace(f, truth=tuple(t for t in f.truth if t["pod"] != PODS[0])),
        "engines-agree",
    ),
    "no-engine-log": (lambda f: dataclasses.replace(f, truth=()), "engines-agree"),
    "tokens-differ": (lambda f: requests_where(f, is_("r000900"), tokens_received=3), "engines-agree"),
    "samples-missing": (
        lambda f: dataclasses.replace(f, samples=tuple(s for s in f.samples if not 60 < s["t_s"] < 90)),
        "samples-present",
    ),
}


@pytest.mark.parametrize("case", INVALIDATING)
def test_evidence_that_cannot_be_trusted_is_invalid(case: str) -> None:
    """Each check can go red by itself, says so as a reason, and the run is then no PASS."""
    change, name = INVALIDATING[case]

    verdict = decide(change(made_facts("pass")))

    assert not check(verdict, name)
    assert verdict.verdict == "INVALID"
    assert verdict.exit_code == 3
    assert any(one.detail in verdict.reasons for one in verdict.validity.checks if one.name == name)


def test_an_unhealthy_baseline_is_invalid_and_not_the_faults_failure() -> None:
    """One refused request in twenty from the start: objectives FAIL and are silenced."""
    verdict = decide(made_facts("invalid-baseline"))

    assert verdict.verdict == "INVALID"
    assert verdict.reasons[0].startswith("unhealthy baseline: success-baseline")
    assert "FAIL" in {one.verdict for one in verdict.objectives}


def test_a_slow_baseline_is_unhealthy_too() -> None:
    """A baseline that answers everything, but late, decides nothing about a fault."""
    verdict = decide(requests_where(made_facts("pass"), in_baseline, first_token_s=END_S))

    assert not check(verdict, "baseline-healthy")
    assert verdict.verdict == "INVALID"


def test_a_baseline_that_was_slow_for_a_while_is_unhealthy_too() -> None:
    """Its FAIL is withheld, as a slow while may be bad luck; a fault is not judged on bad luck either."""
    a_while = (BASELINE_AT_S + 20, BASELINE_AT_S + 40)

    verdict = decide(
        requests_where(
            made_facts("pass"), lambda r: a_while[0] < r["intended_s"] < a_while[1], first_token_s=END_S
        )
    )

    (slow,) = (one for one in verdict.objectives if one.name == "ttft-baseline")
    assert (slow.verdict, slow.why) == ("INCONCLUSIVE", "correlated")
    assert not check(verdict, "baseline-healthy")


def test_a_cap_refusal_under_the_fault_is_bad_and_not_invalid() -> None:
    """Once a fault stands, a full client is the system's doing: the request counts against it."""
    facts = made_facts("pass")
    late = {one["request_id"] for one in facts.requests.to_pylist() if 95 < one["intended_s"] < 115}
    changed = requests_where(facts, lambda r: r["request_id"] in late, outcome="cap_refused", sent_s=None)
    summary = {**(facts.load_summary or {}), "sent": len(facts.schedule) - len(late)}

    verdict = decide(dataclasses.replace(changed, load_summary=summary))

    assert verdict.validity.valid
    assert verdict.verdict == "FAIL"
    assert verdict.counts["planned"] == verdict.counts["sent"] + verdict.counts["cap_refused"]


def test_a_scenario_without_a_fault_is_judged_without_one() -> None:
    """No fault asked for: none has to land, and a bad baseline is the system's own failure."""
    facts = made_facts("invalid-baseline")
    objectives = (Objective(name="s", sli="success", phase="baseline", target=0.985),)
    steady = dataclasses.replace(
        facts.scenario, experiment=None, objectives=objectives, invariants=(), recovery=None
    )

    verdict = decide(dataclasses.replace(facts, scenario=steady))

    assert verdict.validity.valid
    assert verdict.verdict == "FAIL"
