"""Who asks again, and when: as OpenAI's SDKs do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealegs.scenario.workload import Policy
from sealegs.traffic.client.outcome import Outcome, Word
from sealegs.traffic.client.retry import may_retry, pause_s

TWICE = Policy(retries=2)


@pytest.mark.parametrize(
    ("word", "status", "again"),
    [
        ("ok", 200, False),
        ("refused", None, True),
        ("deadline_connect", None, True),
        ("reset_before_headers", None, True),
        ("deadline_first_token", None, True),
        ("deadline_first_token", 200, False),
        ("http_429", 429, True),
        ("http_5xx", 503, True),
        ("http_4xx", 404, False),
        ("http_4xx", 408, True),
        ("http_4xx", 409, True),
        ("cut_fin", 200, False),
        ("cut_rst", 200, False),
        ("stall", 200, False),
        ("error_event", 200, False),
        ("bad_token", 200, False),
        ("cut_by_us", 200, False),
        ("deadline_total", 200, False),
    ],
)
def test_only_what_had_not_begun_is_asked_again(word: Word, status: int | None, *, again: bool) -> None:
    """Connections, refusals and errors of the server; never a stream that has begun."""
    assert may_retry(Outcome(word), status=status, attempt=1, policy=TWICE) is again
    assert not may_retry(Outcome(word), status=status, attempt=1, policy=Policy())


def test_no_more_often_than_the_policy_says() -> None:
    """Two retries are three attempts."""
    tries = [may_retry(Outcome("refused"), status=None, attempt=one, policy=TWICE) for one in (1, 2, 3)]

    assert tries == [True, True, False]


@given(attempt=st.integers(1, 10), name=st.text(max_size=8))
def test_pauses_double_up_to_their_limit(attempt: int, name: str) -> None:
    """Each is within its quarter of jitter, and the same when played again."""
    grown_s = min(0.5 * 2 ** (attempt - 1), 8.0)
    found_s = pause_s(name, attempt=attempt, retry_after_s=None, policy=TWICE)

    assert 0.75 * grown_s <= found_s <= grown_s
    assert found_s == pause_s(name, attempt=attempt, retry_after_s=None, policy=TWICE)


def test_requests_that_failed_together_do_not_come_back_together() -> None:
    """Jitter is each request's own."""
    pauses_s = {pause_s(f"r{number}", attempt=1, retry_after_s=None, policy=TWICE) for number in range(20)}

    assert len(pauses_s) == 20


@pytest.mark.parametrize(("asked_s", "heeded"), [(7.0, True), (60.0, True), (61.0, False), (0.0, False)])
def test_the_servers_word_counts_up_to_a_minute(asked_s: float, *, heeded: bool) -> None:
    """Retry-After replaces the pause when it is sensible."""
    found_s = pause_s("r1", attempt=1, retry_after_s=asked_s, policy=TWICE)

    assert (found_s == asked_s) is heeded
