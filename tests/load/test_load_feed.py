"""A load pod's evidence arrives here whole and once, and a pod that is lost is named."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import pytest
from tests.unit import api_objects, api_server

from sealegs.errors import ClusterError
from sealegs.evidence import read_lines, write_json
from sealegs.kube import exec as kube_exec
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod, parse_pod
from sealegs.load_pods import feed, objects
from sealegs.load_pods.feed import Feed
from sealegs.traffic import pod as pod_program
from sealegs.waiting import wait_until

pytestmark = pytest.mark.load

LIMIT_S = 20.0
PODS = f"/api/v1/namespaces/{objects.NAMESPACE}/pods"


class Pipe:
    """A pod's ``tell`` beside this process, not behind an API server; its connection breaks on order."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.opened = 0
        self.refused = 0
        self.broken = False
        self.deaf = False
        self.heard: list[bytes] = []

    @contextmanager
    def running(self, _: Api, *, argv: Sequence[str], **__: object) -> Iterator["Pipe"]:
        """What `sealegs.kube.exec.running` does."""
        if self.broken:
            self.refused += 1
            raise ClusterError("no way in")
        self.opened += 1
        known = {name: int(count) for name, _, count in (one.rpartition(":") for one in argv[4:])}
        call = f"pod.tell(Path({str(self.home)!r}), told={known!r})"
        source = f"from pathlib import Path\nfrom sealegs.traffic import pod\n{call}"
        words = [sys.executable, "-c", source]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as self._teller:
            self._said: Queue[bytes] = Queue()
            reading = Thread(target=self._read, daemon=True)
            reading.start()
            try:
                yield self
            finally:
                self._teller.kill()
                reading.join()

    def _read(self) -> None:
        assert self._teller.stdout is not None
        # Odd pieces: lines do not come one by one.
        while piece := os.read(self._teller.stdout.fileno(), 7):
            self._said.put(piece)

    where = "tell"

    def send(self, data: bytes) -> None:
        """What `Session.send` does."""
        self.heard.append(data)
        if self.deaf:
            return
        assert self._teller.stdin is not None
        self._teller.stdin.write(data)
        self._teller.stdin.flush()

    def receive(self, *, limit_s: float) -> bytes:
        """What `Session.receive` does."""
        if self.broken:
            raise ClusterError("the connection broke")
        try:
            return self._said.get(timeout=limit_s)
        except Empty:
            return b""


@pytest.fixture
def cluster() -> api_server.Cluster:
    """A cluster with one load pod in it."""
    there = api_server.Cluster()
    item = api_objects.pod("load-worker-0", on="node-a", app="load", namespace=objects.NAMESPACE)
    there.put(PODS, item)
    return there


@pytest.fixture
def api(cluster: api_server.Cluster, tmp_path: Path) -> Iterator[Api]:
    """Its API server."""
    with api_server.serving(tmp_path, cluster) as opened:
        yield opened


@pytest.fixture
def pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipe:
    """The way into the pod."""
    (tmp_path / "pod").mkdir()
    made = Pipe(tmp_path / "pod")
    monkeypatch.setattr(kube_exec, "running", made.running)
    monkeypatch.setattr(feed, "BEAT_EVERY_S", 0.1)
    return made


@pytest.fixture
def followed(cluster: api_server.Cluster, api: Api, pipe: Pipe, tmp_path: Path) -> Iterator[Feed]:
    """The pod, followed into the folder ``run``."""
    del pipe
    (tmp_path / "run").mkdir()
    following = Feed(api, pod_of(cluster), run_dir=tmp_path / "run")
    yield following
    following.close()


def pod_of(cluster: api_server.Cluster) -> Pod:
    """The pod as the cluster has it."""
    item = cluster.get(f"{PODS}/load-worker-0")
    assert item is not None
    return parse_pod(item)


def until(condition: Any, what: str) -> None:  # noqa: ANN401  any callable
    """Something holds, soon."""
    wait_until(condition, ready=bool, limit_s=LIMIT_S, every_s=0.05, what=what)


def add(home: Path, *numbers: int) -> None:
    """Rows that Locust enters in the pod."""
    with (home / "requests.jsonl").open("a") as rows:
        for each in numbers:
            rows.write(json.dumps({"number": each, "text": "x" * 50}) + "\n")


