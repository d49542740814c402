"""An answer that is asked for whole is checked as one that is streamed: token by token, and to its end."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.openai import Answer as EngineAnswer
from sealegs.scenario import load_scenario
from sealegs.traffic.client.exchange import Exchange, Planned
from sealegs.traffic.client.outcome import Ending, Outcome
from sealegs.traffic.row import ended_of, row_of
from sealegs.traffic.schedule import make
from sealegs.traffic.share import share_of

ROOT = Path(__file__).parents[2]
ID, ASKED = "r000007", 12
S = 1_000_000_000
PLANNED = Planned(ID, 0.0, 3, ASKED, "default", stream=False)


def body_of(tokens: int = ASKED, *, finish: str = "length", request_id: str = ID) -> bytes:
    """What the reference engine says."""
    answer = EngineAnswer(request_id=request_id, chat=True, model="m", created=0, include_usage=False)
    return answer.whole(prompt_tokens=3, tokens=tokens, finish=finish)


def reply_of(body: bytes, *, kind: str = "application/json; charset=utf-8", status: int = 200) -> bytes:
    """A body of known length, with its headers."""
    return (
        b"HTTP/1.1 %d x\r\nContent-Type: %s\r\nX-Served-By: pod-1\r\nContent-Length: %d\r\n\r\n"
        % (status, kind.encode(), len(body))
        + body
    )


def ended(wire: bytes, *cuts: int, ending: Ending = "complete", planned: Planned = PLANNED) -> Exchange:
    """A request sent at 0 whose reply came in pieces, a second between two."""
    exchange = Exchange(planned, memoryview(b""), 0)
    for number, (start, end) in enumerate(pairwise([0, *sorted(cuts), len(wire)]), start=1):
        exchange.reply.receive(wire[start:end], stamp_ns=number * S)
    exchange.ending, exchange.end_ns = ending, exchange.reply.last_ns
    while exchange.digest(most=5, tokens="derived"):
        pass
    return exchange


def outcome_of(wire: bytes, *, ending: Ending = "complete", planned: Planned = PLANNED) -> Outcome:
    """What becomes of a request whose reply came at once."""
    return ended(wire, ending=ending, planned=planned).outcome(tokens="derived")


@settings(deadline=None)
@given(cuts=st.lists(st.integers(0, len(reply_of(body_of()))), max_size=8))
def test_it_is_the_same_however_it_was_cut(cuts: list[int]) -> None:
    """Every token has the time of the last byte: nobody could read the first one before."""
    exchange = ended(reply_of(body_of()), *cuts)
    row = row_of(ended_of(exchange, tokens="derived"), sent_ns=0, worker=0, zero_ns=0)

    assert (row["outcome"], row["tokens_received"], row["finish_reason"]) == ("ok", ASKED, "length")
    assert row["first_token_s"] == row["last_token_s"] == row["end_s"] == exchange.reply.last_ns / S
    assert (row["gap_s_max"], row["pod"]) == (0.0, "pod-1")


@pytest.mark.parametrize(
    ("wire", "word", "detail"),
    [
        (reply_of(body_of(5, finish="stop")), "ok", ""),
        (reply_of(body_of(request_id="r000008")), "bad_token", "foreign token"),
        (reply_of(body_of(5)), "bad_token", "5 tokens of 12 and finish_reason length"),
        (reply_of(body_of(5, finish="abort")), "abort", "after 5 of 12 tokens"),
        (reply_of(body_of(), kind="text/html"), "no_finish", "no JSON but text/html"),
        (reply_of(b"sorry"), "error_event", "answer is not JSON: b'sorry'"),
        (reply_of(b'{"error": {"message": "died"}}'), "error_event", "died after 0 of 12 tokens"),
        (reply_of(b"upstream request timeout", status=504), "http_5xx", "504: upstream request timeout"),
        (reply_of(b'{"error": 1}', status=429), "http_429", 'status 429: {"error": 1}'),
    ],
)
def test_each_end_has_its_word(wire: bytes, word: str, detail: str) -> None:
    """What is not the request's own answer, to its last token, is not called answered."""
    found = outcome_of(wire)

    assert found.word == word
    assert detail in found.detail


def test_one_that_was_cut_was_not_read() -> None:
    """Half of a JSON object has no token."""
    assert outcome_of(reply_of(body_of())[:-9], ending="closed") == Outcome("cut_fin", "after 0 of 12 tokens")


def test_the_form_that_was_not_asked_for_is_no_answer() -> None:
    """A stream is wrong where the answer was to come whole, and the other way round."""
    event = b'data: {"choices": [{"delta": {"content": " x"}}]}\n\n'
    streamed = reply_of(event, kind="text/event-stream")

    assert "no JSON but text/event-stream" in outcome_of(streamed).detail
    found = outcome_of(reply_of(body_of()), planned=replace(PLANNED, stream=True))
    assert "no event stream but application/json" in found.detail


def test_the_profiles_that_a_scenario_names_come_whole() -> None:
    """All others come as streams, and the mix of both is the schedule's."""
    one = load_scenario(ROOT / "scenarios" / "gpu-node-drain.toml", files_exist=False)
    mixed = replace(one, traffic=replace(one.traffic, profiles={"chat": 0.5, "reasoning": 0.5}))
    schedule = make(mixed)
    profile_of = dict(zip(schedule["request_id"].to_pylist(), schedule["profile"].to_pylist(), strict=True))
    planned = share_of(schedule, worker=0, processes=1, whole=("reasoning",))

    assert {one.stream for one in planned} == {True, False}
    assert all(one.stream == (profile_of[one.request_id] == "chat") for one in planned)


def test_models_have_their_shares_and_change_nothing_else() -> None:
    """Who asks for which model is drawn by the seed, apart from everything else."""
    one = load_scenario(ROOT / "scenarios" / "gpu-node-drain.toml", files_exist=False)
    one = replace(one, traffic=replace(one.traffic, rate_rps=40.0))
    shares = {"gpt4": 0.5, "gpt35": 0.3, "default": 0.2}
    mixed = replace(one, traffic=replace(one.traffic, model_types=shares))
    found = make(mixed)["model_type"].to_pandas().value_counts(normalize=True)

    assert found.to_dict() == pytest.approx(shares, abs=0.03)
    assert make(mixed).drop(["model_type"]).equals(make(one).drop(["model_type"]))
