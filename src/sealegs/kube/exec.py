"""A program run inside a container, spoken to through the API server: what it reads, says, and how it ends.

The client's own stream replaces a method of the shared client while it connects, and so is not safe beside
other threads; this speaks the protocol (`v4.channel.k8s.io`: a byte for the channel before each message).
"""

import json
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import websocket
from kubernetes import client
from kubernetes.client.rest import should_bypass_proxies

from sealegs.errors import ClusterError
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod
from sealegs.waiting import TIMEOUTS, now_s

PROTOCOL = "v4.channel.k8s.io"
STDIN, STDOUT, STDERR, STATUS = b"\x00", 1, 2, 3
PIECE_BYTES = 32_768
GOODBYE_LIMIT_S = 1.0
BROKEN = (websocket.WebSocketException, OSError)
# A name that nobody has (RFC 2606).
NOBODY = "nobody.invalid"
# What the websocket client speaks to, and the port of each where none is named.
PROXY_PORTS = {"http": 80, "socks4": 1_080, "socks4a": 1_080, "socks5": 1_080, "socks5h": 1_080}


@dataclass
class Session:
    """A program that runs in a container, and the two ends of its pipe. For one thread at a time."""

    where: str
    socket: Any
    said: bytearray = field(default_factory=bytearray)

    def send(self, data: bytes) -> None:
        """Have the program read something. ClusterError when the connection is broken."""
        try:
            for start in range(0, len(data), PIECE_BYTES):
                self.socket.send_binary(STDIN + data[start : start + PIECE_BYTES])
        except BROKEN as broken:
            raise self._lost(broken) from broken

    def receive(self, *, limit_s: float) -> bytes | None:
        """What the program wrote next; nothing within `limit_s` is ``b""``, and None is its end.

        Raises:
            ClusterError: the program failed, and what it said; or the connection broke.
        """
        until_s = now_s() + limit_s
        while (left_s := until_s - now_s()) > 0:
            try:
                self.socket.settimeout(left_s)
                frame = self.socket.recv()
            except websocket.WebSocketTimeoutException:
                break
            except BROKEN as broken:
                raise self._lost(broken) from broken
            if not frame:
                raise self._lost("it was closed")
            channel, text = frame[0], frame[1:]
            if channel == STDOUT and text:
                return bytes(text)
            if channel == STDERR:
                self.said += text
            elif channel == STATUS:
                self._raise_if_failed(json.loads(text))
                return None
        return b""

    def _raise_if_failed(self, status: dict[str, Any]) -> None:
        """Raise ClusterError when a program did not end well."""
        if status.get("status") != "Success":
            said = self.said.decode(errors="replace").strip()[-400:]
            raise ClusterError(f"{self.where} failed: {status.get('message')} {said}".strip())

    def _lost(self, why: object) -> ClusterError:
        return ClusterError(f"{self.where}: the connection broke: {why}")


@contextmanager
def running(api: Api, *, namespace: str, pod: str, container: str, argv: Sequence[str]) -> Iterator[Session]:
    """A program in a container. At the end of the block its stdin ends, and whatever else it has of us.

    Raises:
        ClusterError: there is no such container, or the API server does not let us in.
    """
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
    asked = [("container", container), ("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
    _, url, headers, _, _ = api.client.param_serialize(
        "GET",
        path,
        query_params=[*asked, *(("command", word) for word in argv)],
        auth_settings=["BearerToken"],
    )
    known = {name.lower(): value for name, value in headers.items()}
    try:
        socket = websocket.create_connection(
            "ws" + url.removeprefix("http"),
            timeout=TIMEOUTS.api_answer_s,
            subprotocols=[PROTOCOL],
            header=[f"authorization: {known['authorization']}"] if "authorization" in known else [],
            sslopt=_tls(api.client.configuration),
            **_proxy(api.client.configuration),
        )
    except BROKEN as refused:
        raise ClusterError(
            f"{api.where}: no program can be run in pod {namespace}/{pod}: {refused}"
        ) from refused
    try:
        yield Session(f"{argv[0]} in pod {namespace}/{pod}", socket)
    finally:
        with suppress(*BROKEN):
            socket.close(timeout=GOODBYE_LIMIT_S)
            # Where the server said goodbye first, that left the connection open.
            socket.shutdown()  # type: ignore[no-untyped-call]


def output(api: Api, pod: Pod, argv: Sequence[str], *, limit_s: float) -> str:
    """What a short program in a pod's own container printed.

    Raises:
        ClusterError: it could not be run, failed, or took longer than `limit_s`.
    """
    said, until_s = bytearray(), now_s() + limit_s
    with running(api, namespace=pod.namespace, pod=pod.name, container=pod.container, argv=argv) as session:
        while piece := session.receive(limit_s=until_s - now_s()):
            said += piece
        if piece is None:
            return said.decode(errors="replace")
    raise ClusterError(f"{session.where} took longer than {limit_s:g} s")


def _tls(settings: client.Configuration) -> dict[str, Any]:
    """How the client's settings have TLS done, in the words of Python's ssl."""
    options = {
        "cert_reqs": ssl.CERT_REQUIRED if settings.verify_ssl else ssl.CERT_NONE,
        "ca_certs": settings.ssl_ca_cert,
        "certfile": settings.cert_file,
        "keyfile": settings.key_file,
        "server_hostname": settings.tls_server_name,
    }
    return {name: value for name, value in options.items() if value is not None}


def _proxy(settings: client.Configuration) -> dict[str, Any]:
    """The proxy that the client's other requests go through, or that there is none, for the websocket.

    Told nothing of either, it would ask the environment, which has been asked already.

    Raises:
        ClusterError: it is a proxy that the websocket client does not speak to.
    """
    if not settings.proxy or should_bypass_proxies(settings.host, settings.no_proxy or ""):
        return {"http_proxy_host": NOBODY, "http_no_proxy": ["*"]}
    proxy = urlsplit(settings.proxy)
    if proxy.scheme not in PROXY_PORTS:
        raise ClusterError(
            f"no program can be run in a pod through {proxy.scheme}://{proxy.hostname}: name a proxy of "
            f"{', '.join(PROXY_PORTS)}, as proxy-url in the kubeconfig or in the environment"
        )
    return {
        "http_proxy_host": proxy.hostname,
        "http_proxy_port": proxy.port or PROXY_PORTS[proxy.scheme],
        "proxy_type": proxy.scheme,
        "http_no_proxy": [NOBODY],
    }
