"""Attempts and tokens: everything that was received is counted once, and wasted is what served nobody."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from sealegs.judgement.cost import Cost, cost_of
from sealegs.tables import ATTEMPTS, REQUESTS

WORDS = st.sampled_from(["ok", "cancelled", "cut_fin", "http_5xx", "cap_refused"])


def requests(*rows: tuple[str, int, int]) -> pa.Table:
    """Rows of outcome, tokens and attempts."""
    return pa.Table.from_pylist(
        [
            {"request_id": f"r{number}", "outcome": word, "tokens_received": tokens, "attempts": attempts}
            for number, (word, tokens, attempts) in enumerate(rows)
        ],
        schema=REQUESTS,
    )


def attempts(*tokens: int) -> pa.Table:
    """Earlier attempts that had received so many tokens."""
    return pa.Table.from_pylist(
        [{"request_id": "r0", "tokens_received": one} for one in tokens], schema=ATTEMPTS
    )


def test_a_retry_is_an_attempt_more_and_no_request_more() -> None:
    """Three requests in five attempts; what failed and what came before it is wasted."""
    rows = requests(("ok", 100, 3), ("cut_fin", 40, 1), ("cancelled", 1, 1), ("cap_refused", 0, 0))

    assert cost_of(rows, attempts(0, 7)) == Cost(attempts=5, retried=1, tokens_received=148, tokens_wasted=47)


def test_nothing_costs_nothing() -> None:
    """An empty run has no attempts and no tokens."""
    nothing = Cost(attempts=0, retried=0, tokens_received=0, tokens_wasted=0)

    assert cost_of(REQUESTS.empty_table(), ATTEMPTS.empty_table()) == nothing


@given(st.lists(st.tuples(WORDS, st.integers(0, 1000), st.integers(0, 4))), st.lists(st.integers(0, 1000)))
def test_wasted_and_used_are_all_that_was_received(
    rows: list[tuple[str, int, int]], earlier: list[int]
) -> None:
    """Whatever happened."""
    found = cost_of(requests(*rows), attempts(*earlier))
    used = sum(tokens for word, tokens, _ in rows if word in {"ok", "cancelled"})

    assert found.tokens_received == used + found.tokens_wasted
