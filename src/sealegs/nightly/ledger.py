"""The ledger of states: what must be reached now and then, or the suite no longer tests it.

A claim about ejections that holds in a year without an ejection is an empty one (Antithesis calls these
*sometimes* assertions, FoundationDB code probes). A run notes what it reached; here is when it last was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sealegs.nightly.night import Night

UNSEEN_NIGHTS_MAX = 7

STATES = {
    "ejection": "the mesh took an endpoint that kept failing out of its pool",
    "refused-eviction": "a disruption budget refused an eviction (429)",
    "retry": "a client or the mesh asked again",
    "scale-up": "a deployment was given more replicas",
    "drain-with-streams": "pods were evicted while answers streamed from where the fault struck",
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One state: how many runs reached it tonight, and in how many nights since then none did.

    `last` is the latest night that reached it, None when none on record did.
    """

    state: str
    meaning: str
    runs: int
    last: str | None
    nights_since: int

    @property
    def is_overdue(self) -> bool:
        """Whether it has not been reached for so long that somebody should look."""
        return self.nights_since >= UNSEEN_NIGHTS_MAX


def states_of(verdict: Mapping[str, Any], samples: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How often a run reached each state, from its verdict and its samples; states not reached are left out.

    Ejections and replicas are the most that were seen at once, refusals and retries are counted.
    """
    counts, fault = verdict["counts"], verdict["fault"]
    struck = fault["in_flight_at_injection"] if fault else {}
    evicted = counts.get("evictions_granted", 0)
    found = {
        "ejection": _most(samples, "ejections_active"),
        "refused-eviction": counts.get("evictions_refused", 0),
        "retry": max(counts.get("retried", 0), _most(samples, "retries")),
        "scale-up": _added(samples),
        "drain-with-streams": sum(struck.values()) if evicted else 0,
    }
    return {state: count for state, count in found.items() if count}


def entries(nights: Sequence[Night]) -> list[Entry]:
    """The ledger as it stands after some nights, oldest first; the last is tonight."""
    found = []
    for state, meaning in STATES.items():
        reached = [sum(state in run.states for run in night.runs) for night in nights]
        at = max((index for index, runs in enumerate(reached) if runs), default=-1)
        found.append(
            Entry(
                state=state,
                meaning=meaning,
                runs=reached[-1] if reached else 0,
                last=nights[at].night if at >= 0 else None,
                nights_since=len(nights) - 1 - at,
            )
        )
    return found


def _most(samples: Sequence[Mapping[str, Any]], key: str) -> int:
    """The largest of a number that samples have."""
    return max((int(one.get(key) or 0) for one in samples), default=0)


def _added(samples: Sequence[Mapping[str, Any]]) -> int:
    """The most replicas that any app was wanted to have above the fewest before."""
    fewest: dict[str, int] = {}
    added = 0
    for sample in samples:
        for app, wanted in (sample.get("desired") or {}).items():
            fewest[app] = min(wanted, fewest.get(app, wanted))
            added = max(added, wanted - fewest[app])
    return added
