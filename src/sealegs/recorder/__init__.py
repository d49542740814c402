"""What the cluster did during a run: every change of it, and a look at it once a second.

It asks nothing of the fault and is told nothing by it, which makes it the witness of one.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Self

from sealegs.errors import ClusterError
from sealegs.evidence import JsonLines
from sealegs.judgement import mesh
from sealegs.kube.api import Api, Stop
from sealegs.kube.logs import LogCopy
from sealegs.kube.objects import SIDECAR, Pod, parse_pod
from sealegs.kube.watch import Change, watch
from sealegs.probes import ENGINES
from sealegs.recorder import alerts
from sealegs.recorder.changes import Changes
from sealegs.recorder.samples import Sampler
from sealegs.stack_shape import GATEWAY
from sealegs.timeline import Timeline
from sealegs.waiting import TIMEOUTS, every, now_ns, now_s, wait_until

SAMPLE_EVERY_S = 1.0
LOOK_EVERY_S = 0.05
MESH = "istio-system"
# Namespaces of what steers the stack: when a service there has nobody behind it is told too.
AROUND = (MESH, "monitoring")


class Recorder:
    """Records the cluster from ``with`` until its end, in threads of its own.

    A thread of it that fails is noted in the timeline as an error: the evidence has a gap from there on.
    """

    def __init__(
        self,
        api: Api,
        run_dir: Path,
        *,
        timeline: Timeline,
        zero_ns: int,
        namespace: str,
        load_status: Callable[[], Mapping[str, Any] | None],
    ) -> None:
        """Record `namespace` into `run_dir`; `load_status` says what load is doing, if it is running."""
        self._api = api
        self._run_dir = run_dir
        self._timeline = timeline
        self._namespace = namespace
        self._stop = Stop()
        self._lock = Lock()
        self._failures: list[str] = []
        self._threads: list[Thread] = []
        self._logs: dict[str, LogCopy] = {}
        self._logs_since = _wall_time_of(zero_ns)
        self._changes = Changes(timeline, on_pod=self._copy_engine_log, shape=api.shape)
        self._samples = JsonLines(run_dir / "samples.jsonl")
        self._sampler = Sampler(api, namespace=namespace, changes=self._changes, load_status=load_status)

    def __enter__(self) -> Self:
        """Return when everything that is watched has been looked at once.

        Raises:
            TimeoutError: that took longer than ``Timeouts.first_look_s``, or something cannot be watched.
        """
        looked = {path: Event() for path in self._watched}
        for path, on_change in self._watched.items():
            self._start(f"watch of {path}", self._watch(path, on_change, looked=looked[path]))
        try:
            wait_until(
                lambda: [*self._failures, *(path for path, seen in looked.items() if not seen.is_set())],
                ready=lambda missing: not missing,
                error=lambda _: self._failures,
                limit_s=TIMEOUTS.first_look_s,
                every_s=LOOK_EVERY_S,
                what="the first look at the cluster",
            )
        except TimeoutError:
            self._end()
            raise
        self._start("sampler", self._sample)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        with self._lock:
            logs = list(self._logs.values())
        for copy in logs:
            copy.catch_up()
        alerts.note(self._api, self._timeline)

    def raise_if_broken(self) -> None:
        """Raise ClusterError when a part of it has failed: the evidence has a gap from there on."""
        if self._failures:
            raise ClusterError(f"the recorder is broken: {self._failures[0]}")

    @property
    def _watched(self) -> dict[str, Change]:
        """What is watched, and what is done with its changes."""
        here, slices = f"namespaces/{self._namespace}", "/apis/discovery.k8s.io/v1/namespaces"
        return {
            "/api/v1/nodes": self._changes.node,
            **{f"/api/v1/namespaces/{one}/pods": self._mesh_pod for one in (MESH, self._gateways)},
            # Last, so that it holds where the gateway's pods stand among the stack's.
            f"/api/v1/{here}/pods": self._pod,
            **{
                f"{slices}/{one}/endpointslices": self._changes.endpoints
                for one in (self._namespace, self._gateways, *AROUND)
            },
            f"/apis/policy/v1/{here}/poddisruptionbudgets": self._changes.pdb,
            f"/apis/autoscaling/v2/{here}/horizontalpodautoscalers": self._changes.autoscaler,
        }

    def _watch(self, path: str, on_change: Change, *, looked: Event) -> Callable[[], None]:
        return lambda: watch(
            self._api,
            path,
            on_change=on_change,
            stop=self._stop,
            on_look=looked.set,
            at_once=self._changes.at_once,
        )

    def _sample(self) -> None:
        """Write a sample a second; a beat in which the API server did not answer has none."""
        with self._sampler:
            for _ in every(SAMPLE_EVERY_S, until=self._stop.event):
                t_s = self._timeline.now_s
                sample = self._sampler.look()
                if sample is not None:
                    self._samples.append({"t_s": t_s, **sample})

    @property
    def _gateways(self) -> str:
        """Where the pods of the gateway stand."""
        return self._api.shape.gateway.namespace

    def _pod(self, change: str, item: Mapping[str, Any]) -> None:
        if parse_pod(item, self._api.shape).app == GATEWAY:
            self._mesh_pod(change, item)
        else:
            self._changes.pod(change, item)

    def _mesh_pod(self, change: str, item: Mapping[str, Any]) -> None:
        self._changes.mesh_pod(change, item)
        pod = parse_pod(item, self._api.shape)
        if pod.app == GATEWAY and change != "deleted":
            # All that Istio's gateway runs is the container that is a sidecar elsewhere.
            gateway = replace(pod, container=pod.container or SIDECAR)
            self._copy_log(gateway, name=f"{pod.name}{mesh.LOG}", kept=mesh.kept)

    def _copy_engine_log(self, pod: Pod) -> None:
        if pod.app == ENGINES:
            self._copy_log(pod, name=f"{pod.name}.log", kept=lambda line: line)

    def _copy_log(self, pod: Pod, *, name: str, kept: Callable[[bytes], bytes | None]) -> None:
        """Begin to copy the log of a pod that has come."""
        with self._lock:
            if pod.uid in self._logs or self._stop.is_set():
                return
            path = self._run_dir / "logs" / name
            copy = LogCopy(self._api, pod, path=path, since=self._logs_since, kept=kept)
            self._logs[pod.uid] = copy
        self._start(f"log of {pod.name}", lambda: copy.follow(self._stop))

    def _start(self, where: str, work: Callable[[], None]) -> None:
        thread = Thread(target=self._guarded, args=(where, work), name=where, daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _guarded(self, where: str, work: Callable[[], None]) -> None:
        """Work; whatever breaks it off is noted, also what nobody thought of."""
        try:
            work()
        except ClusterError as failed:
            self._failed(where, str(failed))
        finally:
            if unforeseen := sys.exc_info()[1]:
                self._failed(where, repr(unforeseen))

    def _failed(self, where: str, message: str) -> None:
        self._failures.append(f"{where}: {message}")
        self._timeline.note("error", where=where, message=message)

    def _end(self) -> None:
        """End every thread, and close what they write to."""
        self._stop.set()
        deadline_s = now_s() + TIMEOUTS.threads_end_s
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, deadline_s - now_s()))
        self._samples.close()


def _wall_time_of(zero_ns: int) -> str:
    """A moment of the monotonic clock as the cluster writes time. Its clock and ours differ by little."""
    started = datetime.now(UTC) - timedelta(microseconds=(now_ns() - zero_ns) / 1e3)
    return f"{started:%Y-%m-%dT%H:%M:%SZ}"
