"""The steps from a fault back to good service: seen when they were noted, and not seen otherwise."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.golden.case import INJECTED_S, READY_AGAIN_S, REPLACEMENT, VICTIM
from tests.golden.make_run import made_facts

from sealegs.judgement.facts import Facts, FaultStory, fault_story
from sealegs.judgement.fates import Fates, fates_of
from sealegs.judgement.ladder import Rung, ladder_of
from sealegs.judgement.losses import cause_of

Row = dict[str, Any]
STRUCK_S = 100.0
NAMES = (
    "injected",
    "first-error",
    "detected",
    "scheduled",
    "started",
    "loaded",
    "ready",
    "routable",
    "slo-met",
)
RUNNING = {"node": "n", "phase": "Running", "started": True, "ready": True, "deleting": False, "restarts": 0}


def pod(t_s: float, name: str, app: str = "engines", **changes: Any) -> Row:  # noqa: ANN401 - any field
    """A record of a pod that runs and is ready but for the changes."""
    return {"t_s": t_s, "kind": "pod", "name": name, "uid": name, "app": app, **RUNNING, **changes}


def lists(t_s: float, *ready: str, service: str = "engines") -> Row:
    """A record of a service's endpoints."""
    return {"t_s": t_s, "kind": "endpoints", "name": service, "ready": list(ready), "terminating": []}


def comes(name: str, *at_s: float, app: str = "engines") -> list[Row]:
    """A new pod's life: added, scheduled, started, loaded, ready, routable, as far as there are times."""
    new = {"node": "", "phase": "Pending", "started": False, "ready": False}
    changes: list[Row] = [{}, {"node": "n"}, {"phase": "Running"}, {"started": True}, {"ready": True}]
    state: Row = {}
    records = []
    for t_s, change in zip(at_s, changes, strict=False):
        state |= change
        records.append(pod(t_s, name, app, **(new | state)))
    return [*records, *[lists(t_s, name, service=f"{app}-{name}") for t_s in at_s[5:]]]


def struck(*pods: str) -> Row:
    """The fault's injection."""
    return {
        "t_s": STRUCK_S,
        "kind": "fault",
        "fault": "drain",
        "state": "injected",
        "target": {"pods": list(pods)},
    }


@cache
def some_fates() -> Fates:
    """What became of the requests of a run in which all is well."""
    return fates_of(made_facts("pass"))


def ladder(
    records: Sequence[Row], *, hit: Sequence[str] = ("a",), samples: Sequence[Row] = ()
) -> dict[str, Rung]:
    """The ladder of a run with these records, whose pods a and b were ready long before."""
    before = [pod(1.0, "a"), pod(1.0, "b"), lists(1.0, "a", "b")]
    timeline = sorted([*before, struck(*hit), *records], key=lambda one: float(one["t_s"]))
    facts = replace(made_facts("pass"), timeline=tuple(timeline), samples=tuple(samples))
    causes = np.full(len(some_fates().outcome), "", dtype=object)
    return by_name(ladder_of(facts, some_fates(), story_of(facts), causes=causes, recovered_s=None))


def by_name(rungs: Sequence[Rung]) -> dict[str, Rung]:
    """Rungs by their names, of which there are always the same."""
    assert tuple(one.name for one in rungs) == NAMES
    return {one.name: one for one in rungs}


def story_of(facts: Facts) -> FaultStory:
    """The fault's story, which there is."""
    story = fault_story(facts)
    assert story is not None
    return story


def seen(rungs: dict[str, Rung], *names: str) -> list[tuple[float | None, str]]:
    """When since injection some steps were reached, and by what."""
    return [(rungs[name].after_s, rungs[name].subject) for name in names]


LEAVES = pod(100.5, "a", deleting=True)
REPLACED = ("scheduled", "started", "loaded", "ready", "routable")


