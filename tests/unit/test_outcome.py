"""What counts as answered, and the word for each way in which a request was not."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.tokens import token_text as engine_token_text
from sealegs.traffic.client.outcome import Outcome, Seen, belonging, classify, token_text

ID = "r000007"
ASKED = 5


def texts(*indices: int) -> list[str]:
    """Tokens of the request by index."""
    return [token_text(ID, index) for index in indices]


WHOLE = Seen(
    request_id=ID,
    tokens_asked=ASKED,
    ending="complete",
    status=200,
    texts=texts(*range(ASKED)),
    finish_reason="length",
    done=True,
)
CUT = replace(WHOLE, texts=texts(0, 1), finish_reason=None, done=False)
UNANSWERED = Seen(request_id=ID, tokens_asked=ASKED, ending="closed")

CASES = {
    "whole": (WHOLE, "ok", ""),
    "model stopped": (replace(WHOLE, texts=texts(0, 1), finish_reason="stop"), "ok", ""),
    "whole, then reset": (replace(WHOLE, ending="reset"), "ok", ""),
    "whole, end awaited in vain": (replace(WHOLE, ending="stall"), "ok", ""),
    "refused": (replace(UNANSWERED, ending="refused", ending_detail="no route"), "refused", "no route"),
    "closed unanswered": (UNANSWERED, "reset_before_headers", "closed without an answer"),
    "reset unanswered": (replace(UNANSWERED, ending="reset", ending_detail="R"), "reset_before_headers", "R"),
    "no connection": (replace(UNANSWERED, ending="deadline_connect"), "deadline_connect", ""),
    "no headers": (replace(UNANSWERED, ending="deadline_first_token"), "deadline_first_token", ""),
    "unanswered, cut by us": (replace(UNANSWERED, ending="cut_by_us"), "cut_by_us", ""),
    "no HTTP": (replace(UNANSWERED, ending="unreadable", ending_detail="odd"), "reset_before_headers", "odd"),
    "closed on reuse": (replace(UNANSWERED, reused=True), "reset_before_headers", "used before"),
    "too many": (replace(WHOLE, status=429, is_answer=False, texts=()), "http_429", "status 429"),
    "client's error": (replace(WHOLE, status=404, is_answer=False), "http_4xx", "status 404"),
    "redirect": (replace(WHOLE, status=302, is_answer=False), "http_4xx", "status 302"),
    "server's error": (replace(WHOLE, status=503, said="no\n upstream"), "http_5xx", "503: no upstream"),
    "no stream": (replace(WHOLE, is_answer=False, texts=()), "no_finish", "no event stream"),
    "page": (replace(WHOLE, is_answer=False, texts=(), media="text/html"), "no_finish", "but text/html"),
    "gave up": (replace(CUT, ending="unreadable", ending_detail="huge"), "no_finish", "huge after 2 of 5"),
    "error event": (replace(CUT, error="engine died", done=True), "error_event", "engine died after 2 of 5"),
    "headers only": (replace(CUT, texts=(), ending="deadline_first_token"), "deadline_first_token", "0 of 5"),
    "closed in the middle": (replace(CUT, ending="closed"), "cut_fin", "after 2 of 5 tokens"),
    "reset in the middle": (replace(CUT, ending="reset", ending_detail="rst"), "cut_rst", "rst after 2 of 5"),
    "ended without finish": (CUT, "no_finish", "no finish_reason after 2 of 5"),
    "done without finish": (replace(CUT, done=True), "no_finish", "no finish_reason"),
    "finish without done": (replace(WHOLE, done=False), "no_finish", "no [DONE]"),
    "odd finish": (replace(WHOLE, finish_reason="content_filter"), "no_finish", "'content_filter'"),
    "abort": (replace(CUT, finish_reason="abort", done=True), "abort", "after 2 of 5"),
    "abort, then closed": (replace(CUT, finish_reason="abort", ending="closed"), "abort", "after 2 of 5"),
    "stall": (replace(CUT, ending="stall"), "stall", "after 2 of 5"),
    "too long": (replace(CUT, ending="deadline_total"), "deadline_total", "after 2 of 5"),
    "cut by us": (replace(CUT, ending="cut_by_us"), "cut_by_us", "after 2 of 5"),
    "cancelled": (replace(CUT, ending="cancelled"), "cancelled", "after 2 of 5 tokens, as planned"),
    "foreign": (replace(WHOLE, texts=[*texts(0, 1), " 0f", *texts(3, 4)]), "bad_token", "token ' 0f' at 2"),
    "repeated": (replace(WHOLE, texts=texts(0, 1, 1, 2, 3, 4)), "bad_token", "token 1 repeated at 2"),
    "missing": (replace(WHOLE, texts=texts(0, 1, 3, 4)), "bad_token", "token 2 missing: 3 came"),
    "short": (replace(WHOLE, texts=texts(0, 1, 2)), "bad_token", "3 tokens of 5"),
    "long": (replace(WHOLE, texts=texts(*range(7))), "bad_token", "7 tokens of 5"),
    "empty": (replace(WHOLE, texts=(), finish_reason="stop"), "bad_token", "0 tokens of 5"),
    "foreign, then cancelled": (replace(CUT, texts=[" x"], ending="cancelled"), "bad_token", "foreign token"),
    "known to belong": (replace(WHOLE, texts=["?", *texts(1, 2, 3, 4)], belonging=1), "ok", ""),
    "long foreign": (replace(CUT, texts=["x" * 9_999]), "bad_token", f"foreign token '{'x' * 40}' at 0"),
    "foreign, then cut": (replace(CUT, texts=[" 000000"], ending="reset"), "bad_token", "foreign token"),
}  # fmt: skip


@pytest.mark.parametrize(("seen", "word", "detail"), CASES.values(), ids=CASES.keys())
def test_each_end_has_its_word(seen: Seen, word: str, detail: str) -> None:
    """One word for each way to end, and a detail that says what was seen."""
    found = classify(seen)

    assert found.word == word
    assert detail in found.detail


COUNTED = replace(WHOLE, tokens="counted", texts=[" a", " b"], usage_tokens=5)
COUNTED_CASES = {
    "whole": (COUNTED, "ok", ""),
    "stopped": (replace(COUNTED, finish_reason="stop", usage_tokens=None), "ok", ""),
    "tool called": (replace(COUNTED, finish_reason="tool_calls"), "ok", ""),
    "filtered": (
        replace(COUNTED, finish_reason="content_filter"),
        "no_finish",
        "'content_filter' after 5 of 5",
    ),
    "nothing": (replace(COUNTED, texts=()), "bad_token", "0 tokens of 5"),
    "no done": (replace(COUNTED, done=False), "no_finish", "no [DONE] after 5 of 5"),
    "no finish": (replace(COUNTED, finish_reason=None), "no_finish", "no finish_reason"),
    "cut": (replace(COUNTED, done=False, finish_reason=None, ending="reset"), "cut_rst", "after 5 of 5"),
    "cut before usage": (
        replace(COUNTED, done=False, finish_reason=None, ending="closed", usage_tokens=None),
        "cut_fin",
        "after 2 of 5",
    ),
}


@pytest.mark.parametrize(("seen", "word", "detail"), COUNTED_CASES.values(), ids=COUNTED_CASES.keys())
def test_where_texts_are_the_servers_own_it_is_believed(seen: Seen, word: str, detail: str) -> None:
    """They cannot be checked: an end that says so and some text are whole, and its count goes before ours."""
    found = classify(seen)

    assert found.word == word
    assert detail in found.detail


def test_a_called_tool_does_not_end_what_can_be_checked() -> None:
    """The reference engine calls none."""
    assert classify(replace(WHOLE, finish_reason="tool_calls")).word == "no_finish"


def test_nothing_is_cancelled_before_its_first_token() -> None:
    """That would be a mistake of ours, and is not entered as anything else."""
    with pytest.raises(ValueError, match="r000007 was cancelled before"):
        classify(replace(UNANSWERED, ending="cancelled"))


@settings(deadline=None)
@given(st.lists(st.sampled_from([0, 1, 2, 3]), max_size=6), st.integers(1, 3))
def test_belonging_is_the_same_in_slices(indices: list[int], most: int) -> None:
    """However few are looked at at once, the first that is wrong is found."""
    given_texts = texts(*indices)
    wrong = next((at for at, index in enumerate(indices) if at != index), len(indices))
    at = 0
    while at < len(given_texts) and (end := belonging(ID, given_texts, start=at, most=most)) > at:
        at = end

    assert at == wrong == belonging(ID, given_texts)


@pytest.mark.parametrize(
    "ending", ["closed", "reset", "stall", "deadline_total", "cut_by_us", "unreadable", "complete"]
)
@pytest.mark.parametrize("tokens", range(ASKED))
def test_a_stream_cut_anywhere_is_never_ok(ending: str, tokens: int) -> None:
    """However many tokens came, however it was cut: without an end that says so no answer is whole."""
    cut = replace(CUT, texts=texts(*range(tokens)), ending=ending)  # type: ignore[arg-type]

    assert classify(cut).word != "ok"


def test_a_detail_is_empty_only_where_there_is_nothing_to_say() -> None:
    """An answer that is whole needs no words."""
    assert classify(WHOLE) == Outcome("ok")


def test_client_and_engine_agree_on_every_token() -> None:
    """Both sides name tokens by the same function, each in its own code."""
    assert [token_text(ID, index) for index in range(50)] == [
        engine_token_text(ID, index) for index in range(50)
    ]
