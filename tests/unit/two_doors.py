"""A run with two doors and a gateway: from 100 s on an engine fails that both doors ask."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
from tests.unit import lost_requests
from tests.unit.lost_requests import Row

from sealegs import tables
from sealegs.judgement.facts import Facts, fault_story
from sealegs.judgement.fates import fates_of
from sealegs.judgement.in_flight import InFlight
from sealegs.judgement.measures import MEASURES
from sealegs.judgement.measures.measured import Measured
from sealegs.judgement.situation import Situation
from sealegs.scenario.claim import Bound

PHASES = {"baseline": 10.0, "fault": 100.0, "recovery": 160.0, "end": 200.0}
DOORS = {"door-a": "10.0.0.8", "door-b": "10.0.0.9"}
BAD = "bad"


def timeline(*pods: str) -> tuple[Row, ...]:
    """Phases, doors, and a fault injected into these pods."""
    marks = [{"t_s": t_s, "kind": "phase", "name": name} for name, t_s in PHASES.items()]
    apps = {**dict.fromkeys(DOORS, "llm-api"), "gate": "istio-ingressgateway"}
    doors = [
        {"t_s": 1.0, "kind": "pod", "name": name, "ip": DOORS.get(name, "10.0.0.7"), "app": app}
        for name, app in apps.items()
    ]
    fault = {"kind": "fault", "fault": "engine_answers", "state": "injected", "target": {"pods": list(pods)}}
    return tuple(sorted([*marks, *doors, {"t_s": 100.0, **fault}], key=lambda one: one["t_s"]))


def looks(*ejected: Mapping[str, int], start_s: float = 100.5, **fields: Any) -> tuple[Row, ...]:  # noqa: ANN401
    """A sample a second with what each proxy says that it has ejected."""
    return tuple({"t_s": start_s + after_s, "ejected": one, **fields} for after_s, one in enumerate(ejected))


def error(number: int, at_s: float, door: str, *, pod: str = BAD, status: int = 503) -> tuple[Row, Row]:
    """A request that an engine failed through a door: its row, and the gateway's record."""
    row = lost_requests.row(
        number,
        intended_s=at_s - 0.01,
        sent_s=at_s - 0.01,
        end_s=at_s,
        outcome="http_5xx",
        status=status,
        pod=pod,
    )
    record = {"request_id": row["request_id"], "start_time": "2026", "response_code": status}
    return row, {**record, "response_flags": "-", "upstream_host": f"{DOORS[door]}:8080"}


def answered(number: int, at_s: float, **columns: Any) -> Row:  # noqa: ANN401 - any column
    """A request that was answered within a second, by an engine that is sound."""
    good = {"outcome": "ok", "status": 200, "pod": "good", "tokens_received": 3}
    times = {"intended_s": at_s, "sent_s": at_s, "end_s": at_s + 1}
    return lost_requests.row(number, **good | times | columns)


def run(
    rows: Sequence[Row],
    *,
    records: Sequence[Row] = (),
    samples: Sequence[Row] = (),
    truth: Sequence[Row] = (),
    pods: Sequence[str] = (BAD,),
) -> Facts:
    """The evidence of one run."""
    facts = lost_requests.run(
        rows,
        timeline=timeline(*pods),
        mesh=tuple(records),
        truth=pa.Table.from_pylist(list(truth), schema=tables.TRUTH),
    )
    return replace(facts, samples=tuple(samples))


def measured(name: str, facts: Facts, **keys: Any) -> Measured:  # noqa: ANN401 - any key of a bound
    """One measure of a run."""
    situation = Situation(facts=facts, fates=fates_of(facts), story=fault_story(facts), in_flight=InFlight())
    return MEASURES[name](situation, Bound(name="b", measure=name, **keys))