def test_a_replacement_climbs_step_by_step() -> None:
    """Each step is the first record that shows it."""
    rungs = ladder([LEAVES, *comes("c", 101.0, 102.0, 103.0, 110.0, 111.0, 112.0)])

    assert seen(rungs, *REPLACED) == [(after_s, "c") for after_s in (2.0, 3.0, 10.0, 11.0, 12.0)]
    assert seen(rungs, "injected", "slo-met") == [(0.0, "drain"), (None, "")]
    assert rungs["ready"].at_s == 111.0


def test_the_last_replacement_that_is_needed_counts() -> None:
    """Two pods went, so two of the same app are waited for; a third, or another app's, is not."""
    records = [
        LEAVES,
        pod(100.6, "b", deleting=True),
        *comes("c", 101.0, 102.0, 103.0, 120.0, 121.0, 122.0),
        *comes("d", 102.0, 102.5, 104.0, 110.0, 111.0, 112.0),
        *comes("e", 103.0, 130.0, 131.0, 132.0, 133.0, 134.0),
        *comes("x", 100.9, 140.0, 141.0, 142.0, 143.0, 144.0, app="doors"),
    ]
    rungs = ladder(records, hit=("a", "b"))

    assert seen(rungs, "scheduled", "ready") == [(2.5, "2 of 2, the last d"), (21.0, "2 of 2, the last c")]


def test_a_step_that_one_did_not_reach_was_not_reached() -> None:
    """It says how many of how many did."""
    records = [
        LEAVES,
        pod(100.6, "b", deleting=True),
        *comes("c", 101.0, 102.0, 103.0, 104.0, 105.0),
        *comes("d", 102.0, 102.5),
    ]
    rungs = ladder(records, hit=("a", "b"))

    assert seen(rungs, *REPLACED) == [
        (2.5, "2 of 2, the last d"),
        (None, "1 of 2"),
        (None, "1 of 2"),
        (None, "1 of 2"),
        (None, "0 of 2"),
    ]


def test_a_container_that_is_killed_is_its_own_replacement() -> None:
    """It is not scheduled again, and routable when the endpoints that dropped it have it again."""
    records = [
        pod(100.2, "a", ready=False, started=False),
        lists(100.25, "a"),
        lists(100.3, "b"),
        pod(101.0, "a", ready=False, started=False, restarts=1),
        pod(108.0, "a", ready=False, restarts=1),
        pod(109.0, "a", restarts=1),
        lists(109.5, "a", "b"),
    ]
    rungs = ladder(records)

    assert seen(rungs, *REPLACED) == [(None, ""), (1.0, "a"), (8.0, "a"), (9.0, "a"), (9.5, "a")]
    assert seen(rungs, "detected") == [(0.2, "a is not ready")]


def test_a_pod_that_was_only_not_ready_comes_back() -> None:
    """Nothing is scheduled, started or loaded for it."""
    records = [pod(100.2, "a", ready=False), lists(100.3, "b"), pod(104.0, "a"), lists(104.1, "a", "b")]

    assert seen(ladder(records), *REPLACED) == [(None, ""), (None, ""), (None, ""), (4.0, "a"), (4.1, "a")]


def test_what_was_not_noted_is_not_seen() -> None:
    """A fault that nothing answers has its injection alone; evidence that lacks startup has no loading."""
    records = [LEAVES, *comes("c", 101.0, 102.0, 103.0, 110.0, 111.0)]
    old = [{key: one[key] for key in one if key != "started"} for one in records]

    assert {name for name, rung in ladder([]).items() if rung.at_s is not None} == {"injected"}
    assert seen(ladder(old), "started", "loaded", "ready") == [(3.0, "c"), (None, ""), (11.0, "c")]


EJECTED = [{"t_s": 99.5, "ejections_active": 1}, {"t_s": 100.5, "ejections_active": 1}]
SIGNS: dict[str, tuple[list[Row], list[Row], tuple[float, str]]] = {
    "pod": ([LEAVES, lists(100.6, "b")], [], (0.5, "a is on its way out")),
    "endpoints": ([lists(100.4, "b"), LEAVES], [], (0.4, "endpoints of engines dropped a")),
    "mesh": ([], [*EJECTED, {"t_s": 101.5, "ejections_active": 2}], (1.5, "the mesh ejected 1")),
}


