"""How long after the fault the service was good again, and stayed so."""

from dataclasses import dataclass

import numpy as np

from sealegs.judgement.fates import Fates, Flags
from sealegs.judgement.slo import in_slices, ttft
from sealegs.judgement.stats import Decision
from sealegs.scenario.claim import Recovery


@dataclass(frozen=True, kw_only=True)
class RecoveryResult:
    """`recovery_s` is None when the service was not seen to recover."""

    verdict: Decision
    recovery_s: float | None
    limit_s: float
    detail: str


def recovery_of(fates: Fates, asked: Recovery, *, injected_s: float | None) -> RecoveryResult:
    """Time from injection to the start of the good slices that last to the end of the load.

    A single good slice proves nothing: recovery begins where no bad slice follows any more, and needs
    `asked.slices` good ones. A slice without requests shows nothing: it is neither good nor bad.
    """
    if injected_s is None:
        return _result("INCONCLUSIVE", None, asked, "no fault was injected, there is nothing to recover from")
    good, bad = _slices(fates, asked, injected_s=injected_s)
    lasting = _last_in_a_row(good)
    recovery_s = (len(good) - lasting) * asked.slice_s
    seen = f"{int(good.sum())} of {len(good)} slices of {asked.slice_s:g} s good, the last {lasting} in a row"
    if (len(bad) - _last_in_a_row(~bad)) * asked.slice_s > asked.limit_s:
        return _result("FAIL", recovery_s if lasting >= asked.slices else None, asked, seen)
    if lasting < asked.slices:
        return _result("INCONCLUSIVE", None, asked, f"{seen}; {asked.slices} are needed")
    if recovery_s > asked.limit_s:
        return _result("INCONCLUSIVE", None, asked, f"{seen}; before them no request was due to tell")
    return _result("PASS", recovery_s, asked, seen)


def _slices(fates: Fates, asked: Recovery, *, injected_s: float) -> tuple[Flags, Flags]:
    """Which of the whole slices from injection to the last intended request were good, and which bad."""
    fast = ttft(fates, asked.ttft_limit_s)
    requests, fine = in_slices(fates.intended_s, fast, slice_s=asked.slice_s, from_s=injected_s)
    enough = fine >= asked.good_share * requests
    return np.asarray((requests > 0) & enough), np.asarray(~enough)


def _last_in_a_row(flags: Flags) -> int:
    """How many that are set the end is made of."""
    unset = np.flatnonzero(~flags)
    return len(flags) - (int(unset[-1]) + 1 if len(unset) else 0)


def _result(verdict: Decision, recovery_s: float | None, asked: Recovery, detail: str) -> RecoveryResult:
    """A result for what was asked."""
    rounded = None if recovery_s is None else round(recovery_s, 6)
    return RecoveryResult(verdict=verdict, recovery_s=rounded, limit_s=asked.limit_s, detail=detail)
