"""A look at the cluster, once a second: how many are ready, how busy they are, what the mesh did about it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Self

from sealegs.errors import ClusterError
from sealegs.kube import reads
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod
from sealegs.probes import ENGINES, EngineLoad, engine_load
from sealegs.recorder.changes import Changes

ANSWER_LIMIT_S = 0.8
WORKERS = 16
# Scrapes cost the two cores that client, cluster and engines may have to share.
PROXIES_EVERY_BEATS = 2
DOORS = frozenset({"llm-api", "istio-ingressgateway"})
EJECTIONS = "envoy_cluster_outlier_detection_ejections_active"
OVERFLOW = "envoy_cluster_upstream_rq_pending_overflow"
RETRIES = "envoy_cluster_upstream_rq_retry"


class Sampler:
    """Looks at the cluster; what does not answer in time is left out of a look, and holds nothing up."""

    def __init__(
        self,
        api: Api,
        *,
        namespace: str,
        changes: Changes,
        load_status: Callable[[], Mapping[str, Any] | None],
    ) -> None:
        """Look at `namespace` with what `changes` knows of its pods."""
        self._api = api
        self._namespace = namespace
        self._changes = changes
        self._load_status = load_status
        self._beat = 0
        self._scrapes: dict[str, Future[dict[str, float]]] = {}
        self._mesh: dict[str, Mapping[str, float]] = {}
        self._before: dict[str, Mapping[str, float]] = {}
        self._old = frozenset[str]()
        self._pool = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="sample")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def look(self) -> dict[str, Any] | None:
        """One sample but for its time; None when the API server did not say what is wanted.

        What watches last reported may then be old, and a sample that repeats it would be made up.
        """
        pods = self._changes.pods
        self._scrape_proxies(pods)
        asked = self._pool.submit(
            reads.deployments, self._api, namespace=self._namespace, limit_s=ANSWER_LIMIT_S
        )
        loads = self._loads(pods, also=asked)
        try:
            desired = {one.app: one.wanted for one in asked.result(timeout=0)}
        except (ClusterError, TimeoutError):
            return None
        status = self._load_status() or {}
        there = [pod for pod in pods if not pod.deleting]
        ejected = self._ejected()
        return {
            "ready": _counted(desired, (pod.app for pod in there if pod.ready)),
            "desired": desired,
            "pending": _counted(desired, (pod.app for pod in there if pod.phase == "Pending")),
            "in_flight": {name: load.running + load.waiting for name, load in loads.items()},
            "queue": {name: load.waiting for name, load in loads.items()},
            "ejected": ejected,
            "ejections_active": sum(ejected.values()),
            "pending_overflow": self._since_start(OVERFLOW),
            "retries": self._since_start(RETRIES),
            "load_in_flight": status.get("in_flight", 0),
            "load_sent": status.get("sent", 0),
        }

    def _loads(self, pods: Iterable[Pod], *, also: Future[Any]) -> dict[str, EngineLoad]:
        """Pod → what its engine is doing, for those that answered in time."""
        asked = {
            pod.name: self._pool.submit(engine_load, self._api, pod, limit_s=ANSWER_LIMIT_S)
            for pod in sorted(pods, key=lambda pod: pod.name)
            if pod.app == ENGINES and pod.phase == "Running"
        }
        wait((also, *asked.values()), timeout=ANSWER_LIMIT_S)
        answers = {name: future.result() for name, future in asked.items() if future.done()}
        return {name: load for name, load in answers.items() if load is not None}

    def _scrape_proxies(self, pods: Iterable[Pod]) -> None:
        """Take what the proxies have answered since the last beat; ask them again on every other one."""
        doors = [pod for pod in (*pods, *self._changes.mesh_pods) if pod.app in DOORS and pod.ready]
        if self._beat == 0:
            self._old = frozenset(pod.uid for pod in doors)
        for uid in [uid for uid, future in self._scrapes.items() if future.done()]:
            future = self._scrapes.pop(uid)
            if future.exception() is None:
                self._mesh[uid] = future.result()
                # A proxy that came later began to count at nothing.
                self._before.setdefault(uid, self._mesh[uid] if uid in self._old else {})
        if self._beat % PROXIES_EVERY_BEATS == 0:
            for pod in doors:
                if pod.uid not in self._scrapes:
                    self._scrapes[pod.uid] = self._pool.submit(self._scrape, pod)
        self._beat += 1

    def _scrape(self, pod: Pod) -> dict[str, float]:
        names = (EJECTIONS, OVERFLOW, RETRIES)
        return reads.pod_metrics(self._api, pod, names=names, limit_s=2 * ANSWER_LIMIT_S)

    def _ejected(self) -> dict[str, int]:
        """Pod → how many hosts its proxy has ejected now, of those pods that are there and have said so."""
        there = {pod.uid: pod.name for pod in (*self._changes.pods, *self._changes.mesh_pods)}
        said = {uid: values for uid, values in self._mesh.items() if uid in there}
        return {there[uid]: int(values.get(EJECTIONS, 0.0)) for uid, values in said.items()}

    def _since_start(self, name: str) -> int:
        """What all proxies have counted since the first look; one that is gone keeps its share."""
        counted = (
            values.get(name, 0.0) - self._before[uid].get(name, 0.0) for uid, values in self._mesh.items()
        )
        return int(sum(counted))


def _counted(desired: Mapping[str, int], apps: Iterable[str]) -> dict[str, int]:
    """How often each app that is wanted occurs."""
    counts = Counter(apps)
    return {app: counts[app] for app in desired}
