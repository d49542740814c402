"""Changes of the cluster on their way into the timeline: only those of what is recorded."""

from collections.abc import Callable, Mapping
from threading import RLock
from typing import Any

from sealegs.kube.objects import (
    Endpoints,
    Pod,
    parse_autoscaler,
    parse_endpoints,
    parse_node,
    parse_pdb,
    parse_pod,
)
from sealegs.stack_shape import REFERENCE, StackShape
from sealegs.timeline import Timeline

Json = Mapping[str, Any]


class Changes:
    """What watches report: noted when it differs from what was noted last, and kept for who asks.

    A kubelet touches its node every few seconds; that alone says nothing.

    Attributes:
        at_once: a lock that is held for each change; while somebody holds it, nobody else sees the pods.
    """

    def __init__(
        self, timeline: Timeline, *, on_pod: Callable[[Pod], None], shape: StackShape = REFERENCE
    ) -> None:
        """Note changes in `timeline`; `on_pod` is told of each pod of the stack that is there."""
        self._shape = shape
        self._timeline = timeline
        self._on_pod = on_pod
        self.at_once = RLock()
        self._noted: dict[tuple[str, str], Json] = {}
        self._pods: dict[str, Pod] = {}
        self._mesh: dict[str, Pod] = {}
        self._slices: dict[str, tuple[str, Endpoints]] = {}

    @property
    def pods(self) -> list[Pod]:
        """The stack's pods that are there now."""
        with self.at_once:
            return list(self._pods.values())

    @property
    def mesh_pods(self) -> list[Pod]:
        """The mesh's own pods that are there now."""
        with self.at_once:
            return list(self._mesh.values())

    def pod(self, change: str, item: Json) -> None:
        """A pod of the stack changed."""
        pod = parse_pod(item, self._shape)
        self._keep(self._pods, change, pod)
        self._note_pod(change, pod)
        if change != "deleted":
            self._on_pod(pod)

    def mesh_pod(self, change: str, item: Json) -> None:
        """A pod of the mesh changed."""
        pod = parse_pod(item, self._shape)
        self._keep(self._mesh, change, pod)
        self._note_pod(change, pod)

    def node(self, change: str, item: Json) -> None:
        """A node changed. One that is no more is neither ready nor has it GPUs."""
        node = parse_node(item, self._shape)
        there = change != "deleted"
        state = {"ready": node.ready and there, "gpus_allocatable": node.gpus if there else 0}
        self._note("node", node.name, {"name": node.name, **state, "unschedulable": not node.schedulable})

    def pdb(self, change: str, item: Json) -> None:
        """A part's disruption budget changed. One that is no more asks for nothing."""
        pdb = parse_pdb(item, self._shape)
        if pdb.app not in self._shape.parts:
            return
        there = int(change != "deleted")
        counts = {
            "current_healthy": there * pdb.current_healthy,
            "desired_healthy": there * pdb.desired_healthy,
            "disruptions_allowed": there * pdb.disruptions_allowed,
            "expected_pods": there * pdb.expected_pods,
        }
        self._note("pdb", pdb.name, {"name": pdb.name, "app": pdb.app, **counts})

    def endpoints(self, change: str, item: Json) -> None:
        """A slice of a service's endpoints changed: noted is the service, all of its slices together."""
        one, namespace = parse_endpoints(item), str(item["metadata"].get("namespace"))
        with self.at_once:
            self._slices.pop(item["metadata"]["uid"], None)
            if change != "deleted":
                self._slices[item["metadata"]["uid"]] = namespace, one
            slices = [each for where, each in self._slices.values() if where == namespace]
        slices = [each for each in slices if each.service == one.service]
        # On a dual-stack cluster a pod stands in a slice of each address family.
        ready = sorted({name for each in slices for name in each.ready})
        terminating = sorted({name for each in slices for name in each.terminating})
        state = {"name": one.service, "ready": ready, "terminating": terminating}
        self._note("endpoints", f"{namespace}/{one.service}", state)

    def autoscaler(self, change: str, item: Json) -> None:
        """A horizontal autoscaler changed. One that is no more is not active."""
        one = parse_autoscaler(item, self._shape)
        state = {"app": one.app, "wanted": one.wanted, "active": one.active and change != "deleted"}
        self._note("autoscaler", one.name, {"name": one.name, **state})

    def _note_pod(self, change: str, pod: Pod) -> None:
        who = {"name": pod.name, "uid": pod.uid, "app": pod.app, "node": pod.node, "ip": pod.ip}
        state = {"ready": pod.ready, "deleting": pod.deleting, "reason": pod.disruption, "phase": pod.phase}
        containers = {"started": pod.started, "restarts": pod.restarts, "killed": pod.killed}
        # What changed is the pod, not the word for it: after "added" the same again is nothing new.
        self._note("pod", pod.uid, {**who, **state, **containers}, event=change)

    def _keep(self, pods: dict[str, Pod], change: str, pod: Pod) -> None:
        with self.at_once:
            pods.pop(pod.uid, None)
            if change != "deleted":
                pods[pod.uid] = pod

    def _note(self, kind: str, key: str, state: Json, *, event: str | None = None) -> None:
        """Write a state down unless it is what was written last."""
        with self.at_once:
            if self._noted.get((kind, key)) == state and event != "deleted":
                return
            self._noted[kind, key] = state
            self._timeline.note(kind, **state, **({"event": event} if event else {}))
