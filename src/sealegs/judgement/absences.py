"""When pods were away, as the timeline tells it: on their way out, restarted, or not ready."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sealegs.judgement.facts import Facts, Record

What = Literal["unready", "restarted", "deleted"]
# What is seen later and says more takes the place of what says less.
SEVERITY: tuple[What, ...] = ("unready", "restarted", "deleted")


@dataclass(frozen=True, kw_only=True)
class Absence:
    """From its first sign until the pod was gone, or ready again; infinite when neither was seen.

    `what` says most of it, `first` is its first sign. `reason` is that of the pod's DisruptionTarget
    condition or of its container's end, empty when there was none.
    """

    from_s: float
    until_s: float = math.inf
    what: What
    first: What
    reason: str

    @property
    def sudden(self) -> bool:
        """Whether nothing announced it: the pod may have been dead for as long as its probes take."""
        return self.first != "deleted"


def absences_of(facts: Facts) -> dict[str, tuple[Absence, ...]]:
    """Each pod's absences, by its name, in time order. One that never was ready is not away yet."""
    found: dict[str, tuple[Absence, ...]] = {}
    for (name, _), its in facts.pods().items():
        found[name] = (*found.get(name, ()), *_absences(its))
    return found


def _absences(records: Sequence[Record]) -> Iterator[Absence]:
    """The absences of one pod."""
    away, before = None, records[0]
    for now in records:
        what = _what(before, now)
        reason = str((now.get("reason") if what == "deleted" else now.get("killed")) or "")
        if what and away is None:
            away = Absence(from_s=now["t_s"], what=what, first=what, reason=reason)
        elif what and away and SEVERITY.index(what) > SEVERITY.index(away.what):
            away = replace(away, what=what, reason=reason)
        if away and (now.get("event") == "deleted" or (now.get("ready") and not _is_leaving(now))):
            yield replace(away, until_s=now["t_s"])
            away = None
        before = now
    if away:
        yield away


def _what(before: Record, now: Record) -> What | None:
    """What a change of a pod says about its being away; None when nothing."""
    if _is_leaving(now):
        return "deleted"
    killed = now.get("killed") not in {None, before.get("killed")}
    if killed or restarts(now) > restarts(before):
        return "restarted"
    return "unready" if before.get("ready") and not now.get("ready") else None


def restarts(record: Record) -> int:
    """How often a pod's containers had been started again; evidence of old does not say."""
    return int(record.get("restarts") or 0)


def _is_leaving(record: Record) -> bool:
    """Whether a pod is on its way out, or has ended."""
    ended = record.get("event") == "deleted" or record.get("phase") in {"Succeeded", "Failed"}
    return bool(ended or record.get("deleting") or record.get("reason"))
