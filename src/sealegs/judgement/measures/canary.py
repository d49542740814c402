"""What the release of a canary met: its share of the requests, its rollback, and who found nobody there."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr, bdtrc

from sealegs.judgement.fates import TRUNCATED, Flags
from sealegs.judgement.losses import REFUSED, cause_of
from sealegs.judgement.measures.measured import Measured
from sealegs.judgement.situation import Situation
from sealegs.scenario.claim import Bound

PERCENT = 100
# Proxies learn of a changed route within a second or so, and each by itself.
PUSHED_S = 3.0


@dataclass(frozen=True, kw_only=True)
class _Release:
    """A canary's pods, the percents of the requests that they were to get, and its states' first times."""

    pods: tuple[str, ...]
    weight: float
    since_s: Mapping[str, float]


def weight_p_value(situation: Situation, bound: Bound) -> Measured:
    """How likely a split by the canary's weight is at least as far off as the one that was seen: 1 at most.

    A proxy draws for each request by itself, so among those that were sent from landed to undone, and whose
    engine is known, the number on the canary is binomial. The value is twice the smaller of its two exact
    tails: at least 1 - c where the weight lies in the Clopper-Pearson interval of confidence c. What a bound
    allows is None of so few requests that it would also allow all of them on one side.
    """
    fates, release = situation.fates, _release(situation)
    if release is None or "landed" not in release.since_s:
        return Measured(value=None, detail="no release of a canary landed")
    until_s = release.since_s.get("undone", np.inf)
    sent = (fates.sent_s >= release.since_s["landed"]) & (fates.sent_s < until_s) & (fates.pod != "")
    on_canary = sent & _on(situation, release)
    n, k, share = int(sent.sum()), int(on_canary.sum()), release.weight / PERCENT
    if not n:
        return Measured(value=None, detail="no request that was sent at the weight was answered")
    told = f"{k} of {n} requests, {k / n:.1%}, went to a canary with a weight of {release.weight:g} %"
    value, least = _p_value(k, n, share), bound.at_least
    if least is not None and min(value, max(_p_value(0, n, share), _p_value(n, n, share))) >= least:
        return Measured(value=None, detail=f"{told}: too few to tell whether it is kept")
    return Measured(value=value, detail=told, request_ids=fates.ids(on_canary))


def after_rollback(situation: Situation, _bound: Bound) -> Measured:
    """How many requests went to the canary that were sent after its rollback, and the push of it."""
    fates, release = situation.fates, _release(situation)
    if release is None or "undone" not in release.since_s:
        return Measured(value=None, detail="no release of a canary was rolled back")
    sent = (fates.sent_s >= release.since_s["undone"] + PUSHED_S) & (fates.pod != "")
    if not sent.any():
        return Measured(value=None, detail="no request that was sent after the rollback was answered")
    late = sent & _on(situation, release)
    told = f"of {int(sent.sum())} requests sent after the rollback {int(late.sum())} went to the canary"
    return Measured(value=int(late.sum()), detail=told, request_ids=fates.ids(late))


def cut_by_rollback(situation: Situation, _bound: Bound) -> Measured:
    """How many of the answers that the canary was giving at its rollback were cut; None when it gave none."""
    fates, release = situation.fates, _release(situation)
    at_s = np.nan if release is None else release.since_s.get("undone", np.nan)
    given = (fates.sent_s <= at_s) & ~(fates.end_s <= at_s)
    if release is None or not (given := given & _on(situation, release)).any():
        return Measured(value=None, detail="no canary was giving an answer when it was rolled back")
    cut = given & np.isin(fates.outcome, TRUNCATED)
    told = f"of {int(given.sum())} answers of the canary at its rollback {int(cut.sum())} were cut"
    return Measured(value=int(cut.sum()), detail=told, request_ids=fates.ids(cut))


def unserved(situation: Situation, bound: Bound) -> Measured:
    """How many requests of the phase were refused by no engine: there was none for them, or no way to one.

    An engine puts its name on what it says; without one it was the mesh, or what stands before the engines.
    """
    fates = situation.fates
    asked = fates.within(bound.phase)
    if not asked.any():
        return Measured(value=None, detail=f"no request was due in phase {bound.phase}")
    alone = asked & np.isin(fates.outcome, REFUSED) & (fates.pod == "")
    causes = cause_of(situation.facts, fates, situation.story)[alone]
    listed = ", ".join(f"{count} {cause}" for cause, count in Counter(causes.tolist()).most_common())
    told = f"of {int(asked.sum())} requests {int(alone.sum())} were refused without an engine's name"
    detail = f"{told} ({listed})" if listed else told
    return Measured(value=int(alone.sum()), detail=detail, request_ids=fates.ids(alone))


def _p_value(k: int, n: int, share: float) -> float:
    """Twice the smaller exact tail of k of n where each is one with this share; 1 at most."""
    return min(1.0, 2 * min(float(bdtr(k, n, share)), float(bdtrc(k - 1, n, share))))


def _release(situation: Situation) -> _Release | None:
    """The run's release, by the records of the fault that has a weight; a bad canary's own are others."""
    records = [one for one in situation.facts.of_kind("fault") if "weight" in one.get("target", {})]
    if not records:
        return None
    target, since_s = records[0]["target"], dict[str, float]()
    for one in records:
        since_s.setdefault(str(one["state"]), float(one["t_s"]))
    return _Release(pods=tuple(target["canary"]), weight=float(target["weight"]), since_s=since_s)


def _on(situation: Situation, release: _Release) -> Flags:
    """Requests that the canary answered, or refused."""
    return np.isin(situation.fates.pod, release.pods)
