"""The engine's HTTP side, in this process: real sockets on loopback, real time in milliseconds."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.engine_client import CHAT, ask, chat, contents, events, run, served, truths

from engine.tokens import answer_text, token_text

NAMES = (
    "llm_request_queue_length",
    "inference_request_in_flight",
    "inference_requests_total",
    "inference_request_duration_seconds_count",
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
    "vllm:time_to_first_token_seconds_count",
    "vllm:inter_token_latency_seconds_count",
    "vllm:e2e_request_latency_seconds_count",
    "vllm:request_success_total",
    "vllm:prompt_tokens_total",
    "vllm:generation_tokens_total",
    "vllm:num_preemptions_total",
)


def test_a_stream_is_exactly_what_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Each token once, in order, in its own event; the last has the reason, then usage, then DONE."""

    async def body() -> None:
        async with served() as (_, client):
            body = chat(5, stream_options={"include_usage": True})
            response = await ask(client, "r7", body)
            data = await events(response)

            assert response.headers["x-served-by"] == "pod-0"
            assert response.headers["x-request-id"] == "r7"
            assert contents(data) == [token_text("r7", index) for index in range(5)]
            reasons = [json.loads(one)["choices"][0]["finish_reason"] for one in data[:5]]
            assert reasons == [None, None, None, None, "length"]
            assert json.loads(data[5])["usage"] == {
                "prompt_tokens": 3,
                "completion_tokens": 5,
                "total_tokens": 8,
            }
            assert data[6:] == ["[DONE]"]

    run(body)

    truth = truths(capsys.readouterr().out)["r7"]
    assert (truth["tokens"], len(truth["sent_us"]), truth["prompt_tokens"]) == (5, 5, 3)
    assert (truth["finish"], truth["phase_at_end"], truth["pod"]) == ("length", "done", "pod-0")
    assert truth["received_s"] <= truth["admitted_s"] < truth["first_token_s"] < truth["end_s"]
    assert truth["sent_us"][0] == pytest.approx((truth["first_token_s"] - truth["received_s"]) * 1e6, abs=2)


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        (CHAT, {"messages": [{"content": "hello"}]}, lambda choice: choice["message"]["content"]),
        ("/v1/completions", {"prompt": "hello"}, lambda choice: choice["text"]),
    ],
)
def test_an_answer_in_one_piece_says_the_same(
    path: str, body: dict[str, object], said: Callable[[Any], str]
) -> None:
    """Not streamed, the text is the same tokens, stopped where the request id says."""

    async def once() -> None:
        async with served() as (_, client):
            answer = await (await ask(client, "r8", body | {"max_tokens": 9}, path=path)).json()
            tokens = answer["usage"]["completion_tokens"]

            assert 1 <= tokens <= 9
            assert said(answer["choices"][0]) == answer_text("r8", tokens)
            assert answer["choices"][0]["finish_reason"] == ("length" if tokens == 9 else "stop")

    run(once)


def test_an_answer_in_one_piece_is_written_when_it_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """The truth is when tokens were written: all of them at once, after the last was made."""

    async def once() -> None:
        async with served() as (_, client):
            await (await ask(client, "r8", chat(30, stream=False))).json()

    run(once)

    truth = truths(capsys.readouterr().out)["r8"]
    assert (truth["tokens"], truth["sent_us"][1:]) == (30, [0] * 29)
    # A step is a millisecond, and a little for the sequence.
    assert truth["first_token_s"] - truth["received_s"] >= 0.030
    assert truth["first_token_s"] <= truth["end_s"]


def test_a_full_engine_can_be_told_to_refuse_otherwise() -> None:
    """As engines do that know no 429: callers then take a full one for a broken one."""

    async def body() -> None:
        async with served(MAX_CONCURRENT_REQUESTS="1", REFUSE_STATUS="503") as (_, client):
            stream = await ask(client, "r0", chat(20))

            assert (await ask(client, "r1", chat(1))).status == 503
            assert len(contents(await events(stream))) == 20

    run(body)


def test_one_request_too_many_is_refused_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """With running and queued at the limit the next gets 429, Retry-After and an error in OpenAI's form."""

    async def body() -> None:
        async with served(MAX_CONCURRENT_REQUESTS="2", MAX_BATCH_SIZE="1") as (engine, client):
            streams = [await ask(client, f"r{index}", chat(100)) for index in range(2)]
            refused = await ask(client, "r2", chat(1))

            assert (len(engine.scheduler.running), len(engine.scheduler.waiting)) == (1, 1)
            assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
            assert refused.headers["x-served-by"] == "pod-0"
            assert (await refused.json())["error"]["type"] == "rate_limit_exceeded"
            assert [len(contents(await events(stream))) for stream in streams] == [100, 100]

    run(body)

    truth = truths(capsys.readouterr().out)
    assert (truth["r2"]["finish"], truth["r2"]["tokens"]) == ("refused", 0)
    assert truth["r1"]["admitted_s"] >= truth["r0"]["first_token_s"]


def test_a_client_that_leaves_frees_its_slot(capsys: pytest.CaptureFixture[str]) -> None:
    """Its sequence is cancelled, the queued one runs, and the log says how far it got."""

    async def body() -> None:
        async with served(MAX_BATCH_SIZE="1") as (_, client):
            leaving = await ask(client, "r0", chat(4000))
            next_one = asyncio.create_task(ask(client, "r1", chat(3)))
            await leaving.content.readline()
            leaving.close()

            assert len(contents(await events(await next_one))) == 3

    run(body)

    truth = truths(capsys.readouterr().out)["r0"]
    assert (truth["finish"], truth["phase_at_end"]) == ("cancelled", "decode")
    assert 1 <= truth["tokens"] == len(truth["sent_us"]) < 4000


