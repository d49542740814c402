"""What is known about each request that was lost: its row, and what engines and gateway wrote about it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from sealegs.judgement import mesh
from sealegs.judgement.facts import Facts, Record, rows_about
from sealegs.judgement.fates import Fates

# The answer itself says that the engine ended it, whatever passed it on.
ENDED_BY_ENGINE = ("abort", "error_event")


@dataclass(frozen=True, kw_only=True)
class Lost:
    """What is known about one lost request.

    Attributes:
        sent_s: when its last attempt was sent; of one that was tried again, the earliest that can have been.
        end_s: when the client saw its end; infinite when it saw none.
        served_by: the engine that put its name on the answer; empty when none did.
        engine: an engine's line about the last attempt.
        reached_s: when that engine had it, where engines share the runner's clock; None elsewhere.
        gateway: the gateway's record of it.
        pods: where it was, as far as is known, and may have been cut.
    """

    outcome: str
    detail: str
    sent_s: float
    end_s: float
    served_by: str
    engine: Record | None
    reached_s: float | None
    gateway: Record | None
    pods: tuple[str, ...]


def lost_of(facts: Facts, fates: Fates) -> Iterator[tuple[int, Lost]]:
    """Each lost request, with its index in the fates."""
    lost = np.flatnonzero(~fates.ok)
    ids = [str(one) for one in fates.request_id[lost]]
    # Of several rows the first counts, as in the fates; of several attempts the last.
    rows = {row["request_id"]: row for row in reversed(rows_about(facts.requests, ids))}
    earlier_s = {row["request_id"]: row["end_s"] for row in rows_about(facts.attempts, ids)}
    engines, gateway = _engine_lines(facts, rows), mesh.last_of(facts.mesh, facts.requests)
    names = _names(facts)
    zero_s = facts.run["started_monotonic_ns"] / 1e9
    shared = bool((facts.run.get("cluster") or {}).get("owned"))
    for at, request_id in zip(lost.tolist(), ids, strict=True):
        engine, record, outcome = engines.get(request_id), gateway.get(request_id), str(fates.outcome[at])
        served_by = str(fates.pod[at])
        on = served_by or (str(engine["pod"]) if engine else "")
        behind = _behind(record, names) if record and outcome not in ENDED_BY_ENGINE else ""
        yield (
            at,
            Lost(
                outcome=outcome,
                detail=str(rows.get(request_id, {}).get("outcome_detail") or ""),
                sent_s=float(earlier_s.get(request_id) or fates.sent_s[at]),
                end_s=math.inf if math.isnan(fates.end_s[at]) else float(fates.end_s[at]),
                served_by=served_by,
                engine=engine,
                reached_s=engine["received_s"] - zero_s if engine and shared else None,
                gateway=record,
                pods=tuple(filter(None, (on, behind))),
            ),
        )


def _engine_lines(facts: Facts, rows: Mapping[str, Record]) -> dict[str, Record]:
    """The engine's line about each request's last attempt; none where an attempt may have left no line."""
    lines: dict[str, list[Record]] = {}
    for line in rows_about(facts.truth, rows):
        lines.setdefault(line["request_id"], []).append(line)
    return {
        request_id: max(its, key=lambda one: float(one["wall_s"] or one["received_s"]))
        for request_id, its in lines.items()
        if len(its) >= (rows[request_id]["attempts"] or 1)
    }


def _names(facts: Facts) -> dict[str, str]:
    """Address → the pod that had it; none of those that several had in turn."""
    pods: dict[str, set[str]] = {}
    for record in facts.of_kind("pod"):
        if record.get("ip"):
            pods.setdefault(str(record["ip"]), set()).add(str(record["name"]))
    return {ip: next(iter(names)) for ip, names in pods.items() if len(names) == 1}


def _behind(record: Record, names: Mapping[str, str]) -> str:
    """The pod that the gateway sent a request to, if it may have been cut there; empty when nobody knows.

    Without a flag that pod passed on what it had to its end, an error of others included.
    """
    address, _, _ = str(record.get("upstream_host") or "").rpartition(":")
    return names.get(address, "") if mesh.flag_of(record) else ""
