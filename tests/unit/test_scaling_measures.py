"""What scaling did to an app's pods: when new ones came to serve, and how those that were too many left."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.golden.case import FAULT_AT_S, INJECTED_S, PODS, READY_AGAIN_S, REPLACEMENT, VICTIM
from tests.golden.make_run import made_facts

from sealegs.judgement.facts import Facts, fault_story
from sealegs.judgement.fates import fates_of
from sealegs.judgement.in_flight import InFlight
from sealegs.judgement.measures import MEASURES
from sealegs.judgement.measures.measured import Measured
from sealegs.judgement.situation import Situation
from sealegs.scenario.claim import Bound

# Where the made-up run's fault is gone, and its phase ends.
GONE_S = INJECTED_S + 32.0
NEW = [f"new-pod-{step}-s" for step in ("scheduled", "started", "loaded", "ready", "routable", "served")]


def measured(
    facts: Facts,
    measure: str,
    *,
    phase: str = "fault",
    app: str = "llm-inference",
    at_most: float | None = None,
) -> Measured:
    """One measure of a made-up run."""
    situation = Situation(facts=facts, fates=fates_of(facts), story=fault_story(facts), in_flight=InFlight())
    return MEASURES[measure](
        situation, Bound(name="b", measure=measure, phase=phase, app=app, at_most=at_most)
    )


def changed(*records: dict[str, Any], case: str = "pass", without: Sequence[str] = ()) -> Facts:
    """A made-up run with more records of pods, and without those of some."""
    facts = made_facts(case)
    kept = (one for one in facts.timeline if one["kind"] != "pod" or one["name"] not in without)
    lists = (
        {**one, "ready": [name for name in one["ready"] if name not in without]}
        if one["kind"] == "endpoints"
        else one
        for one in kept
    )
    return replace(facts, timeline=tuple(sorted((*lists, *records), key=lambda one: one["t_s"])))


def pod(
    t_s: float, name: str, *, node: str = "n", app: str = "llm-inference", **more: object
) -> dict[str, Any]:
    """One change of a pod."""
    who = {"kind": "pod", "name": name, "uid": f"uid-of-{name}", "app": app, "node": node, "phase": "Running"}
    return {"t_s": t_s, **who, "ready": True, "started": True, "deleting": False, "event": "modified", **more}


def left(name: str, from_s: float, until_s: float, *, app: str = "llm-inference") -> list[dict[str, Any]]:
    """A pod that was there from the start and was taken away."""
    return [
        pod(2.0, name, app=app),
        pod(from_s, name, app=app, deleting=True),
        pod(until_s, name, app=app, deleting=True, event="deleted"),
    ]


@pytest.mark.parametrize(
    ("measure", "at_s"),
    [
        ("new-pod-scheduled-s", INJECTED_S + 0.4),
        ("new-pod-started-s", INJECTED_S + 2.0),
        ("new-pod-loaded-s", READY_AGAIN_S - 0.5),
        ("new-pod-ready-s", READY_AGAIN_S),
        ("new-pod-routable-s", READY_AGAIN_S + 0.1),
    ],
)
def test_each_step_of_the_first_new_pod_is_timed(measure: str, at_s: float) -> None:
    """From when the phase began until it was seen there; what another pod reaches later changes nothing."""
    later = pod(READY_AGAIN_S + 9, "later")

    found = measured(changed(later), measure)

    assert found.value == pytest.approx(at_s - FAULT_AT_S)
    assert REPLACEMENT in found.detail


def test_it_served_with_the_first_token_of_its_first_answer() -> None:
    """Not when it was told of as ready, and not with what it refused before."""
    facts = made_facts("pass")
    rows = facts.requests.to_pylist()
    refused = next(row for row in rows if row["intended_s"] > READY_AGAIN_S)
    refused |= {"pod": REPLACEMENT, "outcome": "http_429", "first_token_s": None, "last_token_s": None}
    facts = replace(facts, requests=pa.Table.from_pylist(rows, schema=facts.requests.schema))
    fates = fates_of(facts)

    found = measured(facts, "new-pod-served-s").value

    assert found == pytest.approx(np.nanmin(fates.first_token_s[fates.pod == REPLACEMENT]) - FAULT_AT_S)
    assert found is not None
    assert found > READY_AGAIN_S - FAULT_AT_S


@pytest.mark.parametrize("measure", NEW)
def test_what_never_came_took_longer_than_was_watched(measure: str) -> None:
    """That is beyond a limit which the run outlasted, and says nothing of one that it did not."""
    facts = changed(without=[REPLACEMENT])
    others = pc.not_equal(facts.requests["pod"], pa.scalar(REPLACEMENT))
    facts = replace(facts, requests=facts.requests.filter(others))
    watched_s = facts.seen_until_s - FAULT_AT_S

    assert measured(facts, measure, at_most=30.0).value == pytest.approx(watched_s)
    assert measured(facts, measure, at_most=watched_s + 1).value is None
    assert measured(facts, measure).value is None


@pytest.mark.parametrize("measure", [*NEW, "unscheduled-s-max"])
def test_pods_of_before_and_of_others_are_not_new(measure: str) -> None:
    """New is who was first seen since the phase began, and of the bound's app."""
    assert measured(made_facts("pass"), measure, phase="recovery").value is None
    assert measured(changed(pod(FAULT_AT_S + 1, "x", app="llm-api")), measure, app="llm-gate").value is None


