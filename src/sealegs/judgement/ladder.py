"""The ladder of a recovery: when each step from the fault back to good service was seen.

Every step is something that somebody noted; what nobody noted is None and never guessed. The steps of
replacements are reached when the last one that is needed reaches them: as many as pods were away.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sealegs.judgement.absences import Absence, What, absences_of, restarts
from sealegs.judgement.facts import Facts, FaultStory, Record
from sealegs.judgement.fates import Fates, Words

# The steps of what takes the place of pods that were away. For one that was deleted another is scheduled;
# one that was restarted, or only not ready, is its own successor and takes the later steps alone.
STEPS: dict[str, tuple[What, ...]] = {
    "scheduled": ("deleted",),
    "started": ("deleted", "restarted"),
    "loaded": ("deleted", "restarted"),
    "ready": ("deleted", "restarted", "unready"),
    "routable": ("deleted", "restarted", "unready"),
}
SIGNS: dict[What, str] = {
    "deleted": "is on its way out",
    "restarted": "was restarted",
    "unready": "is not ready",
}

# When, if it was seen, and what was seen.
Step = tuple[float | None, str]


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One step: when since run start and since injection, None if it was not seen, and what was seen."""

    name: str
    at_s: float | None
    after_s: float | None
    subject: str


@dataclass(frozen=True, kw_only=True)
class _Successor:
    """What took a pod's place: its records from then on, none if nothing did, and when a service had it."""

    what: What
    name: str
    records: tuple[Record, ...]
    listed_s: float | None

    def reached_s(self, step: str) -> float | None:
        """When it was first seen to have reached a step."""
        if step == "routable":
            return self.listed_s
        return next((float(one["t_s"]) for one in self.records if IS_AT[step](one)), None)


IS_AT: dict[str, Callable[[Record], bool]] = {
    "scheduled": lambda pod: bool(pod.get("node")),
    "started": lambda pod: pod.get("phase") == "Running",
    "loaded": lambda pod: bool(pod.get("started")),
    "ready": lambda pod: bool(pod.get("ready") and not pod.get("deleting")),
}


def ladder_of(
    facts: Facts, fates: Fates, story: FaultStory, *, causes: Words, recovered_s: float | None
) -> tuple[Rung, ...]:
    """Every step in order; none at all where nothing was injected.

    `causes` are those of `sealegs.judgement.losses.cause_of`; `recovered_s` counts from the injection.
    """
    struck_s = story.injected_s
    if struck_s is None:
        return ()
    away = _away(facts, story, struck_s=struck_s)
    successors = tuple(_successors(facts, away, struck_s=struck_s))
    met_s = None if recovered_s is None else struck_s + recovered_s
    steps: dict[str, Step] = {
        "injected": (struck_s, story.fault),
        "first-error": _first_error(fates, causes, struck_s=struck_s),
        "detected": min(_signs(facts, story, away, struck_s=struck_s), default=(None, "")),
        **{name: _reached(successors, name) for name in STEPS},
        "slo-met": (met_s, ""),
    }
    return tuple(
        Rung(
            name=name,
            at_s=None if at_s is None else round(at_s, 6),
            after_s=None if at_s is None else round(at_s - struck_s, 6),
            subject=subject,
        )
        for name, (at_s, subject) in steps.items()
    )


def _first_error(fates: Fates, causes: Words, *, struck_s: float) -> Step:
    """The first end of a request that was lost, and not by the client itself.

    Not only of what the fault is known to have cut: the mesh's refusals come before those, and are its doing.
    """
    after = np.flatnonzero((causes != "") & (fates.end_s >= struck_s))
    chosen = after[~np.char.startswith(causes[after].astype(str), "client-")]
    if not len(chosen):
        return None, ""
    first = chosen[np.argmin(fates.end_s[chosen])]
    return float(fates.end_s[first]), f"{fates.request_id[first]}: {causes[first]}"


def _away(facts: Facts, story: FaultStory, *, struck_s: float) -> dict[str, Absence]:
    """The first absence of each pod that the fault hit and that was away for it."""
    found = absences_of(facts)
    first = {
        pod: next((one for one in found.get(pod, ()) if one.from_s >= struck_s), None) for pod in story.pods
    }
    return {pod: one for pod, one in sorted(first.items()) if one}


