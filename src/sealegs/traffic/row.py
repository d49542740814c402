"""An ended exchange as evidence: its row of ``requests`` and line of ``chunks``, times since run start."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sealegs.scenario.workload import Tokens
from sealegs.traffic.client.exchange import Exchange, Planned
from sealegs.traffic.client.outcome import Outcome, Seen, classify

CAP_REFUSED = Outcome("cap_refused", "never sent: as many requests in flight as the scenario allows")
NEVER_SENT = Outcome("never_sent", "never sent: load ended before its session had come to it")


@dataclass(frozen=True)
class Ended:
    """An attempt that has ended, what is known of it, and what that amounts to."""

    exchange: Exchange
    seen: Seen
    outcome: Outcome

    @property
    def retry_after_s(self) -> float | None:
        """Retry-After in seconds; None when it is absent or a date."""
        value = _header(self.exchange, b"retry-after")
        return float(value) if value is not None and value.isascii() and value.isdecimal() else None


def ended_of(exchange: Exchange, *, tokens: Tokens) -> Ended:
    """An attempt whose events have all been read."""
    seen = exchange.seen(tokens=tokens)
    return Ended(exchange, seen, classify(seen))


def row_of(ended: Ended, *, sent_ns: int, worker: int, zero_ns: int) -> dict[str, Any]:
    """The row of a request that was first sent at `sent_ns` and whose last attempt this is.

    Tokens received before a failure keep their times.
    """
    exchange, reply = ended.exchange, ended.exchange.reply
    stamps_ns = reply.answer.texts_ns
    gaps_ns = [later - earlier for earlier, later in pairwise(stamps_ns)]
    row = unsent_row(exchange.planned, ended.outcome, worker=worker)
    row |= {
        "sent_s": _since_s(sent_ns, zero_ns),
        "headers_s": _since_s(reply.headers_ns, zero_ns),
        "first_token_s": _since_s(stamps_ns[0] if stamps_ns else None, zero_ns),
        "last_token_s": _since_s(stamps_ns[-1] if stamps_ns else None, zero_ns),
        "end_s": _since_s(exchange.end_ns, zero_ns),
        "status": reply.status,
        "tokens_received": ended.seen.tokens_received,
        "finish_reason": reply.answer.finish_reason,
        "pod": _header(exchange, b"x-served-by"),
        "attempts": exchange.attempt,
        "retry_after_s": ended.retry_after_s,
        "gap_s_max": round(max(gaps_ns) / 1e9, 6) if gaps_ns else None,
        "reused": exchange.reused,
    }
    return row


def attempt_of(ended: Ended, *, zero_ns: int) -> dict[str, Any]:
    """The line of an attempt that was not the request's last."""
    exchange = ended.exchange
    return {
        "request_id": exchange.planned.request_id,
        "attempt": exchange.attempt,
        "sent_s": _since_s(exchange.sent_ns, zero_ns),
        "end_s": _since_s(exchange.end_ns, zero_ns),
        "status": exchange.reply.status,
        "outcome": ended.outcome.word,
        "outcome_detail": ended.outcome.detail,
        "tokens_received": ended.seen.tokens_received,
        "pod": _header(exchange, b"x-served-by"),
    }


def unsent_row(planned: Planned, outcome: Outcome, *, worker: int) -> dict[str, Any]:
    """The row of a request that never left."""
    reached = ("sent_s", "headers_s", "first_token_s", "last_token_s", "end_s")
    return {
        "request_id": planned.request_id,
        "worker": worker,
        "intended_s": planned.intended_s,
        **dict.fromkeys(reached),
        "status": None,
        "outcome": outcome.word,
        "outcome_detail": outcome.detail,
        "prompt_tokens": planned.prompt_tokens,
        "tokens_asked": planned.output_tokens,
        "tokens_received": 0,
        "finish_reason": None,
        "pod": None,
        "attempts": 0,
        "retry_after_s": None,
        "gap_s_max": None,
        "reused": None,
    }


def chunks_of(exchange: Exchange, *, zero_ns: int) -> dict[str, Any]:
    """When each token was received: the first in microseconds since run start, then what came between."""
    stamps_us = [(stamp_ns - zero_ns) // 1000 for stamp_ns in exchange.reply.answer.texts_ns]
    deltas_us = [later - earlier for earlier, later in pairwise(stamps_us)]
    return {"request_id": exchange.planned.request_id, "t_us": [*stamps_us[:1], *deltas_us]}


def _since_s(stamp_ns: int | None, zero_ns: int) -> float | None:
    """A stamp in seconds since run start, to the microsecond."""
    return None if stamp_ns is None else round((stamp_ns - zero_ns) / 1e9, 6)


def _header(exchange: Exchange, name: bytes) -> str | None:
    """A header of the reply as text."""
    value = exchange.reply.headers.get(name)
    return None if value is None else value.decode("latin-1")
