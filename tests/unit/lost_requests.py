"""A run that loses requests, for tests of what they were lost to: a few pods, and a fault that hits two."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
from tests.golden.make_run import made_facts

from sealegs import tables
from sealegs.judgement.facts import Facts, fault_story
from sealegs.judgement.fates import HOLE, fates_of
from sealegs.judgement.losses import cause_of

Row = dict[str, Any]
STRUCK_S = 100.0
EVICTED = "EvictionByEvictionAPI"
ADDRESSES = {"hit": "10.0.0.1", "other": "10.0.0.2", "taken": "10.0.0.3", "door-hit": "10.0.0.4"}


def pod(t_s: float, name: str, **changes: Any) -> Row:  # noqa: ANN401 - any field
    """A record of a pod that is ready but for the changes."""
    state = {"ready": True, "deleting": False, "reason": None, "restarts": 0, "killed": None}
    return {"t_s": t_s, "kind": "pod", "name": name, "ip": ADDRESSES[name], **state, **changes}


KILLED = {"ready": False, "restarts": 1}


def struck() -> Row:
    """The fault's injection."""
    target = {"pods": ["hit", "door-hit"]}
    return {"t_s": STRUCK_S, "kind": "fault", "fault": "node_drain", "state": "injected", "target": target}


# The fault drains `hit` and `door-hit`; somebody else takes `taken` away much earlier.
TIMELINE = (
    *(pod(1.0, name) for name in ADDRESSES),
    pod(50.0, "taken", deleting=True, reason="PreemptionByScheduler"),
    pod(60.0, "taken", event="deleted"),
    struck(),
    pod(105.0, "hit", deleting=True, reason=EVICTED),
    pod(105.0, "door-hit", deleting=True, reason=EVICTED),
    pod(120.0, "hit", event="deleted"),
    pod(120.0, "door-hit", event="deleted"),
)


def row(number: int = 0, **values: Any) -> Row:  # noqa: ANN401 - any column
    """A request's row: sent at 80 s and cut at 85 s unless it says otherwise."""
    default = {
        "intended_s": 80.0,
        "sent_s": 80.0,
        "end_s": 85.0,
        "outcome": "cut_rst",
        "attempts": 1,
        "status": 200,
    }
    return {"request_id": f"r{number}", **default, **values}


def line(**values: Any) -> Row:  # noqa: ANN401 - any field
    """An engine's line about the request: received a millisecond after it was sent, on another clock."""
    default = {"pod": "other", "received_s": 7000.0, "end_s": 7005.0, "tokens": 3, "wall_s": 1.0}
    return {"request_id": "r0", **default, **values}


def record(flags: str, **values: Any) -> Row:  # noqa: ANN401 - any field
    """The gateway's record of the request."""
    return {"request_id": "r0", "start_time": "2026", "response_code": 200, "response_flags": flags, **values}


def run(rows: Sequence[Row], **parts: Any) -> Facts:  # noqa: ANN401 - any part
    """A run with these requests, and nobody's word about them unless `parts` have some.

    Its engines have clocks of their own unless `parts` say otherwise.
    """
    schedule = [{key: one[key] for key in ("request_id", "intended_s")} for one in rows]
    facts = made_facts("pass")
    default: Row = {
        "run": {**facts.run, "cluster": {"owned": False}},
        "truth": tables.TRUTH.empty_table(),
        "mesh": (),
        "timeline": TIMELINE,
        "attempts": tables.ATTEMPTS.empty_table(),
    }
    return replace(
        facts,
        schedule=pa.Table.from_pylist(schedule, schema=tables.SCHEDULE),
        requests=pa.Table.from_pylist(
            [one for one in rows if one["outcome"] != HOLE], schema=tables.REQUESTS
        ),
        **(default | parts),
    )


def causes(facts: Facts) -> list[str]:
    """The causes of a run's requests, in the order of their intended times."""
    return [str(one) for one in cause_of(facts, fates_of(facts), fault_story(facts))]


def cause(values: Row, *, truth: Sequence[Row] = (), mesh: Sequence[Row] = (), **parts: Any) -> str:  # noqa: ANN401
    """The cause of one request's loss."""
    lines = pa.Table.from_pylist(list(truth), schema=tables.TRUTH)
    (found,) = causes(run([row(**values)], truth=lines, mesh=tuple(mesh), **parts))
    return found


def open_from(sent_s: float, end_s: float | None, **values: Any) -> Row:  # noqa: ANN401 - any column
    """Columns of a request that was open between these times."""
    return {"sent_s": sent_s, "end_s": end_s, **values}
