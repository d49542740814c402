"""The real llm-api program between a client and an upstream that stops wherever a test wants it to."""

import hashlib
import http.client
import json
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sealegs.stack_images import llm_api_program

# A compiler stands behind it, which is quick only from the second time on.
pytestmark = pytest.mark.load

WAIT_S_MAX = 20.0
KEY = "key-of-this-test"
FIRST, SECOND = b"data: first\n\n", b"data: second\n\n"


@dataclass
class Upstream:
    """An engine that sends one event and waits for ``go_on`` before it sends the other."""

    url: str = ""
    go_on: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)
    seen: list[dict[str, str]] = field(default_factory=list)
    answer: Callable[[BaseHTTPRequestHandler, "Upstream"], None] | None = None


def stream(request: BaseHTTPRequestHandler, upstream: Upstream) -> None:
    """Two events with the wait between them; knows when the reader has left."""
    request.send_response(200)
    request.send_header("Content-Type", "text/event-stream")
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    request.wfile.write(chunk(FIRST))
    while not upstream.go_on.wait(0.05):
        if leaves(request.connection):
            upstream.left.set()
            return
    request.wfile.write(chunk(SECOND) + chunk(b""))


def cut(request: BaseHTTPRequestHandler, _upstream: Upstream) -> None:
    """One event, then the connection is gone without the end of the body."""
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    request.wfile.write(chunk(FIRST))
    request.close_connection = True


def hang_up(request: BaseHTTPRequestHandler, _upstream: Upstream) -> None:
    """The first request is answered; every later one finds the connection closed under it."""
    if len(_upstream.seen) == 1:
        request.send_response(200)
        request.send_header("Content-Length", "0")
        request.end_headers()
    else:
        request.close_connection = True


def chunk(content: bytes) -> bytes:
    """A piece of a chunked body."""
    return f"{len(content):x}\r\n".encode() + content + b"\r\n"


def leaves(connection: socket.socket) -> bool:
    """Whether the other end has closed."""
    connection.settimeout(0.01)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """An upstream on loopback, which streams unless a test says otherwise."""
    state = Upstream(answer=stream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.seen.append(
                {**{name.lower(): value for name, value in self.headers.items()}, "body": body.decode()}
            )
            assert state.answer is not None
            state.answer(self, state)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=[0.01]).start()
        yield state
        state.go_on.set()
        server.shutdown()


@dataclass
class Running:
    """The program, its port and the connections that were made to it."""

    process: "subprocess.Popen[str]"
    port: int
    connections: ExitStack

    def ask(
        self, *, stream: bool = True, key: str = KEY, accept: str = "application/json", **more: object
    ) -> http.client.HTTPResponse:
        """Send one request on a connection of its own; returns when the status is there."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S_MAX)
        self.connections.callback(connection.close)
        headers = {"Authorization": f"Bearer {key}", "Accept": accept, "X-Request-Id": "r1"}
        connection.request("POST", "/v1/chat/completions", json.dumps({"stream": stream, **more}), headers)
        answer = connection.getresponse()
        self.connections.callback(answer.close)
        return answer

    def metrics(self) -> str:
        """What it says of itself."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S_MAX)) as connection:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()


@contextmanager
def running(upstream: Upstream, keys: Path, *, drain_limit_s: float = WAIT_S_MAX) -> Iterator[Running]:
    """The program, listening."""
    (keys / "tester").write_text(KEY)
    environment = {
        "UPSTREAM": upstream.url,
        "LISTEN": "127.0.0.1:0",
        "KEYS_DIR": str(keys),
        "PROMPTS_DIR": str(keys / "prompts"),
        "DRAIN_LIMIT_S": str(drain_limit_s),
    }
    program = [llm_api_program() / "llm-api"]
    with (
        subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, text=True) as process,
        ExitStack() as connections,
    ):
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            yield Running(process, int(said["address"].rsplit(":", 1)[1]), connections)
        finally:
            process.kill()


def test_each_event_arrives_before_the_next_is_sent(upstream: Upstream, tmp_path: Path) -> None:
    """Nothing is buffered: the first event is read while the upstream still holds back the second."""
    with running(upstream, tmp_path) as program:
        answer = program.ask()
        first = answer.read1(1000)
        assert not upstream.go_on.is_set()
        upstream.go_on.set()

        assert (first, answer.read()) == (FIRST, SECOND)


def test_the_upstream_is_told_what_the_body_asks_for(upstream: Upstream, tmp_path: Path) -> None:
    """A stream is marked in Accept whatever the client says there, and the key goes no further."""
    upstream.go_on.set()
    with running(upstream, tmp_path) as program:
        program.ask(stream=True, accept="application/json").read()
        program.ask(stream=False, accept="text/event-stream").read()

    assert [one["accept"] for one in upstream.seen] == ["text/event-stream", "application/json"]
    assert [one["body"] for one in upstream.seen] == ['{"stream": true}', '{"stream": false}']
    assert all(one["x-request-id"] == "r1" and "authorization" not in one for one in upstream.seen)


