"""The events of one streamed completion, read as OpenAI's: what was said, when, and how it ended."""

import json
from typing import Any

DONE = b"[DONE]"


class Answer:
    """What the events read so far amount to.

    Attributes:
        texts: content of each event that has any, in order.
        texts_ns: when each was received, nanoseconds of CLOCK_MONOTONIC.
        finish_reason: the last one given.
        done: whether ``[DONE]`` came.
        error: what an error event or an event that is not JSON said; None when there was none.
    """

    __slots__ = ("done", "error", "finish_reason", "texts", "texts_ns")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.texts_ns: list[int] = []
        self.finish_reason: str | None = None
        self.done = False
        self.error: str | None = None

    def read(self, stamp_ns: int, data: bytes) -> None:
        """Take in the data of one event."""
        if data == DONE:
            self.done = True
            return
        try:
            event = json.loads(data)
        except ValueError:
            self.error = f"event is not JSON: {data[:80]!r}"
            return
        if not isinstance(event, dict):
            self.error = f"event is not a JSON object: {data[:80]!r}"
        elif event.get("error"):
            self.error = _message_of(event["error"])
        else:
            self._read_choice(stamp_ns, event)

    def _read_choice(self, stamp_ns: int, event: dict[str, Any]) -> None:
        """The only choice of a chunk; the chunk with the usage has none."""
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else {}
        delta = choice.get("delta") or {}
        # A first event with a role and no content is not a token: nobody can read it.
        if text := delta.get("content") or choice.get("text"):
            self.texts.append(text)
            self.texts_ns.append(stamp_ns)
        self.finish_reason = choice.get("finish_reason") or self.finish_reason


def _message_of(error: object) -> str:
    """An error object's message, or all of it."""
    message = error.get("message") if isinstance(error, dict) else None
    return str(message or error)
