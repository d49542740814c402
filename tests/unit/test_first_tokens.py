"""How soon first tokens come of late, as a load process tells it while it is at work."""

from collections import Counter
from itertools import chain

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sealegs.traffic.client.exchange import Exchange, Planned
from sealegs.traffic.first_tokens import WINDOW_S, FirstTokens
from sealegs.traffic.load import merge

# The steps nearest to 0.25, 1.25 and 3.5 s: 1.02 to the powers -70, 11 and 63.
STEP_025, STEP_125, STEP_350 = "0.25", "1.243", "3.482"
ZERO_NS = 5_000_000_000_000


def ns(t_s: float) -> int:
    """A time of the run on the clock."""
    return ZERO_NS + round(t_s * 1e9)


def exchange(name: str, *, intended_s: float) -> Exchange:
    """A request on its way."""
    planned = Planned(name, intended_s, 10, 10, "default")
    return Exchange(planned, memoryview(b""), ns(intended_s))


def receive(one: Exchange, *stamps_s: float) -> None:
    """Tokens have come at these times."""
    one.reply.answer.texts_ns.extend(ns(stamp_s) for stamp_s in stamps_s)


def test_a_first_token_counts_from_the_intended_time_and_once() -> None:
    """Whatever comes after it, and whether a look or the request's end finds it."""
    tokens = FirstTokens(zero_ns=ZERO_NS)
    found_by_look, found_at_end = exchange("a", intended_s=1.0), exchange("b", intended_s=1.5)
    for one in (found_by_look, found_at_end, exchange("c", intended_s=1.75)):
        tokens.sent(one)
    receive(found_by_look, 1.25, 1.3)
    looked = tokens.told(now_ns=ns(2))
    receive(found_at_end, 2.75)
    for one in (found_at_end, found_by_look):
        tokens.ended(one)

    assert looked == {"ttft_s_recent": {STEP_025: 1}, "waiting_s_max": 0.5}
    assert tokens.told(now_ns=ns(3)) == {"ttft_s_recent": {STEP_025: 1, STEP_125: 1}, "waiting_s_max": 1.25}


def test_what_ended_without_a_token_is_waited_for_no_more() -> None:
    """A failed attempt has no time to its first token; the next one counts from the same intended time."""
    tokens = FirstTokens(zero_ns=ZERO_NS)
    failed, again = exchange("a", intended_s=1.0), exchange("a", intended_s=1.0)
    tokens.sent(failed)
    tokens.ended(failed)
    assert tokens.told(now_ns=ns(3)) == {"ttft_s_recent": {}, "waiting_s_max": None}

    tokens.sent(again)
    assert tokens.told(now_ns=ns(4))["waiting_s_max"] == 3.0
    receive(again, 4.5)
    assert tokens.told(now_ns=ns(5)) == {"ttft_s_recent": {STEP_350: 1}, "waiting_s_max": None}


@example([[0.25 * (second + 1)] for second in range(40)])
@given(st.lists(st.lists(st.floats(0.0001, 600), max_size=5), min_size=1, max_size=60))
def test_the_window_holds_the_looks_of_its_length_in_steps(seconds: list[list[float]]) -> None:
    """After a look a second, for a list of TTFTs each: those of the last window, 1 % off."""
    tokens = FirstTokens(zero_ns=ZERO_NS)
    told: dict[str, int] = {}
    for second, ttfts_s in enumerate(seconds):
        for number, ttft_s in enumerate(ttfts_s):
            one = exchange(f"{second}-{number}", intended_s=second - ttft_s)
            tokens.sent(one)
            receive(one, float(second))
        told = tokens.told(now_ns=ns(second))["ttft_s_recent"]

    kept = sorted(chain.from_iterable(seconds[-int(WINDOW_S) :]))
    assert 0 not in told.values()
    assert sorted(map(float, Counter(told).elements())) == pytest.approx(kept, rel=0.011)


def test_several_processes_add_up() -> None:
    """Their counts are those of one process that had heard it all, and the longest wait stands."""
    told = []
    for name, ttft_s, waits_since_s in (("a", 0.25, 1.0), ("b", 0.25, 0.5)):
        tokens = FirstTokens(zero_ns=ZERO_NS)
        answered, waiting = exchange(name, intended_s=1.0), exchange(f"{name}2", intended_s=waits_since_s)
        for one in (answered, waiting):
            tokens.sent(one)
        receive(answered, 1.0 + ttft_s)
        told.append(tokens.told(now_ns=ns(2)))

    assert merge(told) == {"ttft_s_recent": {STEP_025: 2}, "waiting_s_max": 1.5}
