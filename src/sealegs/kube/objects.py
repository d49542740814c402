"""The objects of a cluster as this suite sees them: parsed once, frozen, without what nobody here reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sealegs.rollout import app_of_budget
from sealegs.stack_shape import REFERENCE, StackShape

SIDECAR = "istio-proxy"
MIRROR = "kubernetes.io/config.mirror"
# A node pool for load is every node that carries this label with the value "true".
LOAD_POOL = "sealegs/load"
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"

Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node. `schedulable` is what cordon takes away; `gpus` are those that can be given to pods.

    `has_gpus` stays true when all of them are broken; `for_load` is the label of a node pool for load.
    """

    name: str
    ready: bool
    schedulable: bool
    gpus: int
    zone: str
    kubelet: str
    has_gpus: bool
    for_load: bool
    control_plane: bool


@dataclass(frozen=True, kw_only=True)
class Pod:
    """A pod. `app` is its role in the stack; `disruption` why something is ending it, as its condition says.

    Of its own containers, sidecars left out: `started` when all have passed their startup probes, `restarts`
    together, and `killed`, why the last of them that ended did, as in ``OOMKilled``.
    """

    name: str
    namespace: str
    uid: str
    app: str
    node: str
    phase: str
    ready: bool
    deleting: bool
    disruption: str | None
    owner: str | None
    mirror: bool
    local_storage: bool
    container: str
    started: bool = False
    restarts: int = 0
    killed: str | None = None
    ip: str = ""

    @property
    def finished(self) -> bool:
        """Whether its containers have ended for good."""
        return self.phase in {"Succeeded", "Failed"}


