"""What became of one request: the one place that says what counts as answered.

Only an answer that is whole is ``ok``; every other outcome has its own word, and says in `detail` what was
seen. What was delivered before a failure does not soften it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2s
from typing import Literal, TypeAlias

from sealegs.scenario.workload import Tokens

# How receiving ended. `complete`: the body ended as HTTP says; `closed`: the connection did first;
# `unreadable`: we gave up on what is no HTTP, or beyond any bound. The deadlines are ours, and so are
# `cut_by_us` (load was stopped) and `cancelled` (planned so).
Ending: TypeAlias = Literal[
    "complete",
    "closed",
    "reset",
    "unreadable",
    "refused",
    "stall",
    "deadline_connect",
    "deadline_first_token",
    "deadline_total",
    "cut_by_us",
    "cancelled",
]
# The vocabulary of the evidence. `cap_refused` and `never_sent` did not leave the client.
Word: TypeAlias = Literal[
    "ok",
    "cancelled",
    "refused",
    "reset_before_headers",
    "http_4xx",
    "http_429",
    "http_5xx",
    "error_event",
    "bad_token",
    "abort",
    "no_finish",
    "cut_fin",
    "cut_rst",
    "stall",
    "deadline_connect",
    "deadline_first_token",
    "deadline_total",
    "cut_by_us",
    "cap_refused",
    "never_sent",
]
HTTP_OK = 200
HTTP_TOO_MANY = 429
HTTP_SERVER_ERROR = 500
FINISHED_DERIVED = frozenset({"stop", "length"})
FINISHED_COUNTED = FINISHED_DERIVED | {"tool_calls"}
QUOTED_CHARS_MAX = 40


@dataclass(frozen=True, kw_only=True)
class Seen:
    """All that is known of a request that has ended.

    Attributes:
        ending_detail: the socket's error in words, or why we gave up.
        reused: whether the connection had carried a request before.
        stream: whether the answer was asked for as a stream, or whole.
        is_answer: whether the body has the form that was asked for: an event stream, or JSON.
        media: what the headers call a body that has not; `said` is how it begins.
        tokens: ``derived`` when each text must be `token_text`, the reference engine's; ``counted`` when
            texts are the server's own.
        belonging: how many texts from the first are known to be right already.
        usage_tokens: the server's own count; None when it sent none.
    """

    request_id: str
    tokens_asked: int
    ending: Ending
    ending_detail: str = ""
    reused: bool = False
    status: int | None = None
    stream: bool = True
    is_answer: bool = True
    media: str = ""
    said: str = ""
    tokens: Tokens = "derived"
    texts: Sequence[str] = ()
    belonging: int = 0
    usage_tokens: int | None = None
    finish_reason: str | None = None
    done: bool = False
    error: str | None = None

    @property
    def tokens_received(self) -> int:
        """Texts that came, each one token. Where they can only be counted the server's count goes before.

        A real engine may put several tokens into one event, and its usage says how many they were.
        """
        if self.tokens == "counted" and self.usage_tokens is not None:
            return self.usage_tokens
        return len(self.texts)


@dataclass(frozen=True)
class Outcome:
    """A word of the evidence's vocabulary and what was seen; `detail` of ``ok`` is empty."""

    word: Word
    detail: str = ""


def token_text(request_id: str, index: int) -> str:
    """What the reference engine says as token `index` (from 0) of a request."""
    return " " + blake2s(f"{request_id}:{index}".encode()).hexdigest()[:6]


def belonging(request_id: str, texts: Sequence[str], *, start: int = 0, most: int | None = None) -> int:
    """Index of the first text from `start` on that is not its token's, looking at `most` of them at most."""
    end = len(texts) if most is None else min(len(texts), start + most)
    for index in range(start, end):
        if texts[index] != token_text(request_id, index):
            return index
    return end


def classify(seen: Seen) -> Outcome:
    """The outcome of a request: content first, then the way it ended."""
    if seen.status is None:
        return _unanswered(seen)
    if seen.status != HTTP_OK:
        return _refused(seen.status, seen.said)
    return _streamed(seen)


