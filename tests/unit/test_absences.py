"""When pods were away, from what the recorder writes down about them."""

import math
from dataclasses import replace
from typing import Any

import pytest
from tests.golden.make_run import made_facts

from sealegs.judgement.absences import Absence, What, absences_of

Changes = list[tuple[float, dict[str, Any]]]
EVICTED = "EvictionByEvictionAPI"
READY: dict[str, Any] = {"ready": True, "deleting": False, "reason": None, "phase": "Running"}
RUNNING = READY | {"restarts": 0, "killed": None}


def absences(*changes: tuple[float, dict[str, Any]]) -> tuple[Absence, ...]:
    """The absences of a pod that changed like this; each change says only what is new."""
    state: dict[str, Any] = {"kind": "pod", "name": "a", "uid": "uid-a"}
    timeline = []
    for t_s, change in changes:
        state |= change
        timeline.append({"t_s": t_s, **state})
    return absences_of(replace(made_facts("pass"), timeline=tuple(timeline)))["a"]


def away(
    from_s: float, until_s: float, what: What, reason: str = "", *, first: What | None = None
) -> Absence:
    """An absence in short; its first sign is what it was unless another is named."""
    return Absence(from_s=from_s, until_s=until_s, what=what, first=first or what, reason=reason)


CASES: dict[str, tuple[Changes, list[Absence]]] = {
    "stays": ([(1, RUNNING), (2, {"phase": "Running"})], []),
    "starts": ([(1, RUNNING | {"ready": False, "phase": "Pending"}), (5, {"ready": True})], []),
    "evicted": (
        [
            (1, RUNNING),
            (2, {"reason": EVICTED}),
            (3, {"deleting": True}),
            (8, {"ready": False, "killed": "Completed", "phase": "Succeeded"}),
            (9, {"event": "deleted"}),
        ],
        [away(2, 9, "deleted", EVICTED)],
    ),
    "deleted-without-a-reason": ([(1, RUNNING), (3, {"deleting": True})], [away(3, math.inf, "deleted")]),
    "unready-for-a-while": (
        [(1, RUNNING), (2, {"ready": False}), (4, {"ready": True})],
        [away(2, 4, "unready")],
    ),
    "killed-in-place": (
        [
            (1, RUNNING),
            (2, {"ready": False}),
            (3, {"killed": "OOMKilled"}),
            (4, {"restarts": 1}),
            (9, {"ready": True}),
        ],
        [away(2, 9, "restarted", "OOMKilled", first="unready")],
    ),
    "killed-twice": (
        [
            (1, RUNNING),
            (2, {"ready": False, "killed": "Error", "restarts": 1}),
            (3, {"ready": True}),
            (5, {"ready": False, "restarts": 2}),
        ],
        [away(2, 3, "restarted", "Error"), away(5, math.inf, "restarted", "Error")],
    ),
    "killed-and-not-started-again": (
        [(1, RUNNING), (2, {"ready": False, "killed": "OOMKilled"})],
        [away(2, math.inf, "restarted", "OOMKilled")],
    ),
    "lost-with-its-node": (
        [(1, RUNNING), (42, {"ready": False}), (60, {"reason": "DeletionByTaintManager", "deleting": True})],
        [away(42, math.inf, "deleted", "DeletionByTaintManager", first="unready")],
    ),
    "recorded-before-restarts-were": (
        [(1, READY), (2, {"ready": False})],
        [away(2, math.inf, "unready")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_absence_lasts_from_its_first_sign_to_its_end(case: str) -> None:
    """What says more takes the place of what says less; being ready again ends it unless the pod must go."""
    changes, expected = CASES[case]

    assert list(absences(*changes)) == expected


def test_a_name_that_comes_again_is_another_pod() -> None:
    """A pod of a set keeps its name: its successor begins anew, and both absences are its name's."""
    gone: Changes = [(1, RUNNING), (2, {"deleting": True}), (3, {"event": "deleted"})]
    again: Changes = [(4, RUNNING | {"event": "added", "uid": "uid-b"}), (7, {"ready": False})]

    assert absences(*gone, *again) == (away(2, 3, "deleted"), away(7, math.inf, "unready"))
