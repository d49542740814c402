"""What a run left behind, parsed: the only input of judgement.

`Facts.truth` is an Arrow table of `sealegs.tables.TRUTH`, not records: a run of a million requests has as
many lines. Ask it by columns; `places_of` says which request each line is about.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sealegs.scenario import Scenario

MARKS = ("warmup", "baseline", "fault", "recovery", "end")

Record = Mapping[str, Any]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One run's evidence. Times are seconds since run start; records are sorted by `t_s`.

    `truth` has a row for each of the engines' own lines about requests, `attempts` what clients tried before
    a request's last attempt, `mesh` what the gateway's access log has of requests that were not answered,
    `damage` what could not be read, in words.
    """

    run: Record
    scenario: Scenario
    schedule: pa.Table
    requests: pa.Table
    attempts: pa.Table
    timeline: tuple[Record, ...]
    samples: tuple[Record, ...]
    truth: pa.Table
    load_summary: Record | None
    mesh: tuple[Record, ...] = ()
    damage: tuple[str, ...] = ()

    def of_kind(self, kind: str) -> Iterator[Record]:
        """Timeline records of one kind, in time order."""
        return (record for record in self.timeline if record["kind"] == kind)

    def pods(self) -> dict[tuple[str, str], list[Record]]:
        """Timeline records of each pod, in time order, by its name and uid: a name may come again."""
        found: dict[tuple[str, str], list[Record]] = {}
        for record in self.of_kind("pod"):
            found.setdefault((str(record["name"]), str(record.get("uid"))), []).append(record)
        return found

    @property
    def seen_until_s(self) -> float:
        """When the last thing of the run was written down."""
        return max((record["t_s"] for record in (*self.timeline, *self.samples)), default=0.0)


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A phase between two marks that happened; `end_s` is None when the run did not live to see it."""

    name: str
    start_s: float
    end_s: float | None

    @property
    def until_s(self) -> float:
        """Its end; infinite when the run did not live to see it."""
        return math.inf if self.end_s is None else self.end_s

    def holds(self, t_s: float) -> bool:
        """Whether a moment belongs to the phase."""
        return self.start_s <= t_s < self.until_s


@dataclass(frozen=True, kw_only=True)
class FaultStory:
    """When the fault reached each of its states, who saw it land and go, and what it was aimed at."""

    fault: str
    target: Record
    witness: Record | None
    gone_witness: Record | None
    pods: frozenset[str]
    armed_s: float | None
    injected_s: float | None
    landed_s: float | None
    undone_s: float | None
    gone_s: float | None


def places_of(request_ids: "pa.ChunkedArray[Any]", among: npt.NDArray[np.object_]) -> Places:
    """Where in `among`, which has each id once, each of the ids stands; -1 of one that is not there."""
    found = pc.index_in(request_ids, pa.array(among, pa.string())).to_numpy()
    return np.asarray(np.nan_to_num(found, nan=-1), np.int64)


def rows_about(table: pa.Table, request_ids: Iterable[str]) -> list[dict[str, Any]]:
    """The rows of a table, of whatever columns, that are about some requests."""
    wanted = pc.is_in(table["request_id"], pa.array(list(request_ids), pa.string()))
    return list(table.filter(wanted).to_pylist())


def intervals(facts: Facts) -> tuple[Interval, ...]:
    """The phases that began, in time order."""
    marks = [(record["name"], record["t_s"]) for record in facts.of_kind("phase")]
    ends: list[float | None] = [t_s for _, t_s in marks[1:]]
    return tuple(
        Interval(name=name, start_s=start_s, end_s=end_s)
        for (name, start_s), end_s in zip(marks, [*ends, None], strict=False)
        if name != "end"
    )


def mark_s(facts: Facts, name: str) -> float | None:
    """When a phase mark was set, or None."""
    return next((record["t_s"] for record in facts.of_kind("phase") if record["name"] == name), None)


def fault_story(facts: Facts) -> FaultStory | None:
    """The run's fault; None when none was even armed."""
    records = list(facts.of_kind("fault"))
    if not records:
        return None
    first: dict[str, Record] = {}
    for record in records:
        first.setdefault(str(record.get("state")), record)
    target: Record = next((record["target"] for record in reversed(records) if record.get("target")), {})
    injected_s = _when(first.get("injected"))
    return FaultStory(
        fault=str(records[0].get("fault", "")),
        target=target,
        witness=first.get("landed", {}).get("witness") or None,
        gone_witness=first.get("gone", {}).get("witness") or None,
        pods=_pods_hit(facts, target, before_s=injected_s),
        armed_s=_when(first.get("armed")),
        injected_s=injected_s,
        landed_s=_when(first.get("landed")),
        undone_s=_when(first.get("undone")),
        gone_s=_when(first.get("gone")),
    )


def _when(record: Record | None) -> float | None:
    """Time of a record that may not exist."""
    return None if record is None else float(record["t_s"])


def _pods_hit(facts: Facts, target: Record, *, before_s: float | None) -> frozenset[str]:
    """Pods that a fault is aimed at: those its target names, and those on the node that it names."""
    named = target.get("pods", ())
    pods = {str(one.get("name") if isinstance(one, Mapping) else one) for one in named}
    if "pod" in target:
        pods.add(str(target["pod"]))
    if "node" in target and before_s is not None:
        alive: dict[str, Record] = {}
        for record in facts.of_kind("pod"):
            if record["t_s"] <= before_s:
                alive[record["name"]] = record
        on_node = {name for name, one in alive.items() if one.get("node") == target["node"]}
        pods |= {name for name in on_node if alive[name].get("event") != "deleted"}
    return frozenset(pods)
