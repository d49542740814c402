"""Recovered means good from then on, not good once."""

import numpy as np
import pytest

from sealegs.recovery import RecoveryResult, recovery_of
from sealegs.scenario import Recovery
from sealegs.slo import Fates

ASKED = Recovery(limit_s=30, ttft_limit_s=1.0, slice_s=5, slices=3, good_share=0.9)
INJECTED_S = 100.0


def judged(slices: str, *, injected_s: float | None = INJECTED_S) -> RecoveryResult:
    """Recovery over slices of ten requests each: ``g``ood, ``b``ad, ``s``low or ``.`` for no requests."""
    at_s, outcome, first_s = [INJECTED_S - 1], ["http_5xx"], [np.nan]
    for position, kind in enumerate(slices):
        for request in range(10 if kind != "." else 0):
            at_s.append(INJECTED_S + 5 * position + request / 2)
            outcome.append("ok" if kind in "gs" or request < 8 else "http_5xx")
            first_s.append(at_s[-1] + (2.0 if kind == "s" else 0.1))
    at_s.append(INJECTED_S + 5 * len(slices) + 0.01)
    count = len(at_s)
    fates = Fates(
        request_id=np.arange(count).astype(object),
        intended_s=np.array(at_s),
        turn=np.zeros(count),
        phase=np.full(count, "fault", dtype=object),
        outcome=np.array([*outcome, "ok"], dtype=object),
        sent_s=np.array(at_s),
        first_token_s=np.array([*first_s, at_s[-1]]),
        end_s=np.array(at_s),
        tokens_received=np.ones(count),
        pod=np.full(count, "a", dtype=object),
        twice=0,
        unknown=0,
        moved_s_max=0.0,
    )
    return recovery_of(fates, ASKED, injected_s=injected_s)


@pytest.mark.parametrize(
    ("slices", "verdict", "recovery_s"),
    [
        ("gggggg", "PASS", 0),
        ("bbgggg", "PASS", 10),
        ("sbgggg", "PASS", 10),
        ("ggbggg", "PASS", 15),  # the first good slices did not last
        ("gggggb", "INCONCLUSIVE", None),  # nor did these, and too little is left to tell
        ("bgggbgg", "INCONCLUSIVE", None),
        ("bbbbbbggg", "PASS", 30),
        ("bbbbbbbggg", "FAIL", 35),
        ("bbbbbbbb", "FAIL", None),
        ("bg.ggg", "PASS", 15),  # a slice without requests shows nothing
        ("......", "INCONCLUSIVE", None),
        (".......", "INCONCLUSIVE", None),  # however long
        ("b......ggg", "INCONCLUSIVE", None),
        ("b.....bggg", "FAIL", 35),
        ("gg", "INCONCLUSIVE", None),
        ("", "INCONCLUSIVE", None),
    ],
)
def test_recovery_starts_where_no_bad_slice_follows(
    slices: str, verdict: str, recovery_s: float | None
) -> None:
    """From the last bad slice on, given enough good ones; too late is FAIL however much follows."""
    result = judged(slices)

    assert (result.verdict, result.recovery_s) == (verdict, recovery_s)


def test_without_a_fault_there_is_no_recovery() -> None:
    """A fault that never struck is not one that was recovered from in no time."""
    assert judged("gggggg", injected_s=None).verdict == "INCONCLUSIVE"
