"""An ended exchange as evidence: its row of ``requests`` and line of ``chunks``, times since run start."""

from itertools import pairwise
from typing import Any

from sealegs.traffic.exchange import Exchange, Planned
from sealegs.traffic.outcome import Outcome, Seen, classify

CAP_REFUSED = Outcome("cap_refused", "never sent: as many requests in flight as the scenario allows")


def outcome_of(exchange: Exchange) -> Outcome:
    """What became of a request whose events have all been read."""
    reply = exchange.reply
    assert exchange.ending is not None  # noqa: S101  it has ended
    return classify(
        Seen(
            request_id=exchange.planned.request_id,
            tokens_asked=exchange.planned.output_tokens,
            ending=exchange.ending,
            ending_detail=exchange.ending_detail,
            status=reply.status,
            is_events=reply.is_events,
            said=reply.said.decode(errors="replace"),
            texts=reply.answer.texts,
            finish_reason=reply.answer.finish_reason,
            done=reply.answer.done,
            error=reply.answer.error,
        )
    )


def row_of(exchange: Exchange, outcome: Outcome, *, worker: int, zero_ns: int) -> dict[str, Any]:
    """The request's row. Tokens received before a failure keep their times."""
    reply = exchange.reply
    stamps_ns = reply.answer.texts_ns
    gaps_ns = [later - earlier for earlier, later in pairwise(stamps_ns)]
    row = unsent_row(exchange.planned, outcome, worker=worker)
    row |= {
        "sent_s": _since_s(exchange.sent_ns, zero_ns),
        "headers_s": _since_s(reply.headers_ns, zero_ns),
        "first_token_s": _since_s(stamps_ns[0] if stamps_ns else None, zero_ns),
        "last_token_s": _since_s(stamps_ns[-1] if stamps_ns else None, zero_ns),
        "end_s": _since_s(exchange.end_ns, zero_ns),
        "status": reply.status,
        "tokens_received": len(stamps_ns),
        "finish_reason": reply.answer.finish_reason,
        "pod": _header(exchange, b"x-served-by"),
        "attempts": 1,
        "retry_after_s": _retry_after_s(exchange),
        "gap_s_max": round(max(gaps_ns) / 1e9, 6) if gaps_ns else None,
    }
    return row


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


def _retry_after_s(exchange: Exchange) -> float | None:
    """Retry-After in seconds; None when it is absent or a date."""
    value = _header(exchange, b"retry-after")
    return float(value) if value is not None and value.isdecimal() else None
