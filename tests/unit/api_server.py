"""A small API server in this process, spoken to over HTTP by the real client: lists, watches, evictions.

It keeps objects by their path and counts versions as the real one does. What it must not be asked for is
answered with 404, which the client reports.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Event, Thread
from urllib.parse import parse_qsl, urlsplit

import yaml
from tests.unit import api_writes
from tests.unit.api_objects import NAMESPACE, Json

from sealegs.kube.api import Api, connect

NODES = "/api/v1/nodes"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
PDBS = f"/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets"
SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"
METRICS = ":15020/proxy/stats/prometheus"


class Cluster:
    """The objects, and what was asked.

    Attributes:
        evictions: pod → statuses to answer with, in turn; 201 and deletion when none is left.
        stubborn: pods that stay after their eviction was granted.
        metrics: pod → what it serves as metrics; for a pod that is not here the proxy answers 503.
        silent: pods that take a request for metrics and never answer.
        logs: pod → lines of its log, each with its time.
        labels: namespace → its labels.
        refuses: paths that nobody may read or patch.
        asked: every request as ``METHOD path``, in order.
    """

    def __init__(self) -> None:
        self.evictions: dict[str, list[int]] = defaultdict(list)
        self.metrics: dict[str, str] = {}
        self.logs: dict[str, list[str]] = defaultdict(list)
        self.labels: dict[str, Json] = {NAMESPACE: {}}
        self.asked: list[str] = []
        self.stubborn: set[str] = set()
        self.silent: set[str] = set()
        self.refuses: set[str] = set()
        self.expired: set[str] = set()
        self.broken: set[str] = set()
        self.closing = Event()
        self.changed = Condition()
        self._objects: dict[str, Json] = {}
        self._events: list[tuple[int, str, str, Json]] = []
        self._version = 100

    def put(self, folder: str, item: Json) -> None:
        """Create or replace an object of the collection at `folder`."""
        with self.changed:
            self._version += 1
            path = f"{folder}/{item['metadata']['name']}"
            kind = "MODIFIED" if path in self._objects else "ADDED"
            item["metadata"].setdefault("uid", f"uid-{item['metadata']['name']}")
            item["metadata"]["resourceVersion"] = str(self._version)
            self._objects[path] = json.loads(json.dumps(item))
            self._events.append((self._version, kind, folder, self._objects[path]))
            self.changed.notify_all()

    def delete(self, folder: str, name: str) -> None:
        """Delete an object."""
        with self.changed:
            self._version += 1
            item = self._objects.pop(f"{folder}/{name}")
            item["metadata"]["resourceVersion"] = str(self._version)
            self._events.append((self._version, "DELETED", folder, item))
            self.changed.notify_all()

    def forget(self, folder: str, name: str) -> None:
        """Delete an object without any watch being told: it happened while nobody was connected."""
        with self.changed:
            self._version += 1
            del self._objects[f"{folder}/{name}"]

    def expire_watches(self, folder: str) -> None:
        """End the watch of a collection with word that its version is too old."""
        with self.changed:
            self.expired.add(folder)
            self.changed.notify_all()

    def break_watches(self, folder: str) -> None:
        """Cut the connection of the watch of a collection in the middle."""
        with self.changed:
            self.broken.add(folder)
            self.changed.notify_all()

    def get(self, path: str) -> Json | None:
        """A copy of one object."""
        with self.changed:
            return json.loads(json.dumps(self._objects[path])) if path in self._objects else None

    def list(self, folder: str, query: Mapping[str, str]) -> Json:
        """A collection, and the version that it is of; pods of all namespaces where none is named."""
        node = query.get("fieldSelector", "").removeprefix("spec.nodeName=")
        labels = dict(one.split("=") for one in filter(None, query.get("labelSelector", "").split(",")))
        with self.changed:
            items = [
                item
                for path, item in self._objects.items()
                if (path.rpartition("/")[0] == folder or (folder == "/api/v1/pods" and "/pods/" in path))
                and node in {"", item["spec"].get("nodeName") if "spec" in item else None}
                and labels.items() <= item["metadata"].get("labels", {}).items()
            ]
            return {"metadata": {"resourceVersion": str(self._version)}, "items": items}

    def events(self, folder: str, version: int) -> Iterator[Json]:
        """Changes of a collection after a version, until the server closes."""
        while not self.closing.is_set():
            with self.changed:
                found = [one for one in self._events if one[0] > version and one[2] == folder]
                if folder in self.expired:
                    self.expired.discard(folder)
                    yield {"type": "ERROR", "object": {"code": 410, "message": "too old resource version"}}
                    return
                if folder in self.broken:
                    self.broken.discard(folder)
                    raise ConnectionResetError
                if not found:
                    self.changed.wait(0.05)
                    continue
            for number, kind, _, item in found:
                version = number
                yield {"type": kind, "object": item}

    def evict(self, path: str) -> tuple[int, Json]:
        """Answer an eviction; one that is granted deletes the pod, unless that pod is stubborn."""
        return api_writes.evict(self, path)


@contextmanager
def serving(folder: Path, cluster: Cluster) -> Iterator[Api]:
    """The cluster behind a server; yields the real client, made from a kubeconfig in `folder`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"cluster": cluster}))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
    thread.start()
    try:
        api = connect(kubeconfig(folder, server.server_address[1]), context="test")
        yield api
        api.close()
    finally:
        cluster.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def kubeconfig(folder: Path, port: int) -> Path:
    """A kubeconfig for a server on this machine."""
    path = folder / "kubeconfig"
    named = {"cluster": {"server": f"http://127.0.0.1:{port}"}, "name": "test"}
    context = {"context": {"cluster": "test", "user": "test"}, "name": "test"}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [named],
        "contexts": [context],
        "users": [{"name": "test", "user": {"token": "t"}}],
        "current-context": "test",
    }
    path.write_text(yaml.safe_dump(document))
    return path


