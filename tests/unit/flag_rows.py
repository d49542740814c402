"""Rows of good and bad requests, and the rule that most tests of the guard ask about them."""

import math

import numpy as np
from hypothesis import strategies as st

from sealegs.judgement.correlation import Decided, Flags, guarded

RULE = {"target": 0.95, "confidence": 0.99}
TARGETS = st.sampled_from([0.9, 0.95, 0.985])
CLOSENESS = st.sampled_from([0.0, 0.05, 0.3])


def asked(good: Flags, *, disturbed: bool, at_half: Flags | None = None) -> Decided:
    """What the guard says of them by the rule of most of these tests."""
    return guarded(good, target=0.95, confidence=0.99, disturbed=disturbed, at_half=at_half)


def eased(good: Flags, seed: int, close: float) -> Flags:
    """Which would be good with half the limit: all the good ones but those close to it, in clumps of ten."""
    clumps = np.random.default_rng(seed).random(math.ceil(len(good) / 10)) < close
    return good & ~np.repeat(clumps, 10)[: len(good)]


def row(n: int, *bad: int) -> Flags:
    """Requests in order, all good but these."""
    good = np.ones(n, dtype=bool)
    good[list(bad)] = False
    return good


@st.composite
def rows(draw: st.DrawFn) -> Flags:
    """Requests with bad ones strewn over them and up to two runs of bad ones."""
    n = draw(st.integers(0, 600))
    dice = np.random.default_rng(draw(st.integers(0, 2**32)))
    good = dice.random(n) >= draw(st.sampled_from([0.0, 0.01, 0.05, 0.2]))
    for start, length in draw(st.lists(st.tuples(st.integers(0, 599), st.integers(1, 200)), max_size=2)):
        good[start : start + length] = False
    return good