def _streamed(seen: Seen) -> Outcome:
    """The server promised an answer: what it said decides before how it ended."""
    if not seen.is_answer:
        form = "event stream" if seen.stream else "JSON"
        media = f" but {seen.media}" if seen.media else ""
        return Outcome("no_finish", _quoting(f"the answer is no {form}{media}", seen.said))
    if seen.error is not None:
        return Outcome("error_event", _after(seen, seen.error))
    if seen.tokens == "derived" and (wrong := wrong_token(seen)) is not None:
        return Outcome("bad_token", wrong)
    if seen.finish_reason == "abort":
        return Outcome("abort", _after(seen, "finish_reason abort"))
    if seen.done and _finished(seen):
        return _whole(seen)
    return _cut(seen)


def wrong_token(seen: Seen) -> str | None:
    """In words, the first token that is not the one that belongs there; None when all do."""
    index = belonging(seen.request_id, seen.texts, start=seen.belonging)
    if index == len(seen.texts):
        return None
    # Looked for only now: where in the answer the text belongs, if anywhere.
    text, answer = seen.texts[index], range(max(seen.tokens_asked, index))
    place = next((one for one in answer if text == token_text(seen.request_id, one)), None)
    if place is None:
        return f"foreign token {text[:QUOTED_CHARS_MAX]!r} at {index}"
    if place < index:
        return f"token {place} repeated at {index}"
    return f"token {index} missing: {place} came in its place"


def _unanswered(seen: Seen) -> Outcome:
    """No header came."""
    match seen.ending:
        case "closed" | "reset" | "complete" | "unreadable":
            before = ", on a connection that had been used before" if seen.reused else ""
            detail = seen.ending_detail or "the server closed without an answer"
            return Outcome("reset_before_headers", detail + before)
        case "cancelled":
            raise ValueError(f"request {seen.request_id} was cancelled before its first token")
        case ending:
            return Outcome(ending, seen.ending_detail)


def _refused(status: int, said: str) -> Outcome:
    """The server answered with anything but success."""
    word: Word = "http_5xx" if status >= HTTP_SERVER_ERROR else "http_4xx"
    return Outcome("http_429" if status == HTTP_TOO_MANY else word, _quoting(f"status {status}", said))


def _finished(seen: Seen) -> bool:
    """Whether a finish reason came that an answer which is whole can have."""
    return seen.finish_reason in (FINISHED_DERIVED if seen.tokens == "derived" else FINISHED_COUNTED)


def _whole(seen: Seen) -> Outcome:
    """Finish reason and [DONE] came: the answer says that it is whole."""
    got, asked = len(seen.texts), seen.tokens_asked
    if seen.tokens == "counted":
        right = got > 0
    else:
        right = got == asked or (seen.finish_reason == "stop" and 0 < got < asked)
    if right:
        return Outcome("ok")
    return Outcome("bad_token", f"{got} tokens of {asked} and finish_reason {seen.finish_reason}")


def _cut(seen: Seen) -> Outcome:
    """The answer does not say that it is whole."""
    match seen.ending:
        case "complete":
            return Outcome("no_finish", _after(seen, _lacks(seen)))
        case "unreadable":
            return Outcome("no_finish", _after(seen, seen.ending_detail))
        case "closed":
            return Outcome("cut_fin", _after(seen, seen.ending_detail))
        case "reset":
            return Outcome("cut_rst", _after(seen, seen.ending_detail))
        case "cancelled":
            return Outcome("cancelled", f"{_after(seen, '')}, as planned")
        case ending:
            return Outcome(ending, _after(seen, seen.ending_detail))


def _lacks(seen: Seen) -> str:
    """What is missing in an answer that HTTP calls complete."""
    if _finished(seen):
        return "no [DONE]"
    return f"finish_reason {seen.finish_reason!r}" if seen.finish_reason else "no finish_reason"


def _quoting(what: str, said: str) -> str:
    """What happened, with what the server had to say about it."""
    return f"{what}: {' '.join(said.split())}" if said.strip() else what


def _after(seen: Seen, what: str) -> str:
    """What happened, with how far the answer had come."""
    return f"{what} after {seen.tokens_received} of {seen.tokens_asked} tokens".lstrip()