@pytest.mark.parametrize("case", SIGNS)
def test_the_first_sign_is_the_detection(case: str) -> None:
    """A pod's state, endpoints that drop it, or more hosts ejected than at the injection."""
    records, samples, expected = SIGNS[case]

    assert seen(ladder(records, samples=samples), "detected") == [expected]


def test_what_happens_to_others_is_no_sign() -> None:
    """Neither a pod that was not hit, nor what was so before, detects anything."""
    records = [pod(100.5, "b", deleting=True), lists(100.6, "a")]
    records += [pod(50.0, "a", ready=False), lists(50.1, "b"), pod(60.0, "a"), lists(60.1, "a", "b")]

    assert seen(ladder(records, samples=EJECTED), "detected") == [(None, "")]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=4), st.integers(0, 3))
def test_the_steps_wait_for_as_many_as_went(came_s: list[int], more: int) -> None:
    """However many went and came: the ready step is that of the slowest of the first that are needed."""
    hit = [f"h{number}" for number in range(len(came_s))]
    ready_s = [STRUCK_S + 10.0 + one for one in came_s]
    records = [record for name in hit for record in (pod(2.0, name), pod(100.1, name, deleting=True))]
    for number, at_s in enumerate([*ready_s, *[200.0] * more]):
        records += comes(f"n{number}", 101.0 + number / 100, 102.0, 103.0, 104.0, at_s)

    rung = ladder(records, hit=hit)["ready"]

    assert rung.at_s == max(ready_s)
    assert rung.subject.startswith(f"{len(hit)} of {len(hit)}" if len(hit) > 1 else "n0")


def test_the_first_error_is_the_first_that_the_client_did_not_make() -> None:
    """Losses before the injection do not count, and what the mesh refused comes before what was cut."""
    facts = made_facts("pass")
    fates, story = some_fates(), story_of(facts)
    after = np.flatnonzero(fates.end_s > INJECTED_S)
    order = after[np.argsort(fates.end_s[after])]
    causes = np.full(len(fates.outcome), "", dtype=object)
    causes[np.flatnonzero(fates.end_s < INJECTED_S)[-1]] = "fault"

    def first() -> tuple[float | None, str]:
        rungs = by_name(ladder_of(facts, fates, story, causes=causes, recovered_s=5.0))
        return rungs["first-error"].at_s, rungs["first-error"].subject

    def told(at: int, cause: str) -> tuple[float, str]:
        return round(float(fates.end_s[order[at]]), 6), f"{fates.request_id[order[at]]}: {cause}"

    assert first() == (None, "")
    causes[order[0]] = "client-cap"
    assert first() == (None, "")
    causes[order[1]], causes[order[9]] = "mesh-UF", "unexplained"
    assert first() == told(1, "mesh-UF")
    causes[order[5]] = "fault"
    assert first() == told(1, "mesh-UF")


def test_a_made_up_drain_has_its_ladder() -> None:
    """Every step was seen; recovery counts from the injection."""
    facts = made_facts("fail-truncated")
    fates, story = fates_of(facts), story_of(facts)
    causes = cause_of(facts, fates, story)
    rungs = by_name(ladder_of(facts, fates, story, causes=causes, recovered_s=15.0))

    assert seen(rungs, "ready") == [(READY_AGAIN_S - INJECTED_S, REPLACEMENT)]
    assert seen(rungs, "detected") == [(0.2, f"{VICTIM} is on its way out")]
    assert seen(rungs, "loaded", "routable") == [(11.5, REPLACEMENT), (12.1, REPLACEMENT)]
    assert seen(rungs, "slo-met") == [(15.0, "")]
    assert rungs["first-error"].subject.endswith(": fault")


def test_nothing_injected_has_no_ladder() -> None:
    """Not even a first step."""
    facts = made_facts("pass")
    armed = replace(story_of(facts), injected_s=None)
    causes = np.full(len(some_fates().outcome), "", dtype=object)

    assert ladder_of(facts, some_fates(), armed, causes=causes, recovered_s=None) == ()
