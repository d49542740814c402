"""What became of one request: the one place that says what counts as answered.

Only an answer that is whole to the token is ``ok``; every other outcome has its own word, and says in
`detail` what was seen. What was delivered before a failure does not soften it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2s
from typing import Literal, TypeAlias

# How receiving ended. `complete`: the body ended as HTTP says; `closed`: the connection did first. The
# deadlines are ours, and so is `cut_by_us`.
Ending: TypeAlias = Literal[
    "complete",
    "closed",
    "reset",
    "refused",
    "stall",
    "deadline_connect",
    "deadline_first_token",
    "deadline_total",
    "cut_by_us",
]
HTTP_OK = 200
HTTP_TOO_MANY = 429
HTTP_SERVER_ERROR = 500


@dataclass(frozen=True, kw_only=True)
class Seen:
    """All that is known of a request that has ended.

    `ending_detail` is the socket's error in words, `said` how a body begins that is no event stream.
    """

    request_id: str
    tokens_asked: int
    ending: Ending
    ending_detail: str = ""
    status: int | None = None
    is_events: bool = True
    said: str = ""
    texts: Sequence[str] = ()
    finish_reason: str | None = None
    done: bool = False
    error: str | None = None


@dataclass(frozen=True)
class Outcome:
    """A word of the evidence's vocabulary and what was seen; `detail` of ``ok`` is empty."""

    word: str
    detail: str = ""


def token_text(request_id: str, index: int) -> str:
    """What the reference engine says as token `index` (from 0) of a request."""
    return " " + blake2s(f"{request_id}:{index}".encode()).hexdigest()[:6]


def classify(seen: Seen) -> Outcome:
    """The outcome of a request: content first, then the way it ended."""
    if seen.status is None:
        return _unanswered(seen)
    if seen.status != HTTP_OK:
        return _refused(seen.status, seen.said)
    return _streamed(seen)


def _streamed(seen: Seen) -> Outcome:
    """The server promised an answer: what it said decides before how it ended."""
    if not seen.is_events:
        return Outcome("no_finish", _quoting("the answer is no event stream", seen.said))
    if seen.error is not None:
        return Outcome("error_event", _after(seen, seen.error))
    if (wrong := wrong_token(seen)) is not None:
        return Outcome("bad_token", wrong)
    if seen.finish_reason == "abort":
        return Outcome("abort", _after(seen, "finish_reason abort"))
    if seen.done and seen.finish_reason in {"stop", "length"}:
        return _whole(seen)
    return _cut(seen)


def wrong_token(seen: Seen) -> str | None:
    """In words, the first token that is not the one that belongs there; None when all do."""
    for index, text in enumerate(seen.texts):
        if text == token_text(seen.request_id, index):
            continue
        # Looked for only now: where in the answer the text belongs, if anywhere.
        answer = range(max(seen.tokens_asked, len(seen.texts)))
        place = next((one for one in answer if text == token_text(seen.request_id, one)), None)
        if place is None:
            return f"foreign token {text!r} at {index}"
        if place < index:
            return f"token {place} repeated at {index}"
        return f"token {index} missing: {place} came in its place"
    return None


def _unanswered(seen: Seen) -> Outcome:
    """No header came."""
    if seen.ending in {"closed", "reset", "complete"}:
        return Outcome("reset_before_headers", seen.ending_detail or "the server closed without an answer")
    return Outcome(seen.ending, seen.ending_detail)


def _refused(status: int, said: str) -> Outcome:
    """The server answered with anything but success."""
    word = "http_5xx" if status >= HTTP_SERVER_ERROR else "http_4xx"
    return Outcome("http_429" if status == HTTP_TOO_MANY else word, _quoting(f"status {status}", said))


def _whole(seen: Seen) -> Outcome:
    """Finish reason and [DONE] came, and every token belongs: the answer says that it is whole."""
    got, asked = len(seen.texts), seen.tokens_asked
    if got == asked or (seen.finish_reason == "stop" and 0 < got < asked):
        return Outcome("ok")
    return Outcome("bad_token", f"{got} tokens of {asked} and finish_reason {seen.finish_reason}")


def _cut(seen: Seen) -> Outcome:
    """The answer does not say that it is whole."""
    if seen.ending == "complete":
        if seen.finish_reason in {"stop", "length"}:
            lacks = "no [DONE]"
        else:
            lacks = f"finish_reason {seen.finish_reason!r}" if seen.finish_reason else "no finish_reason"
        return Outcome("no_finish", _after(seen, lacks))
    words = {"closed": "cut_fin", "reset": "cut_rst"}
    return Outcome(words.get(seen.ending, seen.ending), _after(seen, seen.ending_detail))


def _quoting(what: str, said: str) -> str:
    """What happened, with what the server had to say about it."""
    return f"{what}: {' '.join(said.split())}" if said.strip() else what


def _after(seen: Seen, what: str) -> str:
    """What happened, with how far the answer had come."""
    return f"{what} after {len(seen.texts)} of {seen.tokens_asked} tokens".lstrip()
