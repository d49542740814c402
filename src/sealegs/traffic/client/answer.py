"""One completion, streamed or whole, read as OpenAI's: what was said, when, and how it ended.

Whatever an event holds, reading it never fails: what is not as it should be is kept as the answer's error.
"""

import re
from typing import Any

import orjson

DONE = b"[DONE]"
QUOTED_BYTES_MAX = 80
ERROR_CHARS_MAX = 300
# Between two tokens of the reference engine, each of which begins with a space.
BETWEEN_TOKENS = re.compile(r"(?= )")


class Answer:
    """What the events read so far amount to, or without `stream` the one object that is all of it.

    Attributes:
        texts: content of each event that has any, in order; thoughts and a tool's arguments are content too.
            Of an answer that came whole, its text cut before each space.
        texts_ns: when each was received, nanoseconds of CLOCK_MONOTONIC.
        finish_reason: the last one given.
        done: whether ``[DONE]`` came, or the whole answer.
        error: what the first error event, or the first event that is not OpenAI's, said; None without one.
        usage_tokens: the server's own count, ``usage.completion_tokens``, as last sent; None if never.
    """

    __slots__ = ("_part", "_what", "done", "error", "finish_reason", "texts", "texts_ns", "usage_tokens")

    def __init__(self, *, stream: bool = True) -> None:
        self._what, self._part = ("event", "delta") if stream else ("answer", "message")
        self.texts: list[str] = []
        self.texts_ns: list[int] = []
        self.finish_reason: str | None = None
        self.done = False
        self.error: str | None = None
        self.usage_tokens: int | None = None

    def read(self, stamp_ns: int, data: bytes) -> None:
        """Take in the data of one event."""
        if data == DONE:
            self.done = True
            return
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            self._fail(f"{self._what} is not JSON: {data[:QUOTED_BYTES_MAX]!r}")
            return
        if not isinstance(event, dict):
            self._fail(f"{self._what} is not a JSON object: {data[:QUOTED_BYTES_MAX]!r}")
        elif event.get("error"):
            self._fail(_message_of(event["error"]))
        # Some servers send the error's object itself.
        elif event.get("object") == "error":
            self._fail(_message_of(event))
        elif not self._read_chunk(stamp_ns, event):
            self._fail(f"{self._what} is not as OpenAI's: {data[:QUOTED_BYTES_MAX]!r}")

    def read_whole(self, stamp_ns: int, body: bytes) -> None:
        """Take in an answer that came at once."""
        self.read(stamp_ns, body)
        self.texts = [token for text in self.texts for token in BETWEEN_TOKENS.split(text) if token]
        self.texts_ns = [stamp_ns] * len(self.texts)
        self.done = True

    def _fail(self, said: str) -> None:
        """Keep the first error: those after it are often its echo."""
        self.error = self.error or said[:ERROR_CHARS_MAX]

    def _read_chunk(self, stamp_ns: int, event: dict[str, Any]) -> bool:
        """The only choice of a chunk; the chunk with the usage has none. Returns whether it is one."""
        if usage := event.get("usage"):
            self._read_usage(usage)
        choices = event.get("choices")
        if not choices:
            return True
        choice = choices[0] if isinstance(choices, list) else None
        if not isinstance(choice, dict):
            return False
        text, reason = _text_of(choice, self._part), choice.get("finish_reason")
        if not isinstance(text, str):
            return False
        # A first event with a role and no content is not a token: nobody can read it.
        if text:
            self.texts.append(text)
            self.texts_ns.append(stamp_ns)
        if reason:
            self.finish_reason = str(reason)[:ERROR_CHARS_MAX]
        return True

    def _read_usage(self, usage: object) -> None:
        """A count that is none is as if it had not been sent: it is not the answer."""
        count = usage.get("completion_tokens") if isinstance(usage, dict) else None
        if type(count) is int and count >= 0:
            self.usage_tokens = count


def _text_of(choice: dict[str, Any], part: str) -> object:
    """What a choice adds to the answer: text, empty when it adds nothing; anything else is a wrong shape."""
    delta = choice.get(part)
    if not delta:
        return choice.get("text") or ""
    if not isinstance(delta, dict):
        return None
    # Thoughts have either name, by the version of vLLM.
    return (
        delta.get("content")
        or delta.get("reasoning_content")
        or delta.get("reasoning")
        or _arguments_of(delta.get("tool_calls"))
    )


def _arguments_of(calls: object) -> str:
    """What a delta says of calls of tools: the name of a function first, then its arguments in pieces."""
    if not isinstance(calls, list):
        return ""
    functions = [call.get("function") for call in calls if isinstance(call, dict)]
    return "".join(
        str(function.get(key) or "")
        for function in functions
        if isinstance(function, dict)
        for key in ("name", "arguments")
    )


def _message_of(error: object) -> str:
    """An error object's message, or all of it."""
    message = error.get("message") if isinstance(error, dict) else None
    return str(message or error)
