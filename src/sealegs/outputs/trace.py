"""A Chrome trace of one run, which Perfetto opens: phases, the fault, pods, and a sample of the requests.

Times are microseconds since run start. All bad requests are in it, and evenly chosen good ones: the same
evidence gives the same bytes.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush
from itertools import count, pairwise
from typing import Any

import numpy as np

from sealegs.judgement.facts import Facts, FaultStory
from sealegs.outputs.text import line
from sealegs.report.reading import Reading

GOOD_MAX = 300
RUN, PODS, REQUESTS = 1, 2, 3
PHASES, FAULT = 1, 2
PROCESSES = {RUN: "run", PODS: "pods", REQUESTS: "requests (all bad, some good)"}

Event = dict[str, Any]


def trace(reading: Reading) -> str:
    """The trace as JSON text."""
    events = [
        *(_named(pid, name) for pid, name in PROCESSES.items()),
        *_phases(reading),
        *_fault(reading.story, until_s=reading.seen_until_s),
        *_pods(reading),
        *_counters(reading.facts),
        *_requests(reading),
    ]
    about = {"run_id": reading.verdict["run_id"], "verdict": reading.verdict["verdict"]}
    document = {"traceEvents": events, "displayTimeUnit": "ms", "otherData": about}
    return json.dumps(document, separators=(",", ":"), allow_nan=False) + "\n"


def _phases(reading: Reading) -> Iterator[Event]:
    """One span a phase; a phase that was not seen to end lasts as long as the evidence."""
    yield _named(RUN, "phases", thread=PHASES)
    for phase in reading.phases:
        yield _span(RUN, PHASES, phase.name, phase.start_s, reading.ends_s(phase))


def _fault(story: FaultStory | None, *, until_s: float) -> Iterator[Event]:
    """One span a state of the fault, until the next one; gone is a moment."""
    if story is None:
        return
    yield _named(RUN, f"fault {story.fault}", thread=FAULT)
    states = ("armed", "injected", "landed", "undone")
    stamps = (story.armed_s, story.injected_s, story.landed_s, story.undone_s)
    seen = [(t_s, name) for t_s, name in zip(stamps, states, strict=True) if t_s is not None]
    end_s = until_s if story.gone_s is None else story.gone_s
    for (t_s, name), (next_s, _) in pairwise([*seen, (end_s, "")]):
        yield _span(RUN, FAULT, name, t_s, next_s, target=line(json.dumps(story.target)))
    if story.gone_s is not None:
        yield _moment(RUN, FAULT, "gone", story.gone_s)


def _pods(reading: Reading) -> Iterator[Event]:
    """A thread a pod, with one span for each state it was in: scheduled, ready, stopping, until deleted."""
    histories: dict[str, list[Mapping[str, Any]]] = {}
    for record in reading.facts.of_kind("pod"):
        histories.setdefault(str(record["name"]), []).append(record)
    for thread, (name, history) in enumerate(histories.items(), start=1):
        yield _named(PODS, name, thread=thread)
        changes = [(_state(record), record) for record in history]
        kept = changes[:1] + [now for before, now in pairwise(changes) if now[0] != before[0]]
        ends = [*(record["t_s"] for _, record in kept[1:]), max(reading.seen_until_s, kept[-1][1]["t_s"])]
        for (state, record), end_s in zip(kept, ends, strict=True):
            if state == "deleted":
                yield _moment(PODS, thread, state, record["t_s"])
                continue
            yield _span(PODS, thread, state, record["t_s"], end_s, node=line(str(record.get("node") or "")))


def _state(record: Mapping[str, Any]) -> str:
    """What a pod was, in one word."""
    if record.get("event") == "deleted":
        return "deleted"
    if record.get("deleting"):
        return "stopping"
    if record.get("ready"):
        return "ready"
    return "scheduled" if record.get("node") else "pending"


def _counters(facts: Facts) -> Iterator[Event]:
    """Ready replicas of each app, and requests in flight, once a second."""
    for sample in facts.samples:
        at = {"ph": "C", "pid": RUN, "ts": _us(sample["t_s"])}
        if ready := sample.get("ready"):
            yield {**at, "name": "ready", "args": ready}
        if (in_flight := sample.get("load_in_flight")) is not None:
            yield {**at, "name": "in flight", "args": {"requests": in_flight}}


def _requests(reading: Reading) -> Iterator[Event]:
    """The sampled requests, each in the first lane that is free: within it queue, then stream."""
    fates = reading.fates
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    lanes = count(1)
    for index in sampled(fates.ok):
        start_s, first_s, end_s = (
            float(times[index]) for times in (fates.intended_s, fates.first_token_s, fates.end_s)
        )
        while busy and busy[0][0] <= start_s:
            heappush(free, heappop(busy)[1])
        if not free:
            heappush(free, next(lanes))
            yield _named(REQUESTS, f"lane {free[0]}", thread=free[0])
        outcome, told = line(str(fates.outcome[index])), _told(reading, index)
        if math.isnan(end_s):
            # It was never seen to end: a moment takes no lane.
            yield _moment(REQUESTS, free[0], outcome, start_s, **told)
            continue
        lane = heappop(free)
        heappush(busy, (end_s, lane))
        first_s = end_s if math.isnan(first_s) else min(first_s, end_s)
        yield _span(REQUESTS, lane, outcome, start_s, end_s, **told)
        yield _span(REQUESTS, lane, "queue", start_s, first_s)
        if first_s < end_s:
            yield _span(REQUESTS, lane, "stream", first_s, end_s)


def _told(reading: Reading, index: int) -> dict[str, Any]:
    """Who a request was, and where it went."""
    fates = reading.fates
    return {
        "request_id": line(str(fates.request_id[index])),
        "phase": str(fates.phase[index]),
        "pod": line(str(fates.pod[index])),
    }


def sampled(ok: Sequence[bool] | np.ndarray[Any, np.dtype[np.bool_]]) -> list[int]:
    """Places of all bad requests and of every n-th good one, at most GOOD_MAX of these, in order."""
    flags = np.asarray(ok, dtype=bool)
    good = np.flatnonzero(flags)
    step = max(1, math.ceil(len(good) / GOOD_MAX))
    chosen: list[int] = np.union1d(np.flatnonzero(~flags), good[::step]).tolist()
    return chosen


def _us(t_s: float) -> int:
    return round(t_s * 1e6)


def _named(pid: int, name: str, *, thread: int | None = None) -> Event:
    """The name of a process, or of one of its threads."""
    kind = "process_name" if thread is None else "thread_name"
    return {"ph": "M", "pid": pid, "tid": thread or 0, "name": kind, "args": {"name": line(name)}}


def _span(pid: int, thread: int, name: str, start_s: float, end_s: float, **args: object) -> Event:
    """Something that lasted."""
    lasted_us = _us(end_s) - _us(start_s)
    at = {"ph": "X", "pid": pid, "tid": thread, "ts": _us(start_s), "dur": max(lasted_us, 0)}
    return {**at, "name": name, "args": args}


def _moment(pid: int, thread: int, name: str, t_s: float, **args: object) -> Event:
    """Something that happened, in its thread."""
    return {"ph": "i", "s": "t", "pid": pid, "tid": thread, "ts": _us(t_s), "name": name, "args": args}