@dataclass(frozen=True, kw_only=True)
class Pdb:
    """A disruption budget and what its controller last counted. `app` is the part whose pods those are."""

    name: str
    app: str
    current_healthy: int
    desired_healthy: int
    disruptions_allowed: int
    expected_pods: int


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """The pods behind a service, as one of its EndpointSlices has them."""

    service: str
    ready: tuple[str, ...]
    terminating: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A deployment: what is wanted of it and what there is."""

    app: str
    wanted: int
    ready: int
    updated: int
    present: int
    seen: bool

    @property
    def complete(self) -> bool:
        """Whether it has exactly what is wanted, all of it ready and up to date."""
        return self.seen and self.wanted == self.ready == self.updated == self.present


@dataclass(frozen=True, kw_only=True)
class Autoscaler:
    """A horizontal autoscaler: what it wants of its target, and whether it can tell what to want."""

    name: str
    app: str
    wanted: int
    active: bool


def parse_node(item: Json, shape: StackShape = REFERENCE) -> Node:
    """A node out of its JSON."""
    labels, status = item["metadata"].get("labels", {}), item["status"]
    return Node(
        name=item["metadata"]["name"],
        ready=_condition(item, "Ready").get("status") == "True",
        schedulable=not item["spec"].get("unschedulable", False),
        gpus=int(status.get("allocatable", {}).get(shape.gpus, 0)),
        zone=labels.get("topology.kubernetes.io/zone", ""),
        kubelet=status.get("nodeInfo", {}).get("kubeletVersion", ""),
        has_gpus=any(shape.gpus in status.get(kind, {}) for kind in ("capacity", "allocatable")),
        for_load=labels.get(LOAD_POOL) == "true",
        control_plane=CONTROL_PLANE in labels,
    )


def parse_pod(item: Json, shape: StackShape = REFERENCE) -> Pod:
    """A pod out of its JSON."""
    metadata, spec = item["metadata"], item["spec"]
    app = shape.app_of(metadata["namespace"], metadata.get("labels", {}))
    owners = [one["kind"] for one in metadata.get("ownerReferences", []) if one.get("controller")]
    # A gateway of the mesh is the sidecar's program and nothing else.
    beside = tuple(one["name"] for one in spec["containers"] if one["name"] != SIDECAR)
    containers = beside or (SIDECAR,)
    found = item["status"].get("containerStatuses") or []
    statuses = [one for one in found if one["name"] in containers]
    return Pod(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        app=app,
        node=spec.get("nodeName", ""),
        phase=item["status"].get("phase", ""),
        ready=_condition(item, "Ready").get("status") == "True",
        deleting="deletionTimestamp" in metadata,
        disruption=_condition(item, "DisruptionTarget").get("reason"),
        owner=owners[0] if owners else None,
        mirror=MIRROR in metadata.get("annotations", {}),
        local_storage=any("emptyDir" in one for one in spec.get("volumes", [])),
        container=shape.container_of(app, containers),
        # A container that waits for its image has no status yet, or one that says null.
        started=len(statuses) == len(containers) and all(one.get("started") for one in statuses),
        restarts=sum(one["restartCount"] for one in statuses),
        killed=_last_reason(statuses),
        ip=item["status"].get("podIP", ""),
    )


def parse_pdb(item: Json, shape: StackShape = REFERENCE) -> Pdb:
    """A disruption budget out of its JSON."""
    metadata, status = item["metadata"], item.get("status", {})
    return Pdb(
        name=metadata["name"],
        app=app_of_budget(item, shape),
        current_healthy=status.get("currentHealthy", 0),
        desired_healthy=status.get("desiredHealthy", 0),
        disruptions_allowed=status.get("disruptionsAllowed", 0),
        expected_pods=status.get("expectedPods", 0),
    )


def parse_endpoints(item: Json) -> Endpoints:
    """The pods of an EndpointSlice out of its JSON."""
    named = [
        (one["targetRef"]["name"], one.get("conditions", {}))
        for one in item.get("endpoints") or []
        if one.get("targetRef")
    ]
    return Endpoints(
        service=item["metadata"].get("labels", {}).get("kubernetes.io/service-name", ""),
        ready=tuple(sorted(name for name, conditions in named if conditions.get("ready"))),
        terminating=tuple(sorted(name for name, conditions in named if conditions.get("terminating"))),
    )


def parse_deployment(item: Json, shape: StackShape = REFERENCE) -> Deployment:
    """A deployment out of its JSON."""
    metadata, status = item["metadata"], item.get("status", {})
    labels = item["spec"].get("template", {}).get("metadata", {}).get("labels", {})
    # Several may have one role, as a canary and its stable version: pods are counted by it, and so are these.
    role = shape.app_of(metadata.get("namespace", shape.namespace), labels)
    return Deployment(
        app=role if role in shape.parts else shape.app_of_deployment(metadata["name"]),
        wanted=item["spec"].get("replicas", 1),
        ready=status.get("readyReplicas", 0),
        updated=status.get("updatedReplicas", 0),
        present=status.get("replicas", 0),
        seen=status.get("observedGeneration", 0) >= metadata.get("generation", 0),
    )


def parse_autoscaler(item: Json, shape: StackShape = REFERENCE) -> Autoscaler:
    """A horizontal autoscaler (autoscaling/v2) out of its JSON."""
    return Autoscaler(
        name=item["metadata"]["name"],
        app=shape.app_of_deployment(item["spec"]["scaleTargetRef"]["name"]),
        wanted=item.get("status", {}).get("desiredReplicas", 0),
        active=_condition({"status": {}, **item}, "ScalingActive").get("status") == "True",
    )


def _last_reason(statuses: Sequence[Json]) -> str | None:
    """Why the container that ended last did, whether it ran again since or not; None when none ended."""
    states = [one.get(when, {}).get("terminated") for one in statuses for when in ("lastState", "state")]
    ended = [one for one in states if one]
    # The API's times are RFC 3339 in UTC, to the second: they sort as they are written.
    last: Json = max(ended, key=lambda one: str(one.get("finishedAt", "")), default={})
    return last.get("reason")


def _condition(item: Json, kind: str) -> Json:
    """One of an object's conditions; empty when it has none of that kind."""
    conditions = item["status"].get("conditions") or []
    return next((one for one in conditions if one["type"] == kind), {})
