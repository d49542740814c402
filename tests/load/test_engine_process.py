"""The engine as a process: load, readiness, the two ways to stop, and what it says when it cannot start."""

import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from engine.__main__ import main
from sealegs.faults import straight

pytestmark = pytest.mark.load

HOME = Path(__file__).parents[2] / "stack" / "images" / "llm-inference"
WAIT_S_MAX = 20.0
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass
class Running:
    """A running engine; `lines` is what it has printed and this test has read."""

    process: subprocess.Popen[str]
    lines: list[dict[str, Any]]

    def line_with(self, key: str) -> dict[str, Any]:
        """The next line of its stdout that has a key."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(json.loads(line))
            if key in self.lines[-1]:
                return self.lines[-1]
        raise AssertionError(f"the engine ended without saying {key}: {self.lines}")


@contextmanager
def running(**environment: str) -> Iterator[Running]:
    """An engine on loopback ports of its own choice."""
    process = subprocess.Popen(
        [sys.executable, "-m", "engine"],
        cwd=HOME,
        env={**os.environ, "HOST": "127.0.0.1", "HTTP_PORT": "0", "GRPC_PORT": "0", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Running(process, [])
        finally:
            process.kill()


def get(port: int, path: str) -> int:
    """Status of a GET."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S_MAX)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


@contextmanager
def stream(port: int, *, tokens: int) -> Iterator[http.client.HTTPResponse]:
    """A stream that has begun."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S_MAX)
    message = {"role": "user", "content": "hello"}
    body = {"messages": [message], "stream": True, "max_tokens": tokens, "ignore_eos": True}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"x-request-id": "r0"})
    with closing(connection), connection.getresponse() as response:
        assert response.readline().startswith(b"data: ")
        yield response


def finish_of(response: http.client.HTTPResponse) -> tuple[int, str]:
    """Events that were still to come, DONE apart, and the last one's finish reason."""
    *events, done = [line for line in response.read().splitlines() if line]
    assert done == b"data: [DONE]"
    return len(events), json.loads(events[-1][6:])["choices"][0]["finish_reason"]


def wait_not_ready(port: int) -> None:
    """Return when the signal has arrived."""
    limit_s = time.monotonic() + WAIT_S_MAX
    while get(port, "/ready") != 503:
        assert time.monotonic() < limit_s


def test_ready_only_when_the_model_is_loaded(tmp_path: Path) -> None:
    """While it loads it listens and answers 503 to every probe; then HTTP and gRPC agree that it serves."""
    (tmp_path / "weights").write_bytes(b"w" * 1000)
    with running(MODEL_PATH=str(tmp_path), MODEL_LOAD_S="0.3") as engine:
        listening = engine.line_with("listening")
        port, target = listening["http_port"], f"127.0.0.1:{listening['grpc_port']}"
        with grpc.insecure_channel(target) as channel:
            # Its methods are made when it is, which its type stubs leave out.
            health: Any = health_pb2_grpc.HealthStub(channel)
            watched = health.Watch(health_pb2.HealthCheckRequest(service="llm-inference"), timeout=WAIT_S_MAX)

            assert [get(port, path) for path in ("/health", "/ready")] == [503, 503]
            assert next(watched).status == NOT_SERVING
            assert next(watched).status == SERVING
            assert engine.line_with("loaded")["model_bytes"] == 1000
            assert [get(port, path) for path in ("/health", "/ready")] == [200, 200]
            assert health.Check(health_pb2.HealthCheckRequest(), timeout=WAIT_S_MAX).status == SERVING
            watched.cancel()


def test_drain_finishes_what_is_in_flight_and_what_still_arrives() -> None:
    """After SIGTERM it is not ready, serves both streams to their last token, and exits 0."""
    with running(DECODE_STEP_MS="2") as engine:
        port = engine.line_with("listening")["http_port"]
        engine.line_with("loaded")
        with stream(port, tokens=150) as before:
            engine.process.send_signal(signal.SIGTERM)
            wait_not_ready(port)
            with stream(port, tokens=20) as after:
                assert get(port, "/health") == 200
                assert finish_of(after) == (19, "length")
            assert finish_of(before) == (149, "length")

        assert engine.process.wait(WAIT_S_MAX) == 0
        assert [engine.line_with("truth")["finish"] for _ in range(2)] == ["length", "length"]


