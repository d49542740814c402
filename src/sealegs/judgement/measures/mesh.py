"""What the mesh did of its own accord: hosts that it took out, requests that it refused or sent again.

The engines' clients are the proxies of llm-api. How many hosts each of them has out are its own statistics;
which of its requests failed where is told by the gateway's log and by the name that an engine puts on an
answer. Statistics are read every other second and are up to `mesh.OLD_S_MAX` old when a look has them, so
that moments are taken from requests.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from sealegs.judgement import mesh
from sealegs.judgement.facts import Facts, Record, mark_s, rows_about
from sealegs.judgement.measures.measured import Measured
from sealegs.judgement.measures.replicas import spans_of
from sealegs.judgement.situation import Situation
from sealegs.scenario.claim import Bound
from sealegs.stack_shape import API, GATEWAY

SERVER_ERROR = 500
NO_TARGET = Measured(value=None, detail="no fault was injected into exactly one pod")


@dataclass(frozen=True, kw_only=True)
class _Client:
    """What one client's proxy met: the target's errors, and when it was first seen to have a host out."""

    name: str
    errors: tuple[tuple[float, str], ...]
    out_s: float | None

    @property
    def until_out(self) -> tuple[str, ...]:
        """Requests that failed before the proxy took a host out; all that failed, if it never did."""
        return tuple(name for t_s, name in self.errors if self.out_s is None or t_s <= self.out_s)

    @property
    def first_out(self) -> tuple[float, float] | None:
        """The last error before its host was out, and the first after: nothing came from it in between."""
        if self.out_s is None:
            return None
        before = [t_s for t_s, _ in self.errors if t_s <= self.out_s]
        after = [t_s for t_s, _ in self.errors if t_s > self.out_s]
        return (before[-1], after[0]) if before and after else None


def ejected_max(situation: Situation, bound: Bound) -> Measured:
    """The most hosts that one proxy, of the observer's if it names one, had out in any look of the phase.

    It is 0 only if every proxy that was there in the phase spoke in it: of silence nothing follows.
    """
    apps = {str(pod["name"]): pod.get("app") for pod in situation.facts.of_kind("pod")}
    seen = [
        (count, sample["t_s"], proxy)
        for sample in _looks(situation, bound.phase)
        for proxy, count in sample["ejected"].items()
        if bound.observer in {"", apps.get(proxy)}
    ]
    if not seen:
        whose = f" of {bound.observer}" if bound.observer else ""
        return Measured(value=None, detail=f"no proxy{whose} said in phase {bound.phase} what it had ejected")
    most, at_s, proxy = max(seen, key=lambda one: (one[0], -one[1]))
    if most:
        return Measured(value=most, detail=f"{proxy} had {most} out at {at_s:.1f} s, the most of any proxy")
    spoke = {one[2] for one in seen}
    asked = {bound.observer} if bound.observer else {API, GATEWAY}
    if silent := _there(situation, asked, phase=bound.phase) - spoke:
        told = f"what {', '.join(sorted(silent))} had ejected was not heard in phase {bound.phase}"
        return Measured(value=None, detail=f"none, in what {len(spoke)} proxies said; {told}")
    return Measured(value=0, detail=f"none, in what {len(spoke)} proxies said")


def errors_until_ejected(situation: Situation, _bound: Bound) -> Measured:
    """How many of the target's errors a client's proxy passed on before it took it out: the most of any."""
    target = _target(situation)
    if target is None:
        return NO_TARGET
    clients = [one for one in _clients(situation, target) if one.errors]
    if not clients:
        return Measured(value=None, detail=f"no error of {target} came through a known proxy")
    worst = max(clients, key=lambda one: len(one.until_out))
    told = ", ".join(f"{one.name} {len(one.until_out)}{'' if one.out_s else ' and never'}" for one in clients)
    ids = worst.until_out
    return Measured(value=len(ids), detail=f"errors of {target} until it was out: {told}", request_ids=ids)


def errors_until_ejected_min(situation: Situation, _bound: Bound) -> Measured:
    """How many of the target's errors a client's proxy passed on before it took it out: the fewest of any."""
    target = _target(situation)
    if target is None:
        return NO_TARGET
    clients = [one for one in _clients(situation, target) if one.errors and one.out_s is not None]
    if not clients:
        return Measured(value=None, detail=f"no known proxy took {target} out for its errors")
    first = min(clients, key=lambda one: len(one.until_out))
    told = f"{first.name} took {target} out after {len(first.until_out)} errors, the fewest of {len(clients)}"
    return Measured(value=len(first.until_out), detail=told, request_ids=first.until_out)


def ejected_s(situation: Situation, _bound: Bound) -> Measured:
    """How long the target stayed out the first time: from the last of its errors to the next, at one proxy.

    The next shows that it was back; an ejection that outlived the fault has none.
    """
    target = _target(situation)
    if target is None:
        return NO_TARGET
    spans = [(*one.first_out, one.name) for one in _clients(situation, target) if one.first_out]
    if not spans:
        return Measured(value=None, detail=f"{target} was not seen to come back to a proxy while it failed")
    from_s, until_s, proxy = min(spans)
    value = until_s - from_s
    return Measured(value=value, detail=f"{target} was out at {proxy} from {from_s:.1f} s for {value:.1f} s")


def share_while_ejected(situation: Situation, _bound: Bound) -> Measured:
    """The target's share of the requests that were sent while every client's proxy had a host out.

    Of each stretch of such looks the end is left out, for as long as a statistic may be old.
    """
    target, fates = _target(situation), situation.fates
    if target is None:
        return NO_TARGET
    sent = 0
    to_target: list[str] = []
    for from_s, until_s in _all_out(situation):
        inside = (fates.sent_s >= from_s) & (fates.sent_s < until_s - mesh.OLD_S_MAX)
        sent += int(inside.sum())
        to_target += fates.ids(inside & (fates.pod == target), most=len(inside))
    if not sent:
        return Measured(value=None, detail="no request was sent while every client's proxy had a host out")
    told = f"of {sent} requests sent while every client had a host out {len(to_target)} went to {target}"
    return Measured(value=len(to_target) / sent, detail=told, request_ids=tuple(to_target))


def overflow(situation: Situation, bound: Bound) -> Measured:
    """How many requests proxies refused in the phase because a pool of connections was at its limit.

    What a look has was counted up to `mesh.OLD_S_MAX` earlier: of what grew around an edge of the phase
    nobody knows on which side it was. If anything did, the value is None unless what surely was inside is
    beyond the limit. A phase that ends with the run ends when everything has been answered.
    """
    spans = spans_of(situation, bound.phase)
    counted = [
        (one["t_s"], one["pending_overflow"])
        for one in situation.facts.samples
        if one.get("pending_overflow") is not None
    ]
    inside = [count for t_s, count in counted if any(span.holds(t_s) for span in spans)]
    if not inside:
        return Measured(value=None, detail=f"no look at the proxies in phase {bound.phase}")
    start_s, end_s = spans[0].start_s, spans[-1].until_s
    before = max((count for t_s, count in counted if t_s <= start_s), default=0)
    begun = min((count for t_s, count in counted if t_s >= start_s + mesh.OLD_S_MAX), default=math.inf)
    after = [count for t_s, count in counted if t_s >= end_s + mesh.OLD_S_MAX]
    ended = min(after, default=max(inside) if end_s == mark_s(situation.facts, "end") else math.inf)
    least, most = max(0, max(inside) - begun), ended - before
    told = f"{least:g} requests refused at the limit of a pool, by {len(inside)} looks"
    if least == most or (bound.at_most is not None and least > bound.at_most):
        return Measured(value=least, detail=told)
    return Measured(value=None, detail=f"at least {told}; of the edges of phase {bound.phase} nobody knows")


def attempts_max(situation: Situation, bound: Bound) -> Measured:
    """How often engines were given one request, for each time that its client sent it: the most of any."""
    fates, facts = situation.fates, situation.facts
    ids = fates.ids(fates.within(bound.phase), most=len(fates.request_id))
    given = Counter(one["request_id"] for one in rows_about(facts.truth.select(["request_id"]), ids))
    sent = {
        one["request_id"]: one["attempts"] or 1
        for one in rows_about(facts.requests.select(["request_id", "attempts"]), given)
    }
    if not sent:
        return Measured(value=None, detail=f"no engine has a line about a request of phase {bound.phase}")
    ratios = {name: given[name] / count for name, count in sent.items()}
    value = max(ratios.values())
    repeated = tuple(name for name in ids if ratios.get(name, 0) > 1)
    told = f"of {len(sent)} requests {len(repeated)} reached engines more often than they were sent"
    return Measured(value=value, detail=f"{told}, at most {value:g} times", request_ids=repeated)


def _looks(situation: Situation, phase: str) -> Iterator[Record]:
    """The samples of a phase in which proxies said what they had ejected."""
    spans = spans_of(situation, phase)
    for sample in situation.facts.samples:
        if sample.get("ejected") and any(span.holds(sample["t_s"]) for span in spans):
            yield sample


def _lives(facts: Facts, apps: Collection[str]) -> dict[str, tuple[float, float]]:
    """Pod of some apps → from when until when it was there; infinite of one that was not seen to go."""
    found: dict[str, tuple[float, float]] = {}
    for pod in facts.of_kind("pod"):
        if pod.get("app") in apps:
            name, gone = str(pod["name"]), pod.get("event") == "deleted"
            came_s, _ = found.get(name, (pod["t_s"], math.inf))
            found[name] = came_s, pod["t_s"] if gone else math.inf
    return found


def _there(situation: Situation, apps: Collection[str], *, phase: str) -> set[str]:
    """The pods of some apps that were there in a phase, for however short a while."""
    spans = spans_of(situation, phase)
    return {
        name
        for name, (came_s, gone_s) in _lives(situation.facts, apps).items()
        if any(came_s < span.until_s and span.start_s < gone_s for span in spans)
    }


def _target(situation: Situation) -> str | None:
    """The one pod that the fault was injected into."""
    story = situation.story
    if story is None or story.injected_s is None or len(story.pods) != 1:
        return None
    return next(iter(story.pods))


def _names(facts: Facts) -> dict[str, str]:
    """Address → the pod of llm-api that has it."""
    pods = (one for one in facts.of_kind("pod") if one.get("app") == API and one.get("ip"))
    return {str(one["ip"]): str(one["name"]) for one in pods}


def _clients(situation: Situation, target: str) -> list[_Client]:
    """Each client's proxy with the target's errors that came through it since injection, in time order."""
    facts, story = situation.facts, situation.story
    injected_s = story.injected_s if story and story.injected_s is not None else 0.0
    rows = facts.requests.select(["request_id", "end_s", "status", "pod"])
    failed = rows.filter(pc.greater_equal(rows["status"], pa.scalar(SERVER_ERROR)))
    records = mesh.last_of(facts.mesh, facts.requests)
    names = _names(facts)
    errors: dict[str, list[tuple[float, str]]] = {name: [] for name in names.values()}
    for row in failed.to_pylist():
        record = records.get(row["request_id"], {})
        proxy = names.get(str(record.get("upstream_host") or "").rpartition(":")[0])
        if proxy and row["pod"] == target and row["end_s"] >= injected_s:
            errors[proxy].append((row["end_s"], row["request_id"]))
    out_s = _first_out_s(situation, since_s=injected_s)
    return [
        _Client(name=name, errors=tuple(sorted(its)), out_s=out_s.get(name))
        for name, its in sorted(errors.items())
    ]


def _first_out_s(situation: Situation, *, since_s: float) -> Mapping[str, float]:
    """Proxy → the first look since then at which it said that it had a host out."""
    found: dict[str, float] = {}
    for sample in situation.facts.samples:
        for proxy, count in (sample.get("ejected") or {}).items():
            if count and sample["t_s"] >= since_s:
                found.setdefault(proxy, sample["t_s"])
    return found


def _all_out(situation: Situation) -> Iterator[tuple[float, float]]:
    """First and last look of each stretch in which every client's proxy said that it had a host out.

    One that is there and says nothing may have it back.
    """
    lives = _lives(situation.facts, {API})
    stretch: list[float] = []
    for sample in situation.facts.samples:
        there = [name for name, (came_s, gone_s) in lives.items() if came_s <= sample["t_s"] < gone_s]
        said = sample.get("ejected") or {}
        if there and all(said.get(name) for name in there):
            stretch.append(sample["t_s"])
        elif stretch:
            yield stretch[0], stretch[-1]
            stretch = []
    if stretch:
        yield stretch[0], stretch[-1]
