"""What is new tonight: what a reader who saw last night's page has to know, worst first."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sealegs.judgement.verdict import Word
from sealegs.nightly.history import History
from sealegs.nightly.night import Digest, Night, claims


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change of a scenario. `kind` is for people, `word` is how bad it is."""

    kind: str
    word: Word
    scenario: str
    what: str


ORDER = (
    "new FAIL",
    "not caught",
    "no longer run",
    "newly INVALID",
    "newly INCONCLUSIVE",
    "fixed",
    "decided again",
    "new scenario",
)


def changes_of(history: History) -> list[Change]:
    """Each scenario that is not what it was in the last night on record, worst first."""
    tonight, before = history.tonight, history.before
    if not isinstance(tonight, Night) or before is None:
        return []
    ours, theirs = tonight.counted, before.counted
    found = [
        change for name in ours if name in theirs for change in _of_scenario(name, theirs[name], ours[name])
    ]
    found += [_gone(name, theirs[name]) for name in theirs if name not in ours]
    found += [_new(name, ours[name]) for name in ours if name not in theirs]
    return sorted(found, key=lambda one: (one.word != "FAIL", ORDER.index(one.kind), one.scenario))


def failing(run: Digest) -> Mapping[str, Word]:
    """The claims of a run that are refuted."""
    return {name: word for name, word in claims(run) if word == "FAIL"}


def _of_scenario(name: str, before: Digest, now: Digest) -> Iterator[Change]:
    """What changed of one scenario."""
    old, new = before.counts_as, now.counts_as
    if now.is_control:
        yield from _of_control(name, before, now)
        return
    fresh = [claim for claim in failing(now) if claim not in failing(before)]
    if fresh or (new == "FAIL" and old != "FAIL"):
        yield Change(kind="new FAIL", word="FAIL", scenario=name, what=", ".join(fresh) or "the run")
    gone = [claim for claim, word in claims(now) if word == "PASS" and claim in failing(before)]
    if gone:
        yield Change(kind="fixed", word="PASS", scenario=name, what=", ".join(gone))
    if new != old and new in {"INVALID", "INCONCLUSIVE"}:
        why = now.error or (now.reasons[0] if now.reasons else "no reason given")
        yield Change(kind=f"newly {new}", word=new, scenario=name, what=why)
    if new == "PASS" and old in {"INVALID", "INCONCLUSIVE"}:
        yield Change(kind="decided again", word="PASS", scenario=name, what=f"was {old}")


def _of_control(name: str, before: Digest, now: Digest) -> Iterator[Change]:
    """What changed of one negative control."""
    if now.counts_as == before.counts_as:
        return
    what = f"must be {now.expected}, is {now.verdict}"
    if now.counts_as == "PASS":
        yield Change(kind="fixed", word="PASS", scenario=name, what="negative control, caught again")
    elif now.counts_as == "FAIL":
        yield Change(kind="not caught", word="FAIL", scenario=name, what=f"negative control: {what}")
    else:
        yield Change(kind="newly INVALID", word="INVALID", scenario=name, what=f"negative control: {what}")


def _new(name: str, now: Digest) -> Change:
    what = f"negative control, must be {now.expected}, is {now.verdict}" if now.is_control else "first run"
    return Change(kind="new scenario", word=now.counts_as, scenario=name, what=what)


def _gone(name: str, before: Digest) -> Change:
    return Change(kind="no longer run", word="INVALID", scenario=name, what=f"was {before.verdict}")
