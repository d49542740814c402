"""What every fault is held to on the real cluster: a row says how one is injected, and what a no-op is."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from sealegs import stack
from sealegs.kube import reads
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One row: the four functions of a fault's module, aimed at a node, and its no-op.

    `nothing` aims as the fault does and claims to have injected it, but changes nothing. `lands_s` and
    `goes_s` are how long its witnesses may take.
    """

    name: str
    inject: Callable[[str], object]
    nothing: Callable[[str], object]
    module: ModuleType
    lands_s: float = 5
    goes_s: float = 30


def engines(api: Api) -> list[Pod]:
    """The engines that are there."""
    return [pod for pod in reads.pods(api, namespace=stack.NAMESPACE) if pod.app == "llm-inference"]


def serving_node(api: Api) -> str:
    """A node with an engine on it."""
    return engines(api)[0].node


def engine_on(api: Api, node: str) -> str:
    """The engine on a node."""
    return next(pod.name for pod in engines(api) if pod.node == node)
