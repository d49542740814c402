"""One load pod as the runner has it: its files copied here while they grow, and a process that can be ended.

A broken connection is made again from where it broke; a pod that is gone, or silent for too long, is lost.
"""

import json
import signal
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

from sealegs.errors import ClusterError
from sealegs.evidence import write_json
from sealegs.kube import acts, reads
from sealegs.kube import exec as kube_exec
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod
from sealegs.load_pods.objects import PROGRAM
from sealegs.traffic.pod import BEAT, EXIT
from sealegs.waiting import every, now_s

BEAT_EVERY_S = 1.0
SILENCE_S = 5.0
LOST_S = 15.0
END_LIMIT_S = 5.0


class Feed:
    """A pod's Locust, with what a process has: `pid`, `poll`, `returncode`, `send_signal`, `kill`, `wait`."""

    def __init__(self, api: Api, pod: Pod, *, run_dir: Path) -> None:
        """Follow it from here on; the files in `run_dir` that it writes grow as those in the pod do."""
        self.pod = pod
        self.returncode: int | None = None
        self.lost: str | None = None
        self._api = api
        self._run_dir = run_dir
        self._told: dict[str, int] = {}
        self._heard_s = now_s()
        self._stop = False
        self._end = Event()
        self._thread = Thread(target=self._follow, name=pod.name, daemon=True)
        self._thread.start()

    @property
    def where(self) -> str:
        """Which pod, and where it runs."""
        return f"load pod {self.pod.name} on node {self.pod.node}"

    @property
    def pid(self) -> str:
        """What it is called where a process has its number."""
        return self.pod.name

    def poll(self) -> int | None:
        """Locust's exit code once it has ended and everything that it left is here."""
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Have Locust end in order, whatever the signal: that is what the pod knows."""
        del number
        self._stop = True

    def kill(self) -> None:
        """The pod ends at once."""
        with suppress(ClusterError):
            acts.delete_pod(self._api, self.pod, grace_s=0)
        self._lose("it did not end when asked to")

    def wait(self) -> int | None:
        """How it ended."""
        return self.returncode

    def close(self) -> None:
        """Follow no longer; the pod ends when it has heard nothing for a while."""
        self._end.set()
        self._thread.join(END_LIMIT_S)

    def _follow(self) -> None:
        """Copy until told to end, through connections that break."""
        for _ in every(BEAT_EVERY_S, until=self._end):
            try:
                self._copy()
            except ClusterError as broken:
                self._look_after(broken)
            except (OSError, ValueError) as failed:
                self._lose(f"what it told cannot be kept: {failed}")
            if self.lost:
                return

    def _look_after(self, broken: ClusterError) -> None:
        """A connection broke: lose the pod if it is not there any more, or has been silent for too long."""
        try:
            there = reads.pod_is_there(self._api, self.pod)
            found = reads.pods(self._api, namespace=self.pod.namespace) if there else []
        except ClusterError:
            there, found = True, []
        finished = any(one.uid == self.pod.uid and one.finished for one in found)
        if not there or finished:
            self._lose("it was killed" if finished else "it is gone")
        elif now_s() - self._heard_s > LOST_S:
            self._lose(f"nothing was heard of it for {LOST_S:.0f} s: {broken}")

    def _lose(self, why: str) -> None:
        """What it had told is here; the rest is a hole."""
        if self.returncode is None:
            self.lost = f"{self.where} was lost: {why}"
            self.returncode = -signal.SIGKILL

    def _copy(self) -> None:
        """Take in what one connection brings. ClusterError when it breaks."""
        told = [f"{name}:{count}" for name, count in self._told.items()]
        pod = self.pod
        with kube_exec.running(
            self._api,
            namespace=pod.namespace,
            pod=pod.name,
            container=pod.container,
            argv=[*PROGRAM, "tell", *told],
        ) as session:
            rest, beaten_s, heard_s = b"", 0.0, now_s()
            while not self._end.is_set():
                if now_s() - beaten_s >= BEAT_EVERY_S:
                    # Again with every beat: one that was sent into a connection that breaks is not heard.
                    session.send(b"s" if self._stop else b".")
                    beaten_s = now_s()
                piece = session.receive(limit_s=BEAT_EVERY_S / 4)
                if piece is None or now_s() - heard_s > SILENCE_S:
                    raise ClusterError(f"{session.where} says nothing any more")
                if piece:
                    heard_s = self._heard_s = now_s()
                    *lines, rest = (rest + piece).split(b"\n")
                    self._enter(lines)

    def _enter(self, lines: list[bytes]) -> None:
        """Put news where they belong; what belongs to one file goes there in one write."""
        grown: dict[str, list[bytes]] = {}
        for line in lines:
            name, _, text = line.decode(errors="surrogateescape").partition("\t")
            if name == EXIT:
                self._append(grown)
                self.returncode = int(json.loads(text)["code"])
            elif name.endswith(".json"):
                document: dict[str, Any] = json.loads(text)
                write_json(self._run_dir / name, document)
            elif name != BEAT:
                grown.setdefault(name, []).append(text.encode(errors="surrogateescape") + b"\n")
        self._append(grown)

    def _append(self, grown: dict[str, list[bytes]]) -> None:
        for name, added in grown.items():
            with (self._run_dir / name).open("ab", buffering=0) as file:
                file.write(b"".join(added))
            self._told[name] = self._told.get(name, 0) + sum(map(len, added))
        grown.clear()
