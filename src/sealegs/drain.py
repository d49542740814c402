"""What a drain does with each pod of a node, by kubectl's rules and in kubectl's order."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Drained(Protocol):
    """What has to be known of a pod to decide: a `sealegs.kube.objects.Pod` has it."""

    @property
    def name(self) -> str: ...  # noqa: D102  the names speak for themselves
    @property
    def namespace(self) -> str: ...  # noqa: D102
    @property
    def deleting(self) -> bool: ...  # noqa: D102
    @property
    def finished(self) -> bool: ...  # noqa: D102
    @property
    def owner(self) -> str | None: ...  # noqa: D102
    @property
    def mirror(self) -> bool: ...  # noqa: D102
    @property
    def local_storage(self) -> bool: ...  # noqa: D102


AnyPod = TypeVar("AnyPod", bound=Drained)


@dataclass(frozen=True, kw_only=True)
class Plan(Generic[AnyPod]):
    """A drain thought through before anything is touched.

    Attributes:
        evict: the pods to evict.
        skipped: pods that a drain leaves alone, and why.
        refusals: why the drain must not begin, a sentence a pod; empty when it may.
    """

    evict: tuple[AnyPod, ...]
    skipped: Mapping[str, str]
    refusals: tuple[str, ...]


def plan(
    pods: Iterable[AnyPod], *, namespaces: Collection[str] | None, local_storage_allowed: bool = True
) -> Plan[AnyPod]:
    """What a drain would do with these pods, with every problem there is.

    Pods are evicted only out of `namespaces`, which opted in; None is a cluster that did so as a whole. By
    default an emptyDir does not stop a drain, as with kubectl's ``--delete-emptydir-data``: every pod of a
    mesh has several.
    """
    evict: list[AnyPod] = []
    skipped: dict[str, str] = {}
    refusals: list[str] = []
    for pod in sorted(pods, key=_name):
        if reason := _why_skipped(pod):
            skipped[_name(pod)] = reason
        elif problem := _why_refused(pod, namespaces=namespaces, local_storage_allowed=local_storage_allowed):
            refusals.append(f"{_name(pod)} {problem}")
        else:
            evict.append(pod)
    return Plan(evict=tuple(evict), skipped=skipped, refusals=tuple(refusals))


def _name(pod: Drained) -> str:
    """A pod's name among all of the cluster."""
    return f"{pod.namespace}/{pod.name}"


def _why_skipped(pod: Drained) -> str | None:
    """Why a drain leaves a pod alone. This comes first: a DaemonSet's pod may well have local storage."""
    if pod.deleting:
        return "is being deleted already"
    if pod.finished:
        return "has finished"
    if pod.owner == "DaemonSet":
        return "belongs to a DaemonSet, which ignores a cordon"
    if pod.mirror:
        return "is a static pod of its kubelet"
    return None


def _why_refused(
    pod: Drained, *, namespaces: Collection[str] | None, local_storage_allowed: bool
) -> str | None:
    """Why a drain must not begin while this pod is here."""
    if pod.local_storage and not local_storage_allowed:
        return "has an emptyDir, whose data an eviction deletes"
    if pod.owner is None:
        return "has no controller that would replace it"
    if namespaces is not None and pod.namespace not in namespaces:
        return f"would be evicted, but namespace {pod.namespace} has not opted in to faults"
    return None