class _Handler(BaseHTTPRequestHandler):
    """One connection to the API server."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits 40 ms for the acknowledgement of its headers
    cluster: Cluster

    def do_GET(self) -> None:
        """Lists, objects, watches, logs and proxied metrics."""
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        self.cluster.asked.append(f"GET {url.path}")
        if url.path in self.cluster.refuses:
            self._answer(403, {"message": "forbidden"})
        elif url.path.endswith(METRICS):
            self._metrics(url.path.removesuffix(METRICS).rpartition("/")[2])
        elif url.path.endswith("/log"):
            self._log(url.path.removesuffix("/log"), query)
        elif query.get("watch"):
            self._watch(url.path, int(query["resourceVersion"]))
        elif url.path.count("/") == 4 and "/namespaces/" in url.path:
            name = url.path.rpartition("/")[2]
            found = name in self.cluster.labels
            self._answer(200 if found else 404, {"metadata": {"labels": self.cluster.labels.get(name, {})}})
        elif item := self.cluster.get(url.path):
            self._answer(200, item)
        elif url.path.rpartition("/")[2] in {"nodes", "pods", *_COLLECTIONS}:
            self._answer(200, self.cluster.list(url.path, query))
        else:
            self._answer(404, {"message": "not found"})

    def do_PATCH(self) -> None:
        """A merge patch of a node's spec."""
        self.cluster.asked.append(f"PATCH {self.path}")
        body = self._body()
        if self.path in self.cluster.refuses:
            self._answer(403, {"message": "forbidden"})
            return
        item = self.cluster.get(self.path)
        if item is None or self.headers["Content-Type"] != "application/merge-patch+json":
            self._answer(415 if item else 404, {"message": "not a merge patch of something"})
            return
        item["spec"].update(body["spec"])
        self.cluster.put(self.path.rpartition("/")[0], item)
        self._answer(200, item)

    def do_POST(self) -> None:
        """An eviction, or a new object."""
        self.cluster.asked.append(f"POST {self.path}")
        path, body = self.path.removesuffix("/eviction"), self._body()
        created = path == self.path
        self._answer(*(api_writes.create(self.cluster, path, body) if created else self.cluster.evict(path)))

    def do_PUT(self) -> None:
        """A new version of an object."""
        self.cluster.asked.append(f"PUT {self.path}")
        self._answer(*api_writes.replace(self.cluster, self.path, self._body()))

    def do_DELETE(self) -> None:
        """The end of an object."""
        self.cluster.asked.append(f"DELETE {self.path}")
        self._answer(*api_writes.remove(self.cluster, self.path, self._body()))

    def log_message(self, *_: object) -> None:
        """Say nothing: the tests read `asked`."""

    def _body(self) -> Json:
        body: Json = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return body

    def _metrics(self, pod: str) -> None:
        if pod in self.cluster.silent:
            self.cluster.closing.wait()
        if pod not in self.cluster.metrics:
            self._answer(503, {"message": "no endpoints"})
        else:
            self._text(self.cluster.metrics[pod])

    def _log(self, path: str, query: Mapping[str, str]) -> None:
        item, pod, since = self.cluster.get(path), path.rpartition("/")[2], query["sinceTime"]
        if item and query["container"] not in {one["name"] for one in item["spec"]["containers"]}:
            self._answer(400, {"message": f"container {query['container']} is not valid for pod {pod}"})
            return
        lines = [line for line in self.cluster.logs[pod] if line.split(" ", 1)[0] >= since]
        self._text("".join(f"{line}\n" for line in lines))

    def _watch(self, path: str, version: int) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for event in self.cluster.events(path, version):
                line = json.dumps(event).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True

    def _text(self, text: str) -> None:
        self._send(200, text.encode(), "text/plain")

    def _answer(self, status: int, body: Json) -> None:
        self._send(status, json.dumps(body).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            # Whoever asked has given up.
            self.close_connection = True


_COLLECTIONS = frozenset(
    ("apiservices", "deployments", "poddisruptionbudgets", "endpointslices", "horizontalpodautoscalers")
)
