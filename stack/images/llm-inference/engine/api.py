"""The HTTP side: OpenAI's routes, the probes and the scrape."""

import re
import socket
import struct
import time
import uuid
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from engine.batching import Engine
from engine.errors import BadRequestError, MisbehavingError, RefusedError
from engine.generation import Generation
from engine.openai import DONE, Answer, read_request

BODY_BYTES_MAX = 16 * 2**20
# What a request id may be made of: it goes into headers, logs and events as it is.
REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

# Where Istio says whose certificate the caller's proxy has: there is one for each of its pods.
CALLER = "x-forwarded-client-cert"
RESET = struct.pack("ii", 1, 0)  # linger for no time: closing sends RST, not FIN

Route = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(engine: Engine) -> web.Application:
    """The routes of one engine."""
    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app.add_routes(
        [
            web.post("/v1/chat/completions", _completions(engine, chat=True)),
            web.post("/v1/completions", _completions(engine, chat=False)),
            web.get("/v1/models", _models(engine)),
            web.get("/health", _probe(lambda: engine.state != "loading")),
            web.get("/ready", _probe(lambda: engine.state == "ready")),
            web.get("/metrics", _metrics(engine)),
        ]
    )
    return app


def _probe(is_true: Callable[[], bool]) -> Route:
    """200 while something is true, 503 otherwise.

    As vLLM's, ``/health`` is true only once the model is loaded, so a startup probe can wait on it. It stays
    true while draining, so a liveness probe does not cut a drain short; ``/ready`` ends at SIGTERM.
    """

    async def probe(_request: web.Request) -> web.Response:
        return web.Response(status=200 if is_true() else 503)

    return probe


def _metrics(engine: Engine) -> Route:
    async def metrics(_request: web.Request) -> web.Response:
        body = generate_latest(engine.metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return metrics


def _models(engine: Engine) -> Route:
    tokens_max = engine.settings.capacity.context_tokens_max
    models = [
        {"id": name, "object": "model", "created": 0, "owned_by": "sealegs", "max_model_len": tokens_max}
        for name in engine.settings.model_names
    ]

    async def list_models(_request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": models})

    return list_models


def _completions(engine: Engine, *, chat: bool) -> Route:
    """The route that answers prompts; whatever refuses one does so before the first header of a success."""

    async def complete(request: web.Request) -> web.StreamResponse:
        asked_id = request.headers.get("x-request-id", "")
        request_id = asked_id if REQUEST_ID.fullmatch(asked_id) else uuid.uuid4().hex
        headers = {"x-served-by": engine.settings.pod_name, "x-request-id": request_id}
        if engine.state == "draining":
            headers["Connection"] = "close"  # the next request on this connection belongs to another pod
        try:
            asked = read_request(await request.read(), chat=chat)
            generation = engine.submit(request_id, asked, caller=request.headers.get(CALLER, ""))
        except RefusedError as refusal:
            return _error(refusal, headers | {"Retry-After": str(engine.settings.retry_after_s)})
        except MisbehavingError as error:
            return _error(error, headers)
        except BadRequestError as error:
            engine.metrics.invalid()
            return _error(error, headers)
        written = False
        try:
            answer = Answer(
                request_id=request_id,
                chat=chat,
                model=asked.model or engine.settings.model_names[0],
                created=int(generation.wall_s),
                include_usage=asked.include_usage,
            )
            respond = _stream if asked.stream else _whole
            response = await respond(request, answer, generation, headers)
            written = True
            return response
        finally:
            engine.close(generation, written=written)

    return complete


async def _stream(
    request: web.Request, answer: Answer, generation: Generation, headers: dict[str, str]
) -> web.StreamResponse:
    """Server-sent events, each token in its own write as soon as it is made."""
    response = web.StreamResponse(headers=headers | {"Cache-Control": "no-cache"})
    response.content_type = "text/event-stream"
    await response.prepare(request)
    async for index in generation.tokens():
        finish = generation.natural_finish if generation.is_last(index) else None
        await response.write(answer.event(index, finish=finish))
    if generation.is_reset:
        _reset(request)
        return response
    if generation.finish == "abort":
        await response.write(answer.event(None, finish="abort"))
    if answer.include_usage:
        prompt_tokens = generation.sequence.prompt_tokens
        await response.write(answer.usage_event(prompt_tokens=prompt_tokens, tokens=len(generation.sent_s)))
    await response.write(DONE)
    await response.write_eof()
    return response


async def _whole(
    request: web.Request, answer: Answer, generation: Generation, headers: dict[str, str]
) -> web.StreamResponse:
    """One JSON body when the answer is complete; it always has its usage."""
    tokens = [index async for index in generation.tokens()]
    prompt_tokens = generation.sequence.prompt_tokens
    body = answer.whole(prompt_tokens=prompt_tokens, tokens=len(tokens), finish=generation.finish)
    response = web.Response(body=body, headers=headers, content_type="application/json")
    await response.prepare(request)
    generation.whole_s = time.monotonic()
    await response.write_eof()
    return response


def _reset(request: web.Request) -> None:
    """End a connection as a process that dies does, with an answer half written."""
    if request.transport is not None:
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        request.transport.abort()


def _error(error: RefusedError | BadRequestError | MisbehavingError, headers: dict[str, str]) -> web.Response:
    """An error in OpenAI's form."""
    body = {"error": {"message": str(error), "type": error.kind, "param": None, "code": error.status}}
    return web.json_response(body, status=error.status, headers=headers)
