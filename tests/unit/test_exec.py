"""Programs in containers, spoken to through the API server: both directions, and the ways it can end."""

import base64
import hashlib
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml
from tests.unit.api_server import kubeconfig

from sealegs.errors import ClusterError
from sealegs.kube import exec as kube_exec
from sealegs.kube.api import Api, connect
from sealegs.kube.objects import Pod

ENGINE = Pod(
    name="engine-a",
    namespace="llm-production",
    uid="uid-engine-a",
    app="llm-inference",
    node="worker-a",
    phase="Running",
    ready=True,
    deleting=False,
    disruption=None,
    owner="ReplicaSet",
    mirror=False,
    local_storage=False,
    container="inference",
)
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
LIMIT_S = 5.0

Play = Callable[["Container"], None]


class Container:
    """The far end of one program's pipe: what the API server would relay."""

    def __init__(self, peer: socket.socket) -> None:
        self.peer = peer
        self.head = b""
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += peer.recv(1)

    @property
    def asked(self) -> list[tuple[str, str]]:
        """What the program is, as the URL has it."""
        return parse_qsl(urlsplit(self.head.split()[1].decode()).query)

    def header(self, name: str) -> str:
        """A header of the request."""
        lines = self.head.decode().split("\r\n")[1:]
        return next((line.partition(": ")[2] for line in lines if line.lower().startswith(f"{name}:")), "")

    def let_in(self) -> None:
        """Answer the handshake."""
        digest = hashlib.sha1(self.header("sec-websocket-key").encode() + GUID)  # noqa: S324  as the RFC has it
        accept = base64.b64encode(digest.digest()).decode()
        words = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        words += [f"Sec-WebSocket-Accept: {accept}", "Sec-WebSocket-Protocol: v4.channel.k8s.io"]
        self.peer.sendall(("\r\n".join(words) + "\r\n\r\n").encode())

    def say(self, channel: int, data: bytes) -> None:
        """A message of less than 126 bytes on a channel."""
        self.peer.sendall(bytes([0x82, len(data) + 1, channel]) + data)

    def end(self, **status: object) -> None:
        """How the program ended."""
        self.say(3, json.dumps(status).encode())

    def hear(self) -> bytes:
        """One short message of the client, unmasked, with its channel."""
        _, size = self.peer.recv(2)
        mask, data = self.peer.recv(4), self.peer.recv(size & 0x7F)
        return bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Play], Api]]:
    """Have a play be given to whoever comes next."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(LIMIT_S)  # else a test in which nobody comes would not end
    threads: list[Thread] = []

    def begin(play: Play) -> Api:
        def attend() -> None:
            peer, _ = listener.accept()
            with closing(peer):
                play(Container(peer))

        threads.append(Thread(target=attend))
        threads[-1].start()
        return connect(kubeconfig(tmp_path, listener.getsockname()[1]), context="test")

    yield begin
    for thread in threads:
        thread.join()
    listener.close()


def greet(container: Container) -> None:
    """A program that says hello."""
    container.let_in()
    container.say(1, b"hello")
    container.end(status="Success")


def cat(api: Api) -> AbstractContextManager[kube_exec.Session]:
    """A program in a container."""
    return kube_exec.running(api, namespace="some", pod="pod", container="load", argv=["cat", "a file"])


def test_both_directions(serve: Callable[[Play], Api]) -> None:
    """What is sent is read as stdin, stdout is received, stderr is kept aside, and a good end is no error."""
    seen: list[object] = []

    def play(container: Container) -> None:
        container.let_in()
        seen.extend([container.asked, container.header("authorization"), container.hear()])
        container.say(2, b"a warning")
        container.say(1, b"an answer")
        container.end(status="Success")

    with cat(serve(play)) as session:
        session.send(b"a question")

        assert session.receive(limit_s=LIMIT_S) == b"an answer"
        assert session.receive(limit_s=LIMIT_S) is None
    asked, token, heard = seen
    assert [value for name, value in asked if name == "command"] == ["cat", "a file"]  # type: ignore[attr-defined]
    assert (token, heard) == ("Bearer t", b"\x00a question")


def test_silence_is_no_end(serve: Callable[[Play], Api]) -> None:
    """Nothing within the limit is no data, and what comes later still arrives whole."""

    def play(container: Container) -> None:
        container.let_in()
        container.peer.sendall(b"\x82\x06\x01h")
        container.hear()
        container.peer.sendall(b"ello")

    with cat(serve(play)) as session:
        assert session.receive(limit_s=0.1) == b""
        session.send(b".")
        assert session.receive(limit_s=LIMIT_S) == b"hello"


def test_a_failed_program_says_why(serve: Callable[[Play], Api]) -> None:
    """Its own words are in the error, with the pod's name."""

    def play(container: Container) -> None:
        container.let_in()
        container.say(2, b"no such file")
        container.end(status="Failure", message="exit code 1")

    with cat(serve(play)) as session, pytest.raises(ClusterError) as failed:
        session.receive(limit_s=LIMIT_S)

    assert str(failed.value) == "cat in pod some/pod failed: exit code 1 no such file"


