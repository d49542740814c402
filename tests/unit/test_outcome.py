"""What counts as answered, and the word for each way in which a request was not."""

from dataclasses import replace

import pytest

from engine.tokens import token_text as engine_token_text
from sealegs.traffic.outcome import Outcome, Seen, classify, token_text

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
    "too many": (replace(WHOLE, status=429, is_events=False, texts=()), "http_429", "status 429"),
    "client's error": (replace(WHOLE, status=404, is_events=False), "http_4xx", "status 404"),
    "redirect": (replace(WHOLE, status=302, is_events=False), "http_4xx", "status 302"),
    "server's error": (replace(WHOLE, status=503, said="no\n upstream"), "http_5xx", "503: no upstream"),
    "no stream": (replace(WHOLE, is_events=False, texts=()), "no_finish", "no event stream"),
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
    "foreign": (replace(WHOLE, texts=[*texts(0, 1), " 0f", *texts(3, 4)]), "bad_token", "token ' 0f' at 2"),
    "repeated": (replace(WHOLE, texts=texts(0, 1, 1, 2, 3, 4)), "bad_token", "token 1 repeated at 2"),
    "missing": (replace(WHOLE, texts=texts(0, 1, 3, 4)), "bad_token", "token 2 missing: 3 came"),
    "short": (replace(WHOLE, texts=texts(0, 1, 2)), "bad_token", "3 tokens of 5"),
    "long": (replace(WHOLE, texts=texts(*range(7))), "bad_token", "7 tokens of 5"),
    "empty": (replace(WHOLE, texts=(), finish_reason="stop"), "bad_token", "0 tokens of 5"),
    "foreign, then cut": (replace(CUT, texts=[" 000000"], ending="reset"), "bad_token", "foreign token"),
}  # fmt: skip


@pytest.mark.parametrize(("seen", "word", "detail"), CASES.values(), ids=CASES.keys())
def test_each_end_has_its_word(seen: Seen, word: str, detail: str) -> None:
    """One word for each way to end, and a detail that says what was seen."""
    found = classify(seen)

    assert found.word == word
    assert detail in found.detail


@pytest.mark.parametrize("ending", ["closed", "reset", "stall", "deadline_total", "cut_by_us", "complete"])
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