@pytest.mark.parametrize(
    "environment", [{"SHUTDOWN_MODE": "abort", "DRAIN_LIMIT_S": "3600"}, {"DRAIN_LIMIT_S": "0.1"}]
)
def test_abort_ends_a_stream_where_it_is(environment: dict[str, str]) -> None:
    """At SIGTERM in abort mode, or at the limit of a drain, the client reads abort and a clean end."""
    with running(**environment) as engine:
        port = engine.line_with("listening")["http_port"]
        engine.line_with("loaded")
        with stream(port, tokens=30_000) as cut:
            engine.process.send_signal(signal.SIGTERM)
            events, finish = finish_of(cut)

        assert finish == "abort"
        assert engine.process.wait(WAIT_S_MAX) == 0
        truth = engine.line_with("truth")
        # The first event was read before, and the one that says abort has no token.
        assert (truth["finish"], truth["phase_at_end"], truth["tokens"]) == ("abort", "decode", events)


def test_a_second_signal_ends_a_drain() -> None:
    """Who asks twice does not wait for the limit."""
    with running() as engine:
        port = engine.line_with("listening")["http_port"]
        engine.line_with("loaded")
        with stream(port, tokens=30_000) as cut:
            engine.process.send_signal(signal.SIGTERM)
            wait_not_ready(port)
            engine.process.send_signal(signal.SIGTERM)

            assert finish_of(cut)[1] == "abort"
        assert engine.process.wait(WAIT_S_MAX) == 0


def test_it_is_told_to_misbehave_from_inside(tmp_path: Path) -> None:
    """The program of its image speaks to its door, and it answers accordingly."""
    door = str(tmp_path / "door")
    with running(FAULTS_SOCKET=door) as engine:
        port = engine.line_with("listening")["http_port"]
        engine.line_with("loaded")
        environment = {**os.environ, "FAULTS_SOCKET": door}
        for told, status in (({"status": 503}, 503), ({}, 200)):
            argv = [sys.executable, "-m", "engine.misbehave", json.dumps(told)]
            said = subprocess.run(argv, cwd=HOME, env=environment, capture_output=True, check=True).stdout
            assert json.loads(said)["status"] == told.get("status", 0)
            assert straight.ask(port, tokens=3)["status"] == status


@pytest.fixture
def taken() -> Iterator[str]:
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield str(server.getsockname()[1])


@pytest.mark.parametrize(
    ("setting", "code", "said"),
    [
        ("MAX_BATCH_SIZE=none", 4, "MAX_BATCH_SIZE='none': not a whole number"),
        ("MODEL_PATH=/absent", 5, "/absent"),
        ("HTTP_PORT={taken}", 5, "address already in use"),
    ],
)
def test_what_keeps_it_from_starting_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, taken: str, setting: str, *, code: int, said: str
) -> None:
    """Wrong settings, a model that is not there, a port in use: the exit code and the reason."""
    name, value = setting.format(taken=taken).split("=")
    asked = {"HOST": "127.0.0.1", "HTTP_PORT": "0", "GRPC_PORT": "0", name: value}
    monkeypatch.setattr("os.environ", asked)

    with redirect_stderr(io.StringIO()) as stderr:
        assert main() == code

    assert said in stderr.getvalue()


def test_a_process_that_cannot_start_ends_by_itself(taken: str) -> None:
    """Out of a real process come the exit code and the sentence, and no traceback."""
    with running(GRPC_PORT=taken) as engine:
        _, stderr = engine.process.communicate(timeout=WAIT_S_MAX)

    assert engine.process.returncode == 5
    assert "bind" in stderr
    assert "Traceback" not in stderr
