"""An engine served in this process, and how tests speak to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
from aiohttp.test_utils import TestClient, TestServer

from engine.api import make_app
from engine.batching import Engine
from engine.settings import read_settings

CHAT = "/v1/chat/completions"
WAIT_S_MAX = 5.0

Client = TestClient[Any, Any]


@asynccontextmanager
async def served(**environment: str) -> AsyncIterator[tuple[Engine, Client]]:
    """A ready engine with fast steps, and a client of it."""
    engine = Engine(read_settings({"DECODE_STEP_MS": "1", "POD_NAME": "pod-0", **environment}))
    engine.state = "ready"
    stepping = asyncio.create_task(engine.run())
    async with TestClient(TestServer(make_app(engine))) as client:
        yield engine, client
    stepping.cancel()
    with suppress(asyncio.CancelledError):
        await stepping


def run(body: Callable[[], Awaitable[None]]) -> None:
    """Run one asynchronous test within a limit."""

    async def limited() -> None:
        async with asyncio.timeout(WAIT_S_MAX):
            await body()

    asyncio.run(limited())


def chat(tokens: int, *, prompt: str = "three words here", **more: object) -> dict[str, object]:
    """The body that asks for exactly so many tokens, streamed."""
    message = {"role": "user", "content": prompt}
    return {"messages": [message], "stream": True, "max_tokens": tokens, "ignore_eos": True, **more}


async def ask(client: Client, request_id: str, body: object, *, path: str = CHAT) -> aiohttp.ClientResponse:
    """Send one request; the response may still be streaming."""
    response: aiohttp.ClientResponse = await client.post(
        path, json=body, headers={"x-request-id": request_id}
    )
    return response


async def events(response: aiohttp.ClientResponse) -> list[str]:
    """All data of a stream's events, to its end."""
    return [line[6:].decode().strip() async for line in response.content if line.startswith(b"data: ")]


def contents(data: list[str]) -> list[str]:
    """The text of each event that has one."""
    chunks = [json.loads(one) for one in data if one != "[DONE]"]
    return [choice["delta"]["content"] for chunk in chunks for choice in chunk["choices"]]


def truths(printed: str) -> dict[str, dict[str, Any]]:
    """The truth log by request id."""
    records = [json.loads(line) for line in printed.splitlines()]
    return {record["request_id"]: record for record in records if "truth" in record}
