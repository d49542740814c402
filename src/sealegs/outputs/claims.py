"""A verdict as one list: each claim and each check of the run, and how it counts for a machine.

A claim that the evidence cannot carry counts as INVALID whatever its numbers say, as on the page; a
counter-example counts in any run.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sealegs.judgement.fates import MEASURED
from sealegs.judgement.verdict import WORST_FIRST, Word
from sealegs.report.words import allowed, figure, seconds, share

Kind = Literal["objective", "invariant", "bound", "recovery", "budget", "check", "run"]
Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim: `word` is how it counts, `silenced` that this is not what its numbers say."""

    kind: Kind
    name: str
    word: Word
    said: str
    silenced: bool = False
    lasted_s: float = 0.0


def claims(document: Document) -> tuple[Claim, ...]:
    """Every claim of a verdict, in its order. A verdict that none of them explains is one itself."""
    found = (*_claimed(document), *_checks(document))
    if document["verdict"] != "PASS" and all(one.word == "PASS" for one in found):
        said = "; ".join(document["reasons"]) or "no reason given"
        return (*found, Claim(kind="run", name="verdict", word=document["verdict"], said=said))
    return found


def worst_first(found: Sequence[Claim]) -> list[Claim]:
    """The same claims: causes before what they silence, and that before what is well."""
    return sorted(found, key=lambda one: (one.word == "PASS", one.silenced, WORST_FIRST.index(one.word)))


def span_s(document: Document, phase: str | None = None) -> float:
    """How long a phase lasted, ``run`` being all that is measured; without one, all phases."""
    names = MEASURED if phase == "run" else (phase,)
    chosen = [one for one in document["phases"] if phase is None or one["name"] in names]
    return float(sum(one["end_s"] - one["start_s"] for one in chosen if one["end_s"] is not None))


def _claimed(document: Document) -> Iterator[Claim]:
    """What the scenario claimed."""
    for one in document["objectives"]:
        limit = f" within {seconds(one['limit_s'])}" if one["limit_s"] else ""
        sliced = f" slices of {one['slice_s']:g} s" if one["slice_s"] else ""
        said = (
            f"{one['n'] - one['bad']:,} of {one['n']:,}{sliced} good{limit}, {share(one['good_share'])}, "
            f"at least {share(one['bound_low'])}, target {share(one['target'])}"
        )
        lasted_s = span_s(document, one["phase"])
        yield _told(document, "objective", one, said, lasted_s=lasted_s)
    for one in document["invariants"]:
        yield _told(document, "invariant", one, one["detail"])
    for one in document["bounds"]:
        limits = allowed(one["at_least"], one["at_most"])
        yield _told(document, "bound", one, f"{figure(one['value'])}, limit {limits}: {one['detail']}")
    if one := document["recovery"]:
        said = f"{seconds(one['recovery_s'])}, limit {seconds(one['limit_s'])}: {one['detail']}"
        named = {**one, "name": "recovery"}
        yield _told(document, "recovery", named, said, lasted_s=one["recovery_s"] or 0.0)
    if one := document["budget"]:
        yield _told(document, "budget", {**one, "name": "budget"}, one["detail"], lasted_s=one["window_s"])


def _told(document: Document, kind: Kind, one: Document, said: str, *, lasted_s: float = 0.0) -> Claim:
    """One claim as it counts."""
    word: Word = one["verdict"]
    counterexample = kind == "invariant" and word == "FAIL"
    silenced = not document["validity"]["valid"] and not counterexample
    if word != "PASS" and (ids := one.get("request_ids")):
        said += f": {', '.join(ids)}"
    if word == "INCONCLUSIVE" and one.get("why") == "correlated":
        said += f"; the bad ones came together: worth about {one['effective_n']:,} independent ones"
    elif word == "INCONCLUSIVE" and one.get("more_needed"):
        said += f"; {one['more_needed']:,} more good ones would have decided it"
    if silenced:
        said = f"its numbers say {word}, the evidence cannot be trusted: {said}"
    counted: Word = "INVALID" if silenced else word
    return Claim(kind=kind, name=one["name"], word=counted, said=said, silenced=silenced, lasted_s=lasted_s)


def _checks(document: Document) -> Iterator[Claim]:
    """What says whether the evidence can be trusted."""
    for one in document["validity"]["checks"]:
        word: Word = "PASS" if one["ok"] else "INVALID"
        yield Claim(kind="check", name=one["name"], word=word, said=one["detail"])
