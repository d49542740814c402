"""What makes a run INVALID, one change at a time from a run that passes."""

import dataclasses
from typing import Any

import pytest
from tests.golden.case import BASELINE_AT_S, END_S, FAULT_AT_S, NODES, PODS
from tests.golden.make_run import made_facts
from tests.unit.changes import (
    Change,
    check,
    in_baseline,
    requests_where,
    samples_where,
    with_record,
    without_records,
)

from sealegs.judgement.facts import Facts
from sealegs.judgement.verdict import decide
from sealegs.scenario.claim import Objective


def pod_of(name: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of a record
    """The record of a pod that is well, but for the changes."""
    well = {"kind": "pod", "name": name, "uid": f"uid-{name[-1]}", "app": "llm-inference", "ready": True}
    return {
        **well,
        "node": "n",
        "phase": "Running",
        "deleting": False,
        "event": "modified",
        "reason": None,
    } | changes


def fallen(facts: Facts, name: str, **changes: Any) -> Facts:  # noqa: ANN401 - any field of a record
    """The facts with a pod that was ready and, before the fault, no longer is."""
    there = with_record(facts, t_s=10.0, **pod_of(name, app=changes["app"], event="added"))
    return with_record(there, t_s=70.0, **pod_of(name, ready=False, **changes))


def node_states(facts: Facts, *states: tuple[float, bool]) -> Facts:
    """The facts with a node that was ready at the first look, and from these times on was or was not."""
    for t_s, ready in ((0.1, True), *states):
        facts = with_record(facts, t_s=t_s, kind="node", name=NODES[0], ready=ready)
    return facts


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
    "node-lost": (
        lambda f: node_states(f, (80.0, False)),
        "no-foreign-events",
    ),
    "node-lost-again": (
        lambda f: node_states(f, (0.5, False), (1.5, True), (95.0, False)),
        "no-foreign-events",
    ),
    "node-lost-since-before-the-baseline": (
        lambda f: node_states(f, (0.5, False)),
        "no-foreign-events",
    ),
    "node-back-in-the-baseline": (
        lambda f: node_states(f, (0.5, False), (BASELINE_AT_S + 1, True)),
        "no-foreign-events",
    ),
    "pod-taken-since-before-the-baseline": (
        lambda f: with_record(
            with_record(f, t_s=25.0, **pod_of(PODS[0], reason="PreemptionByScheduler")),
            t_s=99.0,
            **pod_of(PODS[0], reason="PreemptionByScheduler", event="deleted"),
        ),
        "no-foreign-events",
    ),
    "pod-preempted": (
        lambda f: with_record(f, t_s=99.0, **pod_of(PODS[0], reason="PreemptionByScheduler")),
        "no-foreign-events",
    ),
    "pod-evicted-by-somebody": (
        lambda f: with_record(f, t_s=99.0, **pod_of(PODS[2], reason="EvictionByEvictionAPI")),
        "no-foreign-events",
    ),
    "pod-restarted-before-the-fault": (
        lambda f: with_record(f, t_s=70.0, **pod_of(PODS[0], ready=False)),
        "no-foreign-events",
    ),
    "istiod-fell-before-the-fault": (
        lambda f: fallen(f, "istiod-a", app="istiod"),
        "no-foreign-events",
    ),
    "pod-deleted-before-the-fault": (
        lambda f: with_record(f, t_s=70.0, **pod_of(PODS[0], event="deleted")),
        "no-foreign-events",
    ),
    "samples-missing": (
        lambda f: dataclasses.replace(f, samples=tuple(s for s in f.samples if not 60 < s["t_s"] < 90)),
        "samples-present",
    ),
}


NOT_FOREIGN: dict[str, Change] = {
    "node-of-the-fault": lambda f: with_record(f, t_s=95.0, kind="node", name=NODES[1], ready=False),
    "before-the-baseline": lambda f: node_states(f, (25.0, False), (BASELINE_AT_S - 1, True)),
    "after-the-end": lambda f: with_record(f, t_s=END_S + 1, kind="node", name=NODES[0], ready=False),
    "node-down-all-the-time": lambda f: with_record(f, t_s=0.5, kind="node", name="elsewhere", ready=False),
    "cordoned-only": lambda f: with_record(f, t_s=80.0, kind="node", name=NODES[0], ready=True),
    "evicted-by-us": lambda f: with_record(
        with_record(f, t_s=99.0, **pod_of(PODS[0], reason="EvictionByEvictionAPI")),
        t_s=98.9,
        kind="eviction",
        pod=PODS[0],
        uid=pod_of(PODS[0])["uid"],
        status=201,
    ),
    "job-that-completed": lambda f: fallen(f, "warm-up-a", app="warm-up", phase="Succeeded"),
    "fell-under-the-fault": lambda f: with_record(f, t_s=99.0, **pod_of(PODS[0], ready=False)),
}


@pytest.mark.parametrize("case", NOT_FOREIGN)
def test_what_the_fault_did_is_not_foreign(case: str) -> None:
    """Nor is what came outside the measured time, what a pod did itself under the fault, or a Job's end."""
    assert check(decide(NOT_FOREIGN[case](made_facts("pass"))), "no-foreign-events")


def test_a_node_that_is_lost_twice_is_told_once() -> None:
    """When it was lost first of the times that reach into the run."""
    facts = node_states(made_facts("pass"), (0.5, False), (1.5, True), (70.0, False), (71.0, True))
    lost = decide(node_states(facts, (95.0, False)))

    (told,) = (one.detail for one in lost.validity.checks if one.name == "no-foreign-events")
    assert told == f"foreign events: node {NODES[0]} not ready at 70.0 s"


def test_a_pod_that_falls_under_load_alone_is_the_systems_own() -> None:
    """Without a fault, an engine that the load brings down is what was looked for."""
    facts = with_record(made_facts("pass"), t_s=70.0, **pod_of(PODS[0], ready=False))
    steady = dataclasses.replace(facts.scenario, experiment=None)

    assert check(decide(dataclasses.replace(facts, scenario=steady)), "no-foreign-events")


def test_a_run_in_which_all_was_well_passes_every_check() -> None:
    """No check is red for everybody, and each says what it looked at."""
    checks = decide(made_facts("pass")).validity.checks

    assert [one.name for one in checks if not one.ok] == []
    assert len({one.name for one in checks}) == len(checks)
    assert all(one.value is not None and one.limit is not None and one.detail for one in checks)


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