@pytest.mark.parametrize("goodbye", [b"", b"\x88\x00"], ids=["none", "closed"])
def test_a_connection_that_breaks_is_an_error(serve: Callable[[Play], Api], goodbye: bytes) -> None:
    """A program whose end was not told has not ended well, however politely the server leaves."""

    def play(container: Container) -> None:
        container.let_in()
        container.peer.sendall(goodbye)

    with cat(serve(play)) as session, pytest.raises(ClusterError, match="the connection broke"):
        session.receive(limit_s=LIMIT_S)


def test_a_pod_that_is_not_there_is_an_error(serve: Callable[[Play], Api]) -> None:
    """The API server's refusal is told, with the pod's name."""

    def play(container: Container) -> None:
        container.peer.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    with pytest.raises(ClusterError, match=r"no program can be run in pod some/pod: .*404"), cat(serve(play)):
        pass


def test_this_machine_is_reached_without_a_proxy(
    serve: Callable[[Play], Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As any other request to it, whatever the environment says of proxies."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "example.com")

    assert kube_exec.output(serve(greet), ENGINE, ["cat"], limit_s=LIMIT_S) == "hello"


def test_the_proxy_of_the_kubeconfig_is_asked(
    serve: Callable[[Play], Api], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As any other request has it, whatever the environment says."""
    tunnels: list[str] = []

    def play(proxy: Container) -> None:
        tunnels.append(proxy.head.decode().split("\r\n", maxsplit=1)[0])
        proxy.peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        greet(Container(proxy.peer))

    port = urlsplit(serve(play).client.configuration.host).port
    path = kubeconfig(tmp_path, 1)
    document = yaml.safe_load(path.read_text())
    there = {"server": "http://api.invalid:6443", "proxy-url": f"http://127.0.0.1:{port}"}
    document["clusters"][0]["cluster"] = there
    path.write_text(yaml.safe_dump(document))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    # Half a name, which the websocket client takes for an exception and the client's other requests do not.
    monkeypatch.setenv("no_proxy", ".nvalid")
    api = connect(path, context="test")

    assert kube_exec.output(api, ENGINE, ["cat"], limit_s=LIMIT_S) == "hello"
    assert tunnels == ["CONNECT api.invalid:6443 HTTP/1.1"]


def test_a_proxy_that_is_asked_in_tls_is_refused_in_words(tmp_path: Path) -> None:
    """The websocket client has no words for it: what to do instead is said, and no credentials are."""
    api = connect(kubeconfig(tmp_path, 1), context="test")
    settings = api.client.configuration
    settings.host, settings.proxy = "http://api.invalid:6443", "https://me:secret@proxy.invalid"

    with pytest.raises(ClusterError, match=r"through https://proxy\.invalid: name a proxy of http, socks4"):
        kube_exec.output(api, ENGINE, ["cat"], limit_s=LIMIT_S)


def test_a_short_program_is_heard_to_its_end(serve: Callable[[Play], Api]) -> None:
    """All that it printed, in however many pieces, from the pod's own container."""
    asked: list[list[tuple[str, str]]] = []

    def play(container: Container) -> None:
        container.let_in()
        asked.append(container.asked)
        container.say(1, b"an ")
        container.say(1, b"answer")
        container.end(status="Success")

    assert kube_exec.output(serve(play), ENGINE, ["cat", "a file"], limit_s=LIMIT_S) == "an answer"
    assert ("container", "inference") in asked[0]


def test_a_short_program_that_takes_long_is_an_error(serve: Callable[[Play], Api]) -> None:
    """Its end is not waited for beyond the limit, even when it goes on talking."""

    def play(container: Container) -> None:
        container.let_in()
        container.say(1, b"an answer, and more to come")
        container.hear()

    with pytest.raises(ClusterError, match=r"cat in pod llm-production/engine-a took longer than 0.1 s"):
        kube_exec.output(serve(play), ENGINE, ["cat"], limit_s=0.1)