def _signs(
    facts: Facts, story: FaultStory, away: dict[str, Absence], *, struck_s: float
) -> Iterator[tuple[float, str]]:
    """What the cluster noted of the fault: pods' states, services' endpoints, hosts that the mesh ejected."""
    for pod, one in away.items():
        yield one.from_s, f"{pod} {SIGNS[one.first]}"
    yield from _dropped(facts, story, struck_s=struck_s)
    yield from _ejected(facts, struck_s=struck_s)


def _dropped(facts: Facts, story: FaultStory, *, struck_s: float) -> Iterator[tuple[float, str]]:
    """When a service's endpoints dropped pods that the fault hit."""
    ready: dict[str, frozenset[str]] = {}
    for record in facts.of_kind("endpoints"):
        service, now = str(record["name"]), story.pods & set(record.get("ready") or ())
        for pod in sorted(ready.get(service, frozenset()) - now if record["t_s"] >= struck_s else ()):
            yield record["t_s"], f"endpoints of {service} dropped {pod}"
        ready[service] = now


def _ejected(facts: Facts, *, struck_s: float) -> Iterator[tuple[float, str]]:
    """When the mesh had more hosts ejected than at the injection."""
    counts = [(one["t_s"], one.get("ejections_active") or 0) for one in facts.samples]
    before = next((count for t_s, count in reversed(counts) if t_s < struck_s), 0)
    more = next(((t_s, count) for t_s, count in counts if t_s >= struck_s and count > before), None)
    if more is not None:
        yield more[0], f"the mesh ejected {more[1] - before}"


def _successors(facts: Facts, away: dict[str, Absence], *, struck_s: float) -> Iterator[_Successor]:
    """What took the place of each pod that was away: of the new ones of its app the first that is left."""
    found = facts.pods()
    new = [its for its in found.values() if its[0]["t_s"] >= struck_s]
    lists = list(facts.of_kind("endpoints"))
    for pod, absence in away.items():
        records = next(its for (name, _), its in found.items() if name == pod)
        if absence.what == "deleted":
            its = next((one for one in new if one[0].get("app") == records[0].get("app")), [])
            new = [one for one in new if one is not its]
            listed_s = _listed_s(lists, its[0]["name"], since_s=its[0]["t_s"]) if its else None
        else:
            its = _since(records, absence)
            listed_s = _listed_s(lists, pod, since_s=absence.from_s, again=True)
        name = str(its[0]["name"]) if its else ""
        yield _Successor(what=absence.what, name=name, records=tuple(its), listed_s=listed_s)


def _since(records: Sequence[Record], absence: Absence) -> list[Record]:
    """Records of a pod that stayed: from when its container ran again, or it was ready again."""
    before = max((restarts(one) for one in records if one["t_s"] < absence.from_s), default=0)
    if absence.what == "unready":
        return [one for one in records if one["t_s"] >= absence.until_s]
    return [one for one in records if restarts(one) > before]


def _listed_s(lists: Sequence[Record], pod: str, *, since_s: float, again: bool = False) -> float | None:
    """When the endpoints of a service had a pod as ready; `again`: after they had dropped it."""
    dropped: set[str] = set()
    for record in (one for one in lists if one["t_s"] >= since_s):
        if pod not in (record.get("ready") or ()):
            dropped.add(record["name"])
        elif not again or record["name"] in dropped:
            return float(record["t_s"])
    return None


def _reached(successors: Sequence[_Successor], name: str) -> Step:
    """When the last of the successors that a step is for reached it, if all did."""
    its = [one for one in successors if one.what in STEPS[name]]
    at_s = [one.reached_s(name) for one in its]
    seen_s = [one for one in at_s if one is not None]
    if not its or (name == "loaded" and not any("started" in one for it in its for one in it.records)):
        return None, ""
    if len(seen_s) < len(its):
        return None, f"{len(seen_s)} of {len(its)}"
    last_s, last = max(zip(seen_s, (one.name for one in its), strict=True))
    return last_s, last if len(its) == 1 else f"{len(its)} of {len(its)}, the last {last}"
