"""Recovered means good from then on, not good once."""

from dataclasses import replace

import numpy as np
import pytest

from sealegs.judgement.fates import Fates
from sealegs.judgement.recovery import RecoveryResult, recovery_of
from sealegs.scenario.claim import Recovery

ASKED = Recovery(limit_s=30, ttft_limit_s=1.0, slice_s=5, slices=3, good_share=0.9)
INJECTED_S = 100.0


def judged(slices: str, *, injected_s: float | None = INJECTED_S, asked: Recovery = ASKED) -> RecoveryResult:
    """Recovery over slices of ten requests each: ``g``ood, ``b``ad, ``s``low, ``.`` none or ``1``."""
    at_s, outcome, first_s = [INJECTED_S - 1], ["http_5xx"], [np.nan]
    for position, kind in enumerate(slices):
        for request in range({".": 0, "1": 1}.get(kind, 10)):
            at_s.append(INJECTED_S + 5 * position + request / 2)
            outcome.append("ok" if kind in "gs" or request < 8 else "http_5xx")
            first_s.append(at_s[-1] + (2.0 if kind == "s" else 0.1))
    at_s.append(INJECTED_S + 5 * len(slices) + 0.01)
    count = len(at_s)
    fates = Fates(
        request_id=np.arange(count).astype(object),
        intended_s=np.array(at_s),
        turn=np.zeros(count),
        due_in=np.full(count, "fault", dtype=object),
        phase=np.full(count, "fault", dtype=object),
        outcome=np.array([*outcome, "ok"], dtype=object),
        sent_s=np.array(at_s),
        first_token_s=np.array([*first_s, at_s[-1]]),
        last_token_s=np.array(at_s),
        end_s=np.array(at_s),
        tokens_received=np.ones(count),
        gap_s_max=np.zeros(count),
        pod=np.full(count, "a", dtype=object),
        lines=np.zeros(0, np.int64),
        twice=0,
        unknown=0,
        moved_s_max=0.0,
    )
    return recovery_of(fates, asked, injected_s=injected_s)


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
        ("bb1111", "PASS", 10),  # one good request does
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


@pytest.mark.parametrize(
    ("slices", "detail"),
    [
        ("bbgggg", "4 of 6 slices of 5 s good, the last 4 in a row"),
        ("bbbbbbbggg", "3 of 10 slices of 5 s good, the last 3 in a row"),
        ("gb.gg", "3 of 5 slices of 5 s good, the last 2 in a row; 3 are needed"),
        (
            "b......ggg",
            "3 of 10 slices of 5 s good, the last 3 in a row; before them no request was due to tell",
        ),
    ],
)
def test_a_result_tells_what_was_seen(slices: str, detail: str) -> None:
    """In a sentence, with what was lacking, and beside the limit that it was held to."""
    found = judged(slices)

    assert (found.detail, found.limit_s) == (detail, 30)


def test_what_nothing_disturbed_has_nothing_to_recover_from() -> None:
    """The sentence says so, and the limit stands beside it."""
    found = judged("gggggg", injected_s=None)

    assert found == RecoveryResult(
        verdict="INCONCLUSIVE",
        recovery_s=None,
        limit_s=30,
        detail="no fault was injected, there is nothing to recover from",
    )


def test_what_is_shown_is_rounded() -> None:
    """To a millionth of a second: two slices of 4.99999996 s are ten seconds."""
    assert judged("bbgggg", asked=replace(ASKED, slice_s=4.99999996)).recovery_s == 10


def test_what_was_due_before_the_fault_is_in_no_slice() -> None:
    """However much of it: slices begin at the fault."""
    assert judged("bbggggg", injected_s=INJECTED_S + 10).recovery_s == 0
    assert judged("bbggggg", injected_s=INJECTED_S + 8).recovery_s == 5