def test_preemption_loses_and_repeats_nothing() -> None:
    """Streams that push each other out of a small cache still get each token once, in order."""

    async def body() -> None:
        async with served(KV_BLOCKS="12", KV_BLOCK_TOKENS="4", DECODE_STEP_MS="0.5") as (engine, client):
            streams = [await ask(client, f"r{index}", chat(30)) for index in range(4)]
            for index, stream in enumerate(streams):
                assert contents(await events(stream)) == [
                    token_text(f"r{index}", place) for place in range(30)
                ]
            metrics = await (await client.get("/metrics")).text()

            assert engine.scheduler.kv_blocks_used == 0
            preemptions = next(line for line in metrics.splitlines() if line.startswith(NAMES[-1]))
            assert float(preemptions.split()[-1]) >= 1

    run(body)


def test_abort_tells_every_client(capsys: pytest.CaptureFixture[str]) -> None:
    """The one that runs and the one that waits both end with the reason abort, and a clean end."""

    async def body() -> None:
        async with served(MAX_BATCH_SIZE="1") as (engine, client):
            streams = [await ask(client, f"r{index}", chat(4000)) for index in range(2)]
            first = await streams[0].content.readline()
            engine.abort_all()
            ends = [await events(stream) for stream in streams]
            await engine.idle.wait()

            assert first.startswith(b"data: ")
            assert [json.loads(end[-2])["choices"][0]["finish_reason"] for end in ends] == ["abort"] * 2
            assert [end[-1] for end in ends] == ["[DONE]"] * 2

    run(body)

    truth = truths(capsys.readouterr().out)
    assert [truth[one]["finish"] for one in ("r0", "r1")] == ["abort", "abort"]
    assert [truth[one]["phase_at_end"] for one in ("r0", "r1")] == ["decode", "queued"]


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({"max_tokens": 1}, 400, "messages"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"content": 3}]}, 400, "no text"),
        (chat(0), 400, "max_tokens"),
        (chat(1) | {"max_tokens": True}, 400, "max_tokens"),
        (chat(32_766), 400, "at most 32768"),
        (chat(1, n=2), 400, "n:"),
        (chat(1, model="gpt-unknown"), 404, "gpt-unknown"),
        ([], 400, "object"),
    ],
)
def test_a_request_that_cannot_be_answered_says_why(body: object, status: int, named: str) -> None:
    """The error names the field; nothing is queued and it is counted as an error."""

    async def once() -> None:
        async with served() as (engine, client):
            response = await ask(client, "r0", body)

            assert response.status == status
            assert named in (await response.json())["error"]["message"]
            assert engine.scheduler.size == 0
            assert 'status="error"} 1.0' in await (await client.get("/metrics")).text()

    run(once)


def test_probes_follow_the_life_of_the_engine() -> None:
    """Loading: neither; ready: both; draining: alive but not ready, and still answering."""

    async def body() -> None:
        async with served() as (engine, client):
            seen = {}
            for state in ("loading", "ready", "draining"):
                engine.state = state
                asked = await ask(client, "r0", chat(1))
                probes = [(await client.get(path)).status for path in ("/health", "/ready")]
                seen[state] = (*probes, asked.status, asked.headers.get("Connection"))

            assert seen == {
                "loading": (503, 503, 503, None),
                "ready": (200, 200, 200, None),
                "draining": (200, 503, 200, "close"),
            }

    run(body)


def test_a_scrape_has_every_name_before_the_first_request() -> None:
    """The names that queries and autoscalers use are there, and count what was answered."""

    async def body() -> None:
        async with served(MODEL_NAME="one,two") as (_, client):
            await (await ask(client, "r0", chat(4, model="two"))).read()
            lines = (await (await client.get("/metrics")).text()).splitlines()
            models = await (await client.get("/v1/models")).json()

            shown = {line.split("{")[0] for line in lines if not line.startswith("#")}
            assert set(NAMES) <= shown
            assert 'vllm:generation_tokens_total{model_name="one"} 4.0' in lines
            assert 'vllm:prompt_tokens_total{model_name="one"} 3.0' in lines
            assert 'vllm:request_success_total{finished_reason="length",model_name="one"} 1.0' in lines
            assert 'inference_requests_total{status="success"} 1.0' in lines
            assert [model["id"] for model in models["data"]] == ["one", "two"]

    run(body)


def test_tokens_are_paced_by_absolute_times(capsys: pytest.CaptureFixture[str]) -> None:
    """Lateness of the event loop does not add up: 200 steps of 2 ms take 0.4 s and not a step more each."""

    async def body() -> None:
        async with served(DECODE_STEP_MS="2", DECODE_STEP_PER_SEQ_MS="0") as (_, client):
            assert len(contents(await events(await ask(client, "r0", chat(200))))) == 200

    run(body)

    sent_us = truths(capsys.readouterr().out)["r0"]["sent_us"]
    # Room for one late wake-up at the end, not for one at each step.
    assert sum(sent_us) == pytest.approx(400_000, abs=60_000)
    assert all(step_us >= 0 for step_us in sent_us)