def arrived(tmp_path: Path) -> list[int]:
    """Rows that are here."""
    return [one["number"] for one in read_lines(tmp_path / "run" / "requests.jsonl").records]


def test_rows_arrive_once_through_a_broken_connection(followed: Feed, pipe: Pipe, tmp_path: Path) -> None:
    """What was told is not told again, what was entered meanwhile is not lost, and the end comes last."""
    add(pipe.home, 1, 2)
    until(lambda: arrived(tmp_path) == [1, 2], "two rows")
    pipe.broken = True
    add(pipe.home, 3)
    until(lambda: pipe.refused, "the connection to break")
    pipe.broken = False
    until(lambda: arrived(tmp_path) == [1, 2, 3], "the row of meanwhile")
    write_json(pipe.home / "load-summary.0.json", {"sent": 3})
    add(pipe.home, 4)
    write_json(pipe.home / pod_program.EXIT, {"code": 0})
    until(lambda: followed.poll() is not None, "the end")

    assert pipe.opened == 2
    assert arrived(tmp_path) == [1, 2, 3, 4]
    assert (tmp_path / "run" / "requests.jsonl").read_bytes() == (pipe.home / "requests.jsonl").read_bytes()
    assert (tmp_path / "run" / "load-summary.0.json").is_file()
    assert (followed.poll(), followed.lost) == (0, None)


def test_a_pod_that_is_gone_is_lost_and_named(
    followed: Feed, pipe: Pipe, cluster: api_server.Cluster, tmp_path: Path
) -> None:
    """What it had told stays."""
    add(pipe.home, 1)
    until(lambda: arrived(tmp_path) == [1], "a row")
    cluster.delete(PODS, "load-worker-0")
    pipe.broken = True
    until(lambda: followed.lost, "the loss")

    assert followed.lost == "load pod load-worker-0 on node node-a was lost: it is gone"
    assert followed.poll() == -signal.SIGKILL
    assert arrived(tmp_path) == [1]


def test_a_pod_that_was_killed_is_lost(followed: Feed, pipe: Pipe, cluster: api_server.Cluster) -> None:
    """Its containers have ended, though it is still listed."""
    item = cluster.get(f"{PODS}/load-worker-0")
    assert item is not None
    item["status"]["phase"] = "Failed"
    cluster.put(PODS, item)
    pipe.broken = True
    until(lambda: followed.lost, "the loss")

    assert followed.lost == "load pod load-worker-0 on node node-a was lost: it was killed"


def test_a_silent_pod_is_lost_after_a_while(
    followed: Feed, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may well be there: who cannot be asked says nothing of its share."""
    monkeypatch.setattr(feed, "LOST_S", 0.3)
    pipe.broken = True
    until(lambda: followed.lost, "the loss")

    assert "nothing was heard of it" in str(followed.lost)


def test_evidence_that_cannot_be_kept_is_a_loss(followed: Feed, pipe: Pipe, tmp_path: Path) -> None:
    """A thread that dies without a word would leave the run waiting."""
    (tmp_path / "run" / "requests.jsonl").mkdir()
    add(pipe.home, 1)
    until(lambda: followed.lost, "the loss")

    assert "what it told cannot be kept" in str(followed.lost)


def test_the_pod_hears_of_the_runner_and_of_the_stop(followed: Feed, pipe: Pipe) -> None:
    """Beats go there for as long as it is followed, and a signal stops Locust."""
    until(lambda: pipe.heard.count(b".") > 2, "three beats")
    followed.send_signal(signal.SIGTERM)
    until((pipe.home / pod_program.STOP).exists, "the stop")
    beats = len(pipe.heard)
    until(lambda: len(pipe.heard) > beats + 2, "beats after it")


def test_a_stop_is_heard_through_a_broken_connection(followed: Feed, pipe: Pipe) -> None:
    """What is said into a connection that breaks is said again in the next."""
    until(lambda: pipe.heard, "a beat")
    pipe.deaf = True
    followed.send_signal(signal.SIGTERM)
    until(lambda: b"s" in pipe.heard, "the stop to be sent")
    pipe.deaf, pipe.broken = False, True
    until(lambda: pipe.refused, "the connection to break")
    pipe.broken = False
    until((pipe.home / pod_program.STOP).exists, "the stop")
