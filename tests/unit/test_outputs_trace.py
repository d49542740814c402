"""The Chrome trace: what Perfetto draws of a run."""

import json
from collections import defaultdict
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from tests.golden.case import INJECTED_S, READY_AGAIN_S, REPLACEMENT, VICTIM
from tests.unit.judged import ENDS, HOSTILE, reading

from sealegs.outputs.trace import GOOD_MAX, PODS, REQUESTS, RUN, sampled, trace

Event = dict[str, Any]


@cache
def events(case: str) -> list[Event]:
    """Every event of a made-up run's trace."""
    found: list[Event] = json.loads(trace(reading(case)))["traceEvents"]
    return found


def spans(case: str, pid: int) -> dict[str, list[Event]]:
    """Name of a thread → what lasted in it."""
    names = {
        (one["pid"], one["tid"]): one["args"]["name"] for one in events(case) if one["name"] == "thread_name"
    }
    found = defaultdict(list)
    for one in events(case):
        if one["ph"] == "X" and one["pid"] == pid:
            found[names[pid, one["tid"]]].append(one)
    return found


@pytest.mark.parametrize("case", ENDS)
def test_events_are_what_the_format_takes(case: str) -> None:
    """Known kinds, whole microseconds, nothing that lasts less than nothing, every thread with one name."""
    found = events(case)
    named = [(one["pid"], one["tid"]) for one in found if one["name"] == "thread_name"]
    timed = [one for one in found if one["ph"] != "M"]

    assert {one["ph"] for one in found} <= {"M", "X", "i", "C"}
    assert all(isinstance(one["ts"], int) for one in timed)
    assert all(isinstance(one["dur"], int) and one["dur"] >= 0 for one in found if one["ph"] == "X")
    assert len(named) == len(set(named))
    assert {(one["pid"], one["tid"]) for one in found if one["ph"] in {"X", "i"}} == set(named)
    assert {one["pid"] for one in found if one["name"] == "process_name"} == {RUN, PODS, REQUESTS}


@pytest.mark.parametrize("case", ENDS)
def test_what_overlaps_in_a_thread_is_nested(case: str) -> None:
    """Perfetto drops slices that cross: each begins after the one before has ended, or ends within it."""
    for pid in (RUN, PODS, REQUESTS):
        for thread in spans(case, pid).values():
            open_until: list[int] = []
            for one in sorted(thread, key=lambda one: (one["ts"], -one["dur"])):
                while open_until and open_until[-1] <= one["ts"]:
                    open_until.pop()
                assert not open_until or one["ts"] + one["dur"] <= open_until[-1], one
                open_until.append(one["ts"] + one["dur"])


def test_phases_and_the_fault_follow_each_other() -> None:
    """Each phase begins where the one before ended, and the fault went through its states."""
    found = spans("pass", RUN)

    assert [one["name"] for one in found["phases"]] == ["warmup", "baseline", "fault", "recovery"]
    for before, after in pairwise(found["phases"]):
        assert before["ts"] + before["dur"] == after["ts"]
    states = {one["name"]: one["ts"] for one in found["fault node_drain"]}
    assert list(states) == ["armed", "injected", "landed", "undone"]
    assert states["injected"] == INJECTED_S * 1e6


def test_a_run_that_was_killed_ends_where_its_evidence_does() -> None:
    """Nothing is drawn as if it had gone on, and a fault that was not seen gone is not gone."""
    until_us = round(reading("killed").seen_until_s * 1e6)
    moments = [one["name"] for one in events("killed") if one["ph"] == "i" and one["pid"] == RUN]

    assert max(one["ts"] + one["dur"] for one in events("killed") if one["ph"] == "X") == until_us
    assert moments == []


def test_a_pods_life_is_in_its_thread() -> None:
    """The drained one stopped and was deleted, its successor was scheduled and then ready."""
    found = spans("pass", PODS)
    victim, successor = found[VICTIM], found[REPLACEMENT]
    deleted = [one for one in events("pass") if one["ph"] == "i" and one["name"] == "deleted"]

    assert [one["name"] for one in victim] == ["ready", "stopping"]
    assert [one["name"] for one in successor] == ["scheduled", "ready"]
    assert successor[1]["ts"] == READY_AGAIN_S * 1e6
    assert [one["ts"] for one in deleted] == [victim[1]["ts"] + victim[1]["dur"]]


def test_a_change_that_is_none_splits_no_span() -> None:
    """The API server repeats itself; a pod that was ready and is ready was ready all along."""
    read = reading("pass")
    twice = tuple(one for record in read.facts.timeline for one in (record, record))
    repeated = replace(read, facts=replace(read.facts, timeline=twice))
    of_pods = [one for one in json.loads(trace(repeated))["traceEvents"] if one["pid"] == PODS]

    assert of_pods == [one for one in events("pass") if one["pid"] == PODS]


@pytest.mark.parametrize("case", ENDS)
def test_every_bad_request_is_in_it_and_some_good_ones(case: str) -> None:
    """None that failed is sampled away; of the others not more than the limit."""
    fates = reading(case).fates
    shown = {one["args"]["request_id"] for one in events(case) if "request_id" in one.get("args", {})}
    bad = set(fates.request_id[~fates.ok].tolist())

    assert bad <= shown
    assert 0 < len(shown - bad) <= GOOD_MAX


@pytest.mark.parametrize("number", [0, 1, 299, 300, 301, 599, 601, 10_000])
def test_a_sample_is_even(number: int) -> None:
    """Every n-th: the steps between good ones are all the same, and there are enough of them."""
    steps = {after - before for before, after in pairwise(sampled([True] * number))}

    assert len(steps) <= 1
    assert min(number, GOOD_MAX // 2) <= len(sampled([True] * number)) <= GOOD_MAX
    assert sampled([True, False, True, False]) == [0, 1, 2, 3]


def test_waiting_and_streaming_make_up_a_request() -> None:
    """Queue ends where the stream begins; together they last as long as the request."""
    lanes = spans("fail-truncated", REQUESTS).values()
    parts = [one for lane in lanes for one in lane if one["name"] in {"queue", "stream"}]
    whole = [one for lane in lanes for one in lane if "request_id" in one["args"]]

    assert sum(one["dur"] for one in parts) == sum(one["dur"] for one in whole)
    assert {one["name"] for one in whole} == {"ok", "abort"}


def test_the_same_run_gives_the_same_bytes_and_hostile_names_stay_names() -> None:
    """A trace is a function of the evidence; a pod may be called anything."""
    read = reading("pass")
    timeline = tuple(
        {**one, "name": one["name"] + HOSTILE} if one["kind"] == "pod" else one for one in read.facts.timeline
    )
    evil = replace(read, facts=replace(read.facts, timeline=timeline))

    assert trace(read) == trace(read)
    assert len(json.loads(trace(evil))["traceEvents"]) == len(events("pass"))
    assert trace(evil).isascii()
    assert "\\ud800" not in trace(evil)
