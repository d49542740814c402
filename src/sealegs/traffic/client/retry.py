"""When a client asks again, and after how long: the rule of OpenAI's SDKs.

From openai-python's ``_base_client.py`` (1.x): connection errors, timeouts and the statuses 408, 409, 429 and
5xx are retried; the pause doubles, loses up to a quarter by jitter, and gives way to a Retry-After of at most
a minute. A stream that has begun is never retried.
"""

from hashlib import blake2s

from sealegs.scenario.workload import RETRY_AFTER_S_MAX, Policy
from sealegs.traffic.client.outcome import Outcome

WORDS = frozenset({"refused", "reset_before_headers", "deadline_connect", "http_429", "http_5xx"})
STATUSES = frozenset({408, 409})
JITTER_SHARE = 0.25


def may_retry(outcome: Outcome, *, status: int | None, attempt: int, policy: Policy) -> bool:
    """Whether attempt number `attempt` (from 1) that ended like this is followed by another."""
    if attempt > policy.retries:
        return False
    unanswered = outcome.word == "deadline_first_token" and status is None
    return unanswered or outcome.word in WORDS or status in STATUSES


def pause_s(request_id: str, *, attempt: int, retry_after_s: float | None, policy: Policy) -> float:
    """How long a client waits after attempt `attempt` before the next one.

    The jitter is the request's own, so that a schedule played twice asks the same.
    """
    if retry_after_s is not None and 0 < retry_after_s <= RETRY_AFTER_S_MAX:
        return retry_after_s
    grown_s = min(policy.backoff_s * 2.0 ** (attempt - 1), policy.backoff_s_max)
    digest = blake2s(f"{request_id}:{attempt}:pause".encode()).digest()
    return grown_s * (1 - JITTER_SHARE * int.from_bytes(digest[:8], "big") / 2**64)
