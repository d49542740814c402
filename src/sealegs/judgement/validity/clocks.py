"""Whether those who stamp times agree about time: load process, runner, and the cluster's nodes.

Runner and load process share the kernel's monotonic clock where they share a machine: their offset is then 0
by construction. Load in the cluster is asked for its time before and after, and begins by the runner's; what
counts is how well that is known and how far it drifted.

A node's wall clock is held against the load's by the four stamps of NTP (RFC 5905, section 8), which every
answered request leaves: the client sent it before the engine received it, and the engine wrote the first
token before the client had it. So, with o for how far the node's clock is ahead,
``engine wrote - client had <= o <= engine received - client sent``; the tightest of many requests stand.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sealegs.judgement.facts import Facts, Places, Record
from sealegs.judgement.fates import Fates
from sealegs.judgement.validity.check import Check, at_most

OFFSET_S_MAX = 0.050
# What of an engine's line says how its clock stands.
STAMPS = ["pod", "wall_s", "received_s", "first_token_s"]
WINDOWS = {"before": ("warmup", "baseline"), "after": ("recovery",)}


@dataclass(frozen=True, kw_only=True)
class Offset:
    """How far a node's wall clock is ahead of the load's: between these two."""

    low_s: float
    high_s: float

    @property
    def most_s(self) -> float:
        """The clocks differ by no more than this."""
        return max(abs(self.low_s), abs(self.high_s))


def checks(facts: Facts, fates: Fates) -> Iterator[Check]:
    """Load and runner on one clock, and the nodes' clocks near it before and after the fault.

    Load that left no summary has failed already, and says nothing of its clocks.
    """
    if facts.load_summary is not None:
        yield _load_agrees(facts.run, facts.load_summary)
        yield _nodes_agree(facts, fates)


def _load_agrees(run: Record, summary: Record) -> Check:
    """The load's monotonic clock against the runner's; that of a pod was asked before and after the load."""
    bad = "the load's times cannot be laid beside the runner's"
    if pods := summary.get("pods"):
        drifts_s = [one.get("clock_drift_s") for one in pods]
        worst_s, told = None, "a pod's clock was not asked again after the load"
        if None not in drifts_s:
            worst_s = max(one["clock_uncertainty_s"] + abs(one["clock_drift_s"]) for one in pods)
            told = f"clocks of {len(pods)} load pods are known to {worst_s * 1e3:.1f} ms"
        return at_most("clock-load", worst_s, OFFSET_S_MAX, told=told, bad=bad)
    runner, load = run.get("boot_id"), summary.get("boot_id")
    same = runner is not None and runner == load
    told = "load ran on another machine" if load else "load did not say on which machine it ran"
    if same:
        told = "load and runner share a machine and its monotonic clock"
    return at_most("clock-load", 0.0 if same else None, OFFSET_S_MAX, told=told, bad=bad)


def _nodes_agree(facts: Facts, fates: Fates) -> Check:
    """Where it was not measured only a cluster made here passes: its nodes are containers of this machine."""
    found = offsets(facts, fates)
    if missing := [window for window in WINDOWS if not found.get(window)]:
        own = bool(facts.run.get("cluster", {}).get("owned"))
        why = f"the nodes' clocks were not measured {' and '.join(missing)} the fault"
        detail = f"{why}; they are this machine's" if own else why
        return Check(name="clock-offset", ok=own, value=None, limit=OFFSET_S_MAX, detail=detail)
    worst, node = max((one.most_s, node) for nodes in found.values() for node, one in nodes.items())
    nodes = {*found["before"], *found["after"]}
    told = f"clocks of {len(nodes)} nodes are within {worst * 1e3:.1f} ms of the load's"
    ok = worst <= OFFSET_S_MAX
    detail = (
        told if ok else f"the clock of node {node} may be {worst * 1e3:.1f} ms off, before or after the fault"
    )
    return Check(name="clock-offset", ok=ok, value=round(worst, 6), limit=OFFSET_S_MAX, detail=detail)


def offsets(facts: Facts, fates: Fates) -> dict[str, dict[str, Offset]]:
    """Before and after the fault → node → how far its clock is ahead, as far as requests show it."""
    node_of = {str(record["name"]): str(record.get("node")) for record in facts.of_kind("pod")}
    places, lines = _alone(facts, fates)
    wall_s, received_s, begun_s = (
        lines[name].to_numpy() for name in ("wall_s", "received_s", "first_token_s")
    )
    pods = lines["pod"].combine_chunks().dictionary_encode()
    pod = pods.indices.to_numpy()
    found: dict[str, dict[str, Offset]] = {}
    for window, phases in WINDOWS.items():
        zero_s = (facts.load_summary or {}).get(f"wall_zero_s_{window}")
        if zero_s is None:
            continue
        low_s = wall_s + begun_s - received_s - zero_s - fates.first_token_s[places]
        high_s = wall_s - zero_s - fates.sent_s[places]
        known = ~np.isnan(low_s) & ~np.isnan(high_s) & fates.within(*phases)[places]
        for number, name in enumerate(map(str, pods.dictionary.to_pylist())):
            if not (its := known & (pod == number)).any():
                continue
            nodes, node = found.setdefault(window, {}), node_of.get(name, name)
            so_far = nodes.get(node, Offset(low_s=-np.inf, high_s=np.inf))
            nodes[node] = Offset(
                low_s=max(so_far.low_s, float(low_s[its].max())),
                high_s=min(so_far.high_s, float(high_s[its].min())),
            )
    return found


def _alone(facts: Facts, fates: Fates) -> tuple[Places, pa.Table]:
    """Lines of requests that have one alone, from the pod that the client saw, and whose each is."""
    places = fates.lines
    times = np.bincount(places + 1, minlength=len(fates.request_id) + 1)
    seen = pa.array(fates.pod, pa.string()).take(pa.array(places, pa.int64(), mask=places < 0))
    its_own = np.asarray(pc.equal(facts.truth["pod"], seen), bool)
    chosen = its_own & (times[places + 1] == 1)
    return places[chosen], facts.truth.select(STAMPS).filter(pa.array(chosen))
