"""The story of the fault: what the suite did to the cluster and what the cluster answered, in order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sealegs.judgement.invariants import GRANTED
from sealegs.report.reading import Reading
from sealegs.report.words import since

ROWS_MAX = 120
BEFORE_S, AFTER_S = 2.0, 30.0


@dataclass(frozen=True, kw_only=True)
class Happened:
    """One thing: when since injection (or run start, without one), to what, and what it was."""

    when: str
    kind: str
    subject: str
    what: str


def happened(reading: Reading) -> list[Happened]:
    """What was recorded from just before the fault was armed until a while after it was gone."""
    story = reading.story
    zero_s, low_s, high_s = 0.0, 0.0, float("inf")
    if story is not None:
        stamps = [
            one for one in (story.armed_s, story.injected_s, story.undone_s, story.gone_s) if one is not None
        ]
        zero_s = story.injected_s or min(stamps)
        low_s, high_s = min(stamps) - BEFORE_S, max(stamps) + AFTER_S
    rows: list[Happened] = []
    last: dict[tuple[str, str], Mapping[str, Any]] = {}
    for record in reading.facts.timeline:
        kind, subject, what = _told(record, last)
        if what and low_s <= record["t_s"] <= high_s and len(rows) < ROWS_MAX:
            rows.append(Happened(when=since(record["t_s"] - zero_s), kind=kind, subject=subject, what=what))
    return rows


def _told(record: Mapping[str, Any], last: dict[tuple[str, str], Mapping[str, Any]]) -> tuple[str, str, str]:
    """Kind, subject and what changed, in words; nothing said is nothing worth saying."""
    kind = str(record["kind"])
    subject = str(record.get("name") or record.get("pod") or record.get("where") or record.get("fault") or "")
    before = last.get((kind, subject), {})
    last[kind, subject] = record
    changes = {"fault": _fault, "eviction": _eviction, "pod": _pod, "node": _node, "error": _error}
    told = changes[kind](record, before) if kind in changes else ()
    return kind, subject, ", ".join(filter(None, told))


def _fault(record: Mapping[str, Any], _before: Mapping[str, Any]) -> Iterator[str]:
    """A fault's new state."""
    yield str(record.get("state"))
    yield str(record.get("detail") or "")


def _eviction(record: Mapping[str, Any], _before: Mapping[str, Any]) -> Iterator[str]:
    """What the API answered to an eviction."""
    yield f"eviction {'granted' if record.get('status') in GRANTED else 'refused'} ({record.get('status')})"
    yield str(record.get("message") or "")


def _pod(record: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[str]:
    """What is new about a pod."""
    if record.get("event") == "deleted":
        yield "gone"
        return
    if not before:
        yield f"seen on {record.get('node') or 'no node yet'}"
    elif record.get("node") != before.get("node"):
        yield f"placed on {record.get('node')}"
    if record.get("deleting") and not before.get("deleting"):
        yield f"told to stop ({record.get('reason') or 'no reason given'})"
    if record.get("ready") != before.get("ready", False):
        yield "ready" if record.get("ready") else "not ready"


def _node(record: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[str]:
    """What is new about a node."""
    if record.get("unschedulable") != before.get("unschedulable", False):
        yield "cordoned" if record.get("unschedulable") else "schedulable again"
    if record.get("ready") != before.get("ready", True):
        yield "ready" if record.get("ready") else "not ready"
    if before and record.get("gpus_allocatable") != before.get("gpus_allocatable"):
        yield f"{record.get('gpus_allocatable')} GPUs allocatable"


def _error(record: Mapping[str, Any], _before: Mapping[str, Any]) -> Iterator[str]:
    """What went wrong in the suite itself."""
    yield str(record.get("message"))
