"""A look at the cluster, once a second: how many are ready, how busy they are, what the mesh did about it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Self

from sealegs.errors import ClusterError
from sealegs.kube import reads
from sealegs.kube.api import Api
from sealegs.kube.objects import Deployment, Pod
from sealegs.probes import ENGINES, EngineLoad, engine_load
from sealegs.recorder.changes import Changes
from sealegs.recorder.proxies import DOORS, NAMES, OUTBOUND, Proxies

ANSWER_LIMIT_S = 0.8
WORKERS = 16


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
        self._proxies = Proxies(lambda pod: self._pool.submit(self._scrape, pod))
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
        doors = [pod for pod in (*pods, *self._changes.mesh_pods) if pod.app in DOORS and pod.ready]
        self._proxies.beat(doors)
        asked = self._pool.submit(
            reads.deployments, self._api, namespace=self._namespace, limit_s=ANSWER_LIMIT_S
        )
        loads = self._loads(pods, also=asked)
        try:
            desired = self._desired(asked.result(timeout=0))
        except (ClusterError, TimeoutError):
            return None
        status = self._load_status() or {}
        there = [pod for pod in pods if not pod.deleting]
        ejected = self._proxies.ejected()
        return {
            "ready": _counted(desired, (pod.app for pod in there if pod.ready)),
            "desired": desired,
            "pending": _counted(desired, (pod.app for pod in there if pod.phase == "Pending")),
            "in_flight": {name: load.running + load.waiting for name, load in loads.items()},
            "queue": {name: load.waiting for name, load in loads.items()},
            "ejected": ejected,
            "ejections_active": sum(ejected.values()),
            **self._proxies.since_start(),
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

    def _scrape(self, pod: Pod) -> dict[str, float]:
        return reads.pod_metrics(self._api, pod, names=NAMES, of=OUTBOUND, limit_s=2 * ANSWER_LIMIT_S)

    def _desired(self, deployments: Iterable[Deployment]) -> dict[str, int]:
        """How many pods of each part of the stack are wanted, of all its deployments together."""
        wanted: dict[str, int] = {}
        for one in deployments:
            # What else stands in the namespace is not known by its pods, and is nobody's claim.
            if one.app in self._api.shape.parts:
                wanted[one.app] = wanted.get(one.app, 0) + one.wanted
        return wanted


def _counted(desired: Mapping[str, int], apps: Iterable[str]) -> dict[str, int]:
    """How often each app that is wanted occurs."""
    counts = Counter(apps)
    return {app: counts[app] for app in desired}
