"""What the proxies of the stack's doors say of themselves: asked every other beat, and never waited for."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

from sealegs.judgement.mesh import OLD_S_MAX
from sealegs.kube.objects import Pod
from sealegs.waiting import now_s

# Scrapes cost the two cores that client, cluster and engines may have to share.
EVERY_BEATS = 2
DOORS = frozenset({"llm-api", "istio-ingressgateway"})
# Of the clusters that requests are sent to; others, such as istiod's, tell nothing about the stack.
OUTBOUND = 'cluster_name="outbound|'
EJECTIONS = "envoy_cluster_outlier_detection_ejections_active"
OVERFLOW = "envoy_cluster_upstream_rq_pending_overflow"
RETRIES = "envoy_cluster_upstream_rq_retry"
NAMES = (EJECTIONS, OVERFLOW, RETRIES)

Said = Mapping[str, float]


class Proxies:
    """Their last words, none of them older than `OLD_S_MAX`, and what they have counted since the first look.

    A proxy that exports no statistics of outbound requests, as Istio's own choice of them has none, has said
    nothing: of its silence nothing follows.
    """

    def __init__(self, ask: Callable[[Pod], Future[dict[str, float]]]) -> None:
        self._ask = ask
        self._beat = 0
        self._there: Sequence[Pod] = ()
        self._first = frozenset[str]()
        self._asked: dict[str, Future[dict[str, float]]] = {}
        self._said: dict[str, tuple[float, Said]] = {}
        self._counted: Counter[str] = Counter()

    def beat(self, there: Sequence[Pod]) -> None:
        """Take what was answered since the last beat; these are the proxies that are there now."""
        self._there = there
        if self._beat == 0:
            self._first = frozenset(pod.uid for pod in there)
        for uid in [uid for uid, future in self._asked.items() if future.done()]:
            future = self._asked.pop(uid)
            if future.exception() is None:
                self._take(uid, future.result())
        if self._beat % EVERY_BEATS == 0:
            self._asked |= {pod.uid: self._ask(pod) for pod in there if pod.uid not in self._asked}
        self._beat += 1

    def ejected(self) -> dict[str, int]:
        """Pod → how many hosts its proxy has out now, of those that say so."""
        # Envoy leaves this one out until the first host was ejected.
        return {pod.name: int(said.get(EJECTIONS, 0.0)) for pod, said in self._fresh()}

    def since_start(self) -> dict[str, int]:
        """What all proxies counted since the first look, those too that are gone; empty if one is silent."""
        if not self._there or len(self._fresh()) < len(self._there):
            return {}
        return {"pending_overflow": int(self._counted[OVERFLOW]), "retries": int(self._counted[RETRIES])}

    def _take(self, uid: str, said: Said) -> None:
        """Add what a proxy has counted since it was last heard."""
        # One that came later began to count at nothing.
        before = self._said[uid][1] if uid in self._said else said if uid in self._first else {}
        for name in (OVERFLOW, RETRIES):
            grown = said.get(name, 0.0) - before.get(name, 0.0)
            # One that was started again in its pod did too.
            self._counted[name] += int(grown if grown >= 0 else said.get(name, 0.0))
        self._said[uid] = now_s(), said

    def _fresh(self) -> list[tuple[Pod, Said]]:
        """Proxies that are there, with what they said a short while ago."""
        since_s = now_s() - OLD_S_MAX
        there = [(pod, *self._said.get(pod.uid, (0.0, {}))) for pod in self._there]
        return [(pod, said) for pod, said_s, said in there if said_s >= since_s and OVERFLOW in said]
