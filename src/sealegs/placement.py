"""Where load may run in the cluster under test, and whether it did: apart from what a fault disturbs."""

from collections.abc import Collection, Iterable
from typing import Protocol

from sealegs.judgement.facts import Facts, FaultStory


class Place(Protocol):
    """What has to be known of a node to decide: a `sealegs.kube.objects.Node` has it."""

    @property
    def name(self) -> str: ...  # noqa: D102  the names speak for themselves
    @property
    def ready(self) -> bool: ...  # noqa: D102
    @property
    def schedulable(self) -> bool: ...  # noqa: D102
    @property
    def has_gpus(self) -> bool: ...  # noqa: D102
    @property
    def for_load(self) -> bool: ...  # noqa: D102
    @property
    def control_plane(self) -> bool: ...  # noqa: D102


def places(nodes: Iterable[Place], *, avoid: Collection[str] = ()) -> tuple[str, ...]:
    """Names of the nodes that load may run on, none of `avoid` among them; empty when there is none.

    Those of the pool for load, if any node is in it. Otherwise those without GPUs, for engines and the
    faults that are aimed at them are on the others; the control plane only where there is nothing else.
    """
    usable = [one for one in nodes if one.ready and one.schedulable and one.name not in avoid]
    pool = [one for one in usable if one.for_load]
    plain = [one for one in usable if not one.has_gpus]
    workers = [one for one in plain if not one.control_plane]
    return tuple(sorted(one.name for one in pool or workers or plain))


def not_apart(facts: Facts, story: FaultStory | None) -> tuple[str, ...]:
    """In words, where load pods ran and not apart from the fault, or where that cannot be known.

    A fault that names no node disturbs none.
    """
    pods = {str(one.get("name")): str(one.get("node") or "") for one in facts.of_kind("load_pod")}
    target = {} if story is None else story.target
    hit = {str(one) for one in (target.get("node"), *target.get("nodes", ())) if one}
    found = [f"load pod {pod} ran on {node}, the fault's target" for pod, node in pods.items() if node in hit]
    found += [f"of load pod {pod} no node is known" for pod, node in pods.items() if not node]
    return tuple(found) if pods else ("no load pod was seen",)