def test_a_client_that_leaves_is_felt_upstream(upstream: Upstream, tmp_path: Path) -> None:
    """Closing the client's connection ends the upstream's, which frees the engine's slot."""
    with running(upstream, tmp_path) as program:
        answer = program.ask()
        assert answer.read1(1000) == FIRST
        program.connections.close()

        assert upstream.left.wait(WAIT_S_MAX)


def test_a_cut_upstream_is_a_cut_answer(upstream: Upstream, tmp_path: Path) -> None:
    """An upstream that dies after a 200 must not look like the end of an answer."""
    upstream.answer = cut
    with running(upstream, tmp_path) as program:
        answer = program.ask()

        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            answer.read()


def test_nothing_is_sent_twice(upstream: Upstream, tmp_path: Path) -> None:
    """A kept connection that breaks under a request is an error of that request, not a reason for another."""
    upstream.answer = hang_up
    with running(upstream, tmp_path) as program:
        statuses = [program.ask(stream=False).status for _ in range(2)]

    assert (statuses, len(upstream.seen)) == ([200, 502], 2)


def test_keys_are_checked_and_rotate_without_a_restart(upstream: Upstream, tmp_path: Path) -> None:
    """A wrong key is 401 in OpenAI's form and reaches no engine; a new file in the folder counts at once."""
    upstream.go_on.set()
    with running(upstream, tmp_path) as program:
        refused = program.ask(key="other")
        error = json.loads(refused.read())["error"]
        assert (refused.status, error["code"], upstream.seen) == (401, "invalid_api_key", [])
        assert program.ask(key="").status == http.client.UNAUTHORIZED

        (tmp_path / "new").write_text("other\n")
        assert program.ask(key="other").status == http.client.OK


def test_the_system_prompt_counts_without_a_restart(upstream: Upstream, tmp_path: Path) -> None:
    """It stands before a chat's messages as its file has it now, its sum in answer and metrics."""
    upstream.go_on.set()
    mine, folder = {"role": "user", "content": "Hello"}, tmp_path / "prompts"
    folder.mkdir()
    sums, told = [], []
    with running(upstream, tmp_path) as program:
        for text in ("Be brief.\n", "Be long.\n"):
            (folder / "system.txt").write_text(text)
            answer = program.ask(messages=[mine])
            answer.read()
            sums.append(answer.headers["X-System-Prompt"])
            told.append(program.metrics())

    assert [json.loads(one["body"])["messages"] for one in upstream.seen] == [
        [{"role": "system", "content": text}, mine] for text in ("Be brief.", "Be long.")
    ]
    assert sums == [hashlib.sha256(text).hexdigest()[:12] for text in (b"Be brief.", b"Be long.")]
    for said, known in zip(told, sums, strict=True):
        assert f'llm_api_system_prompt_info{{sum="{known}"}} 1\n' in said


def test_a_body_that_wants_no_system_prompt_is_left_alone(upstream: Upstream, tmp_path: Path) -> None:
    """A chat with a system prompt of its own, and what is no chat, reach the engine as they were sent."""
    upstream.go_on.set()
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "system.txt").write_text("Be brief.")
    own = [{"role": "system", "content": "Be rude."}, {"role": "user", "content": "Hello"}]
    sent: list[dict[str, object]] = [
        {"messages": own},
        {"prompt": "Hello"},
        {"messages": []},
        {"messages": 3},
    ]
    with running(upstream, tmp_path) as program:
        for one in sent:
            program.ask(**one).read()  # type: ignore[arg-type]  # none of them is a parameter of its own

    assert [one["body"] for one in upstream.seen] == [json.dumps({"stream": True, **one}) for one in sent]


def test_sigterm_lets_open_streams_end(upstream: Upstream, tmp_path: Path) -> None:
    """After SIGTERM new connections are refused, the open stream ends whole, and the exit code is 0."""
    with running(upstream, tmp_path) as program:
        answer = program.ask()
        first = answer.read1(1000)
        program.process.send_signal(signal.SIGTERM)
        assert program.process.stdout is not None
        assert json.loads(program.process.stdout.readline())["in_flight"] == 1
        upstream.go_on.set()

        assert (first, answer.read()) == (FIRST, SECOND)
        assert program.process.wait(WAIT_S_MAX) == 0
        with pytest.raises(ConnectionRefusedError):
            program.ask()


def test_the_drain_has_a_limit(upstream: Upstream, tmp_path: Path) -> None:
    """A stream that outlasts DRAIN_LIMIT_S is cut, and the program ends."""
    with running(upstream, tmp_path, drain_limit_s=0.1) as program:
        answer = program.ask()
        assert answer.read1(1000) == FIRST
        program.process.send_signal(signal.SIGTERM)

        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            answer.read()
        assert program.process.wait(WAIT_S_MAX) == 0
