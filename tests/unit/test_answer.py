"""Events are read as OpenAI's, and whatever an event holds, reading it does not fail."""

import json
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealegs.scenario.workload import Tokens
from sealegs.traffic.client.answer import Answer
from sealegs.traffic.client.outcome import Seen, Word, classify

WORDS = [
    "choices",
    "delta",
    "content",
    "text",
    "finish_reason",
    "error",
    "message",
    "usage",
    "object",
    "name",
]
KEYS = st.sampled_from([*WORDS, "completion_tokens", "tool_calls", "function", "arguments", "reasoning"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
# Nearer to a real one, so that the odd part lies deep.
CHOICES = st.fixed_dictionaries({}, optional={"delta": VALUES, "text": VALUES, "finish_reason": VALUES})
EVENTS = st.fixed_dictionaries(
    {}, optional={"choices": st.lists(CHOICES, max_size=2) | VALUES, "usage": VALUES, "error": VALUES}
)


def read(*events: dict[str, Any]) -> Answer:
    """An answer of events stamped 1, 2, ..."""
    answer = Answer()
    for stamp_ns, event in enumerate(events, start=1):
        answer.read(stamp_ns, json.dumps(event).encode())
    return answer


def choice(**fields: object) -> dict[str, Any]:
    """An event of one choice."""
    return {"choices": [{"index": 0, **fields}]}


@settings(deadline=None)
@given(st.lists(EVENTS | VALUES, max_size=4), st.sampled_from(["derived", "counted"]))
def test_no_event_makes_it_fail(events: list[Any], tokens: Tokens) -> None:
    """Any JSON leaves an answer of the right types, and an outcome with a word."""
    answer = Answer()
    for stamp_ns, event in enumerate(events):
        answer.read(stamp_ns, json.dumps(event).encode())
    found = classify(
        Seen(
            request_id="r000001",
            tokens_asked=3,
            ending="complete",
            status=200,
            tokens=tokens,
            texts=answer.texts,
            usage_tokens=answer.usage_tokens,
            finish_reason=answer.finish_reason,
            done=answer.done,
            error=answer.error,
        )
    )

    assert found.word in get_args(Word)
    assert len(found.detail) < 1000
    assert {type(text) for text in answer.texts if text} <= {str}
    assert all(answer.texts)
    assert len(answer.texts) == len(answer.texts_ns)
    assert answer.finish_reason is None or isinstance(answer.finish_reason, str)
    assert answer.usage_tokens is None or type(answer.usage_tokens) is int


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    """What is no JSON is an error that quotes it."""
    answer = Answer()
    answer.read(1, data)

    assert answer.error is None or answer.error.startswith("event is not")


@pytest.mark.parametrize(
    "data",
    [b"", b"{half", b"[1]", b"7", b"null", b"[" * 100_000, b'{"a":' * 100_000, b'"\xff"', b'{"x": NaN}'],
)
def test_what_is_no_object_is_an_error(data: bytes) -> None:
    """Neither nesting nor bytes that are no text are an exception."""
    answer = Answer()
    answer.read(1, data)

    assert (answer.error or "").startswith("event is not")
    assert len(answer.error or "") <= 300


@pytest.mark.parametrize(
    "event",
    [
        {"choices": {"0": {}}},
        {"choices": ["text"]},
        {"choices": [None]},
        choice(delta=["content"]),
        choice(delta="content"),
        choice(delta={"content": ["a", "list"]}),
        choice(delta={"content": {"text": "x"}}),
        choice(delta={"content": 5}),
        choice(text={"a": 1}),
    ],
)
def test_a_choice_of_another_shape_is_an_error(event: dict[str, Any]) -> None:
    """It is quoted, and no token is made of it."""
    answer = read(event)

    assert (answer.error or "").startswith("event is not as OpenAI's: b'{\"choices\"")
    assert not answer.texts


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"choices": None},
        {"choices": []},
        choice(),
        choice(delta=None),
        choice(delta={}),
        choice(delta={"role": "assistant"}),
        choice(delta={"role": "assistant", "content": None}),
        choice(delta={"content": ""}),
        choice(delta={"tool_calls": "none"}),
        choice(delta={"tool_calls": [None, {"function": None}, {"function": {"arguments": None}}]}),
    ],
)
def test_an_event_without_text_is_neither_token_nor_error(event: dict[str, Any]) -> None:
    """Nobody could read it."""
    answer = read(event)

    assert (answer.texts, answer.error, answer.finish_reason) == ([], None, None)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (choice(delta={"content": " a"}), " a"),
        (choice(text=" b"), " b"),
        (choice(delta={"reasoning_content": " c", "content": None}), " c"),
        (choice(delta={"reasoning": " d"}), " d"),
        (choice(delta={"tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}), "f{"),
    ],
)
def test_whatever_a_reader_would_see_is_a_token(event: dict[str, Any], text: str) -> None:
    """Content, thoughts and a tool's arguments, each with its time."""
    answer = read(choice(delta={"role": "assistant"}), event)

    assert (answer.texts, answer.texts_ns) == ([text], [2])


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"completion_tokens": 7}, 7),
        ({"completion_tokens": 0}, 0),
        ({"completion_tokens": -1}, None),
        ({"completion_tokens": True}, None),
        ({"completion_tokens": 7.5}, None),
        ({"completion_tokens": "7"}, None),
        ({}, None),
        ([7], None),
        (None, None),
    ],
)
def test_the_servers_count_is_kept_if_it_is_one(usage: object, tokens: int | None) -> None:
    """What is no count is as if it had not been sent."""
    answer = read({"choices": [], "usage": usage})

    assert (answer.usage_tokens, answer.error) == (tokens, None)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"error": {"message": "no blocks left", "code": 500}}, "no blocks left"),
        ({"error": "plain"}, "plain"),
        ({"error": {"code": 500}}, "{'code': 500}"),
        ({"error": [1]}, "[1]"),
        ({"object": "error", "message": "bare", "code": 400}, "bare"),
        ({"error": "x" * 9_999}, "x" * 300),
    ],
)
def test_an_error_is_kept_in_the_servers_words(event: dict[str, Any], said: str) -> None:
    """The first of them, and not without bound."""
    assert read(event, {"error": "its echo"}).error == said