@pytest.mark.parametrize(
    ("records", "waited_s"),
    [
        ([], 0.0),
        ([pod(FAULT_AT_S + 5, "x", node=""), pod(FAULT_AT_S + 9, "x")], 4.0),
        ([pod(FAULT_AT_S + 5, "x", node=""), pod(FAULT_AT_S + 7, "x", node="", event="deleted")], 2.0),
        ([pod(FAULT_AT_S - 5, "x", node=""), pod(FAULT_AT_S + 9, "x")], 0.0),  # it came before
        ([pod(GONE_S + 5, "x", node=""), pod(GONE_S + 9, "x")], 0.0),  # and here after
    ],
)
def test_a_pod_waits_until_it_has_a_node_or_is_gone(records: list[dict[str, Any]], waited_s: float) -> None:
    """The longest of all pods that came in the phase."""
    assert measured(changed(*records), "unscheduled-s-max").value == pytest.approx(waited_s)


def test_a_pod_that_never_has_a_node_waits_to_the_end() -> None:
    """As far as the run was seen."""
    facts = changed(pod(FAULT_AT_S + 5, "x", node=""))

    found = measured(facts, "unscheduled-s-max")

    assert found.value == pytest.approx(facts.seen_until_s - FAULT_AT_S - 5)
    assert "of 2 pods that came x was" in found.detail


@pytest.mark.parametrize(
    ("records", "count", "at_once"),
    [
        ([], 0, None),
        (left("x", FAULT_AT_S + 5, FAULT_AT_S + 9), 1, 1),
        ([*left("x", FAULT_AT_S + 5, FAULT_AT_S + 9), *left("y", FAULT_AT_S + 9, FAULT_AT_S + 12)], 2, 1),
        ([*left("x", FAULT_AT_S + 5, FAULT_AT_S + 9), *left("y", FAULT_AT_S + 8, FAULT_AT_S + 12)], 2, 2),
        (left("x", FAULT_AT_S - 5, FAULT_AT_S + 9), 0, None),
        (left("x", FAULT_AT_S + 5, FAULT_AT_S + 9, app="llm-api"), 0, None),
    ],
)
def test_pods_that_leave_are_counted(records: list[dict[str, Any]], count: int, at_once: int | None) -> None:
    """Those of the app that began to leave in the phase, and how many of them were leaving at one moment."""
    facts = changed(*records, without=[VICTIM])

    assert measured(facts, "pods-left").value == count
    assert measured(facts, "leaving-max").value == at_once


def test_where_no_pod_was_seen_nobody_knows_who_left() -> None:
    """None of the app's is not the same as none that left."""
    assert measured(made_facts("pass"), "pods-left", app="llm-gate").value is None


@pytest.mark.parametrize("case", ["pass", "fail-truncated"])
def test_what_a_leaving_pod_had_is_lost_or_not(case: str) -> None:
    """Every request that it had when it began to leave is told of, and which of them were lost."""
    facts = made_facts(case)
    fates = fates_of(facts)
    had = (fates.pod == VICTIM) & (fates.end_s > INJECTED_S + 0.2)

    found = measured(facts, "lost-on-leaving")

    assert had.sum() > 1
    assert found.request_ids == fates.ids(had & ~fates.ok)
    assert found.value == len(found.request_ids)
    assert (found.value > 0) == (case == "fail-truncated")
    assert f"of {had.sum()} requests" in found.detail


def test_a_pod_that_left_idle_shows_nothing() -> None:
    """No data is not a pass: neither where nobody left, nor where who left had nothing."""
    idle = changed(*left("x", FAULT_AT_S + 5, FAULT_AT_S + 9), without=[VICTIM])

    assert measured(idle, "lost-on-leaving").value is None
    assert measured(changed(without=[VICTIM]), "lost-on-leaving").value is None
    assert PODS[0] not in measured(idle, "lost-on-leaving").detail
