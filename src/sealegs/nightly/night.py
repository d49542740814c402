"""What is kept of a night: a digest of each run, small enough that a year of them is read at once.

Pure. The fields are the keys of ``night.json``; everything else on the page is computed from them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from sealegs.judgement.stats import Decision
from sealegs.judgement.verdict import WORST_FIRST, Word

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Objective:
    """An objective as its run's verdict has it; with `slice_s`, n and bad count slices of time."""

    name: str
    sli: str
    phase: str
    limit_s: float | None
    target: float
    confidence: float
    n: int
    bad: int
    bound_low: float
    bound_high: float
    verdict: Decision
    slice_s: float | None = None

    @property
    def good_share(self) -> float | None:
        """Share of good ones; None of none."""
        return 1 - self.bad / self.n if self.n else None

    @property
    def meaning(self) -> tuple[str, str, float | None, float | None]:
        """What is counted: shares of different meanings do not make a series."""
        return self.sli, self.phase, self.limit_s, self.slice_s


@dataclass(frozen=True, kw_only=True)
class Invariant:
    """An invariant as its run's verdict has it."""

    name: str
    verdict: Decision
    violations: int


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A bound as its run's verdict has it; `value` is None when it was not measured."""

    name: str
    verdict: Decision
    value: float | None
    at_least: float | None
    at_most: float | None


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """Recovery as its run's verdict has it; `recovery_s` is None when it was not seen."""

    verdict: Decision
    recovery_s: float | None
    limit_s: float


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What the fault cost, in shares of the period's error budget."""

    verdict: Decision
    spent: float | None
    spent_low: float
    spent_high: float
    spent_max: float


@dataclass(frozen=True, kw_only=True)
class Percentile:
    """Time to first token since a request was due, over all of a phase: one that failed took for ever."""

    phase: str
    q: float
    value_s: float | None


@dataclass(frozen=True, kw_only=True)
class Digest:
    """A run of a scenario, or one that did not come to be: then `run_id` is None and `error` says why.

    `attempt` counts from 1 in the night. `expected` is how the scenario must end, and anything but PASS makes
    it a negative control; `as_expected` says whether it did, for the reason that it gives. `canaries` are
    what the client measured of itself, in seconds, and `states` how often a state of the ledger was reached.
    """

    scenario: str
    expected: Word
    as_expected: bool
    attempt: int
    verdict: Word
    took_s: float
    run_id: str | None = None
    error: str | None = None
    reasons: tuple[str, ...] = ()
    valid: bool = False
    checks: int = 0
    checks_ok: int = 0
    commit: str | None = None
    dirty: bool | None = None
    images: dict[str, str] = field(default_factory=dict)
    objectives: tuple[Objective, ...] = ()
    invariants: tuple[Invariant, ...] = ()
    bounds: tuple[Bound, ...] = ()
    recovery: Recovery | None = None
    budget: Budget | None = None
    ttft: tuple[Percentile, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    canaries: dict[str, float] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)

    @property
    def is_control(self) -> bool:
        """Whether the scenario must not pass."""
        return self.expected != "PASS"

    @property
    def counts_as(self) -> Word:
        """What the run says of the night: a control that was caught is a PASS, one that was missed a FAIL.

        Of a control whose evidence cannot be trusted nobody knows whether it would have been caught.
        """
        if not self.is_control:
            return self.verdict
        if self.as_expected:
            return "PASS"
        return "INVALID" if self.verdict == "INVALID" else "FAIL"


@dataclass(frozen=True, kw_only=True)
class Night:
    """One night's runs in the order in which they were made. Times are UTC, ISO 8601, to the second."""

    schema: int
    night: str
    started_at: str
    ended_at: str | None
    runs: tuple[Digest, ...]

    @cached_property
    def tries(self) -> Mapping[str, tuple[Digest, ...]]:
        """Scenario → its runs, the last of which counts."""
        found: dict[str, tuple[Digest, ...]] = {}
        for run in self.runs:
            found[run.scenario] = (*found.get(run.scenario, ()), run)
        return found

    @cached_property
    def counted(self) -> Mapping[str, Digest]:
        """Scenario → the run that counts."""
        return {name: tries[-1] for name, tries in self.tries.items()}

    @cached_property
    def word(self) -> Word:
        """The night in one word: the worst of its scenarios'. A night that tested nothing decided nothing."""
        words = [one.counts_as for one in self.counted.values()]
        return worst(words) if words else "INCONCLUSIVE"

    @property
    def seen_at(self) -> str:
        """When it ended, or when it began if it was not seen to end."""
        return self.ended_at or self.started_at


def word_of(text: str) -> Word:
    """A text that is one of the four words, as one."""
    return next(word for word in WORST_FIRST if word == text)


def worst(words: Sequence[Word]) -> Word:
    """The word that decides among some."""
    return min(words, key=WORST_FIRST.index)


def claims(run: Digest) -> Iterator[tuple[str, Word]]:
    """Each claim of a run and how it counts: INVALID where the evidence cannot carry what its numbers say."""
    for law in run.invariants:
        yield law.name, law.verdict if law.verdict == "FAIL" or run.valid else "INVALID"
    for one in run.objectives:
        yield one.name, one.verdict if run.valid else "INVALID"
    for bound in run.bounds:
        yield bound.name, bound.verdict if run.valid else "INVALID"
    if run.recovery is not None:
        yield "recovery", run.recovery.verdict if run.valid else "INVALID"
    if run.budget is not None:
        yield "budget", run.budget.verdict if run.valid else "INVALID"
