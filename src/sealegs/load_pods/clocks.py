"""How far a pod's monotonic clock is from the runner's, by asking it the time.

A pod's answer was made between the question and its arrival here, so half of the round trip is the most that
the middle can be wrong by (the argument is Cristian's, "Probabilistic clock synchronization", 1989). Of
several round trips the shortest says most.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sealegs.errors import ClusterError
from sealegs.kube import exec as kube_exec
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod
from sealegs.load_pods.objects import PROGRAM
from sealegs.waiting import now_ns

TRIPS = 30
ANSWER_LIMIT_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Offset:
    """The pod's clock shows the runner's time plus `offset_ns`, give or take `uncertainty_ns`."""

    offset_ns: int
    uncertainty_ns: int

    def told(self) -> dict[str, float]:
        """The same in seconds, as evidence has it."""
        return {
            "clock_offset_s": round(self.offset_ns / 1e9, 9),
            "clock_uncertainty_s": round(self.uncertainty_ns / 1e9, 9),
        }

    def since_s(self, before: "Offset") -> float:
        """How far the clocks have moved apart since another offset of the same two, in seconds."""
        return round((self.offset_ns - before.offset_ns) / 1e9, 9)


@dataclass(frozen=True, kw_only=True)
class Trip:
    """One question: when it was asked and answered by the runner's clock, and what the pod's showed."""

    asked_ns: int
    shown_ns: int
    heard_ns: int


def offset_of(trips: Iterable[Trip]) -> Offset:
    """What the shortest round trip says."""
    best = min(trips, key=lambda trip: trip.heard_ns - trip.asked_ns)
    half_ns = (best.heard_ns - best.asked_ns + 1) // 2
    return Offset(offset_ns=best.shown_ns - best.asked_ns - half_ns, uncertainty_ns=half_ns)


def measure(api: Api, pod: Pod) -> Offset:
    """Ask a load pod the time, some times over.

    Raises:
        ClusterError: it does not answer.
    """
    with kube_exec.running(
        api, namespace=pod.namespace, pod=pod.name, container=pod.container, argv=[*PROGRAM, "clock"]
    ) as session:

        def shown_ns() -> int:
            session.send(b".")
            line = b""
            while not line.endswith(b"\n"):
                piece = session.receive(limit_s=ANSWER_LIMIT_S)
                if not piece:
                    raise ClusterError(f"{session.where} does not say what time it is")
                line += piece
            return int(line)

        shown_ns()  # The first one waits for the program to begin.
        return offset_of(_trip(shown_ns) for _ in range(TRIPS))


def _trip(ask: Callable[[], int]) -> Trip:
    asked_ns = now_ns()
    shown = ask()
    return Trip(asked_ns=asked_ns, shown_ns=shown, heard_ns=now_ns())
