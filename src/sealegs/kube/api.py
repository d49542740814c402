"""One API server: requests to it, answers and streams from it."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import urllib3
from kubernetes import client, config

from sealegs.errors import ClusterError
from sealegs.stack_shape import REFERENCE, StackShape
from sealegs.waiting import TIMEOUTS

GOOD = range(200, 300)
MERGE_PATCH = "application/merge-patch+json"
# Of Kubernetes' own: lists of named things are merged by name.
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
# Watches, logs and scrapes are open at once; a connection too many is thrown away, and its handshake with it.
CONNECTIONS_MAX = 32
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

Query: TypeAlias = Mapping[str, str | int]


@dataclass(frozen=True)
class Answer:
    """What the API server said: the HTTP status, and the object."""

    status: int
    body: Mapping[str, Any]

    @property
    def message(self) -> str:
        """The server's own words, when it refused."""
        return str(self.body.get("message", ""))


@dataclass(frozen=True)
class Api:
    """A connection to one API server, and how the stack is named there. Safe to use from many threads."""

    client: client.ApiClient
    where: str
    shape: StackShape = field(default=REFERENCE, hash=False)

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        also: tuple[int, ...] = (),
        query: Query | None = None,
        limit_s: float = TIMEOUTS.api_answer_s,
    ) -> Answer:
        """The answer to one request. Statuses in `also` are answers too, not errors.

        Raises:
            ClusterError: the API server did not answer, or refused; says what was asked and what it said.
        """
        request = self._request(method, path, body=body, content_type=content_type, query=query)
        status, text = self._send(request, limit_s=limit_s)
        try:
            parsed = json.loads(text) if text else {}
        except ValueError:
            parsed = {"message": text.decode(errors="replace")[:200]}
        answer = Answer(status, parsed if isinstance(parsed, dict) else {})
        if status not in GOOD and status not in also:
            raise ClusterError(f"{self.where}: {method} {path} was refused with {status}: {answer.message}")
        return answer

    def text(self, path: str, *, query: Query | None = None, limit_s: float = TIMEOUTS.api_answer_s) -> str:
        """The body of one answer that is not JSON: a log, or metrics. Raises ClusterError as `call`."""
        status, body = self._send(self._request("GET", path, query=query), limit_s=limit_s)
        if status not in GOOD:
            raise ClusterError(f"{self.where}: GET {path} was refused with {status}: {body[:200]!r}")
        return body.decode(errors="replace")

    def stream(
        self, path: str, *, silence_s: float, stop: "Stop", query: Query | None = None
    ) -> Iterator[bytes]:
        """Lines as they arrive, until the server ends them or `stop` is set.

        Raises:
            ClusterError: the request was refused, or the connection broke or was silent for `silence_s`.
        """
        response = self._open(self._request("GET", path, query=query), silence_s=silence_s)
        stop.watch(response)
        try:
            if response.status == HTTPStatus.GONE:
                raise ResourceVersionGoneError(path)
            if response.status not in GOOD:
                raise ClusterError(f"{self.where}: GET {path} was refused with {response.status}")
            for line in _lines(response):
                # A connection that was shut may still hand out what is no longer whole.
                if stop.is_set():
                    return
                yield line
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as broken:
            if not stop.is_set():
                raise self._unreachable("GET", path, broken) from broken
        finally:
            stop.forget(response)
            response.close()

    def close(self) -> None:
        """Let go of idle connections; the next request opens one again."""
        self.client.close()  # type: ignore[no-untyped-call]

    def _send(self, request: "_Request", *, limit_s: float) -> tuple[int, bytes]:
        """Status and body of one answer."""
        response = self._open(request, silence_s=limit_s)
        try:
            return response.status, response.data
        except urllib3.exceptions.HTTPError as broken:
            raise self._unreachable(request.method, request.path, broken) from broken

    def _open(self, request: "_Request", *, silence_s: float) -> urllib3.BaseHTTPResponse:
        """An answer of which nothing but the headers has been read."""
        connect_s = min(TIMEOUTS.api_answer_s, silence_s)
        try:
            answer = self.client.call_api(
                request.method,
                request.url,
                request.headers,
                request.body,
                _request_timeout=(connect_s, silence_s),
            )
        except (urllib3.exceptions.HTTPError, client.ApiException) as silent:
            raise self._unreachable(request.method, request.path, silent) from silent
        response: urllib3.BaseHTTPResponse = answer.response
        return response

    def _request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        query: Query | None = None,
    ) -> "_Request":
        """A request as the client wants it, with who we are in its headers."""
        _, url, headers, sent, _ = self.client.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json, */*", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        return _Request(method=method, path=path, url=url, headers=headers, body=sent)

    def _unreachable(self, method: str, path: str, why: Exception) -> ClusterError:
        # urllib3 puts the connection's own description before each cause; the last part is the cause.
        reason = str(getattr(why, "reason", None) or why).rpartition(": ")[2]
        return ClusterError(f"{self.where}: the API server did not answer {method} {path}: {reason}")


@dataclass(frozen=True, kw_only=True)
class _Request:
    """One request on its way to the client."""

    method: str
    path: str
    url: str
    headers: dict[str, str]
    body: Any


class ResourceVersionGoneError(Exception):
    """A watch asked for changes that the API server no longer has: list again."""


class Stop:
    """Ends streams that other threads are reading, at once and for good."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self._lock = threading.Lock()
        self._open: set[urllib3.BaseHTTPResponse] = set()

    def is_set(self) -> bool:
        """Whether streams are to end."""
        return self.event.is_set()

    def set(self) -> None:
        """End every stream that is open, and every one that is opened from now on."""
        self.event.set()
        with self._lock:
            for response in self._open:
                _shut(response)

    def watch(self, response: urllib3.BaseHTTPResponse) -> None:
        """Take charge of a stream."""
        with self._lock:
            self._open.add(response)
        if self.is_set():
            _shut(response)

    def forget(self, response: urllib3.BaseHTTPResponse) -> None:
        """Let a stream go."""
        with self._lock:
            self._open.discard(response)


def connect(kubeconfig: Path, *, context: str, shape: StackShape = REFERENCE) -> Api:
    """A connection to the API server that a context names; nothing is sent yet.

    Raises:
        ClusterError: the file or the context cannot be used.
    """
    settings = client.Configuration()
    settings.connection_pool_maxsize = CONNECTIONS_MAX
    # Every wait here has its own limit; a request that is silently sent again would multiply it.
    settings.retries = False
    try:
        config.load_kube_config(  # type: ignore[no-untyped-call]
            str(kubeconfig), context=context, client_configuration=settings
        )
    except (config.ConfigException, OSError) as wrong:
        raise ClusterError(f"context {context} of {kubeconfig} cannot be used: {wrong}") from wrong
    if urlsplit(settings.host).hostname in LOOPBACK:
        # As kubectl has it: this machine is not reached through a proxy, whatever NO_PROXY forgets.
        settings.proxy = None
    return Api(client.ApiClient(settings), where=f"context {context}", shape=shape)


def _shut(response: urllib3.BaseHTTPResponse) -> None:
    """Wake whoever reads a stream. One that has just ended by itself needs no waking."""
    with suppress(OSError, RuntimeError, ValueError):
        response.shutdown()


def make_default(kubeconfig: Path) -> None:
    """From here on, code of others that uses the client in this process reads this kubeconfig.

    The client takes KUBECONFIG from the environment once, when it is imported, which has long happened.
    """
    config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION = str(kubeconfig)


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """Whole lines out of pieces as they come."""
    rest = b""
    while piece := response.read1():
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest
