"""OpenAI's wire format: what a request may ask, and the bytes of what is answered."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engine.errors import BadRequestError
from engine.tokens import OUTPUT_TOKENS_DEFAULT, answer_text, count_tokens, token_text

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What one request asks for."""

    chat: bool
    model: str
    prompt_tokens: int
    tokens_max: int
    ignore_eos: bool
    stream: bool
    include_usage: bool


def read_request(body: bytes, *, chat: bool) -> Asked:
    """What a request body asks for. BadRequestError names the first field that is wrong."""
    try:
        fields = json.loads(body)
    except ValueError as error:
        raise BadRequestError(f"the body is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise BadRequestError("the body must be a JSON object")
    if fields.get("n", 1) != 1:
        raise BadRequestError("n: one answer a request")
    tokens_max = fields.get("max_completion_tokens") or fields.get("max_tokens", OUTPUT_TOKENS_DEFAULT)
    if type(tokens_max) is not int or tokens_max < 1:
        raise BadRequestError("max_tokens: a whole number, at least 1")
    stream_options = fields.get("stream_options") or {}
    if not isinstance(stream_options, dict):
        raise BadRequestError("stream_options: an object")
    model = fields.get("model") or ""
    if not isinstance(model, str):
        raise BadRequestError("model: a name")
    return Asked(
        chat=chat,
        model=model,
        prompt_tokens=count_tokens(_chat_text(fields) if chat else _prompt_text(fields)),
        tokens_max=tokens_max,
        ignore_eos=bool(fields.get("ignore_eos", False)),
        stream=bool(fields.get("stream", False)),
        include_usage=bool(stream_options.get("include_usage", False)),
    )


def _chat_text(fields: dict[str, Any]) -> str:
    """All words of a chat's messages; a content may be text or a list of parts."""
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRequestError("messages: a list, not empty")
    texts: list[str] = []
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        parts = content if isinstance(content, list) else [{"text": content}]
        texts += [
            part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)
        ]
    if not texts:
        raise BadRequestError("messages: no text in any of them")
    return " ".join(texts)


def _prompt_text(fields: dict[str, Any]) -> str:
    """The prompt of a plain completion."""
    prompt = fields.get("prompt")
    if not isinstance(prompt, str):
        raise BadRequestError("prompt: a text")
    return prompt


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The frame around the tokens of one answer."""

    request_id: str
    chat: bool
    model: str
    created: int
    include_usage: bool

    @cached_property
    def _opening(self) -> str:
        """Start of every event of this answer, up to its choices."""
        kind = "chat.completion.chunk" if self.chat else "text_completion"
        return "data: " + json.dumps(self._identity(kind), separators=(",", ":"))[:-1] + ',"choices":['

    def _identity(self, kind: str) -> dict[str, object]:
        prefix = "chatcmpl" if self.chat else "cmpl"
        identity = f"{prefix}-{self.request_id}"
        return {"id": identity, "object": kind, "created": self.created, "model": self.model}

    def event(self, index: int | None, *, finish: str | None) -> bytes:
        """The event of one token, which carries the finish reason if it is the last; None has no token."""
        text = "" if index is None else token_text(self.request_id, index)
        # Formatted and not serialised: this line runs for every token, and nothing in it needs an escape.
        reason = f'"{finish}"' if finish else "null"
        if not self.chat:
            choice = f'"text":"{text}"'
        elif index == 0:
            choice = f'"delta":{{"role":"assistant","content":"{text}"}}'
        else:
            choice = f'"delta":{{"content":"{text}"}}'
        return f'{self._opening}{{"index":0,{choice},"finish_reason":{reason}}}]}}\n\n'.encode()

    def usage_event(self, *, prompt_tokens: int, tokens: int) -> bytes:
        """The event after the last token that counts them."""
        usage = json.dumps(_usage(prompt_tokens, tokens), separators=(",", ":"))
        return f'{self._opening}],"usage":{usage}}}\n\n'.encode()

    def whole(self, *, prompt_tokens: int, tokens: int, finish: str | None) -> bytes:
        """The body of an answer that is not streamed."""
        text = answer_text(self.request_id, tokens)
        said = {"message": {"role": "assistant", "content": text}} if self.chat else {"text": text}
        body = self._identity("chat.completion" if self.chat else "text_completion")
        body["choices"] = [{"index": 0, **said, "finish_reason": finish}]
        body["usage"] = _usage(prompt_tokens, tokens)
        return json.dumps(body).encode()


def _usage(prompt_tokens: int, tokens: int) -> dict[str, int]:
    """OpenAI's token counts."""
    counts = {"prompt_tokens": prompt_tokens, "completion_tokens": tokens}
    return counts | {"total_tokens": prompt_tokens + tokens}
