"""What the small API server does with objects that are made, replaced, deleted, evicted: versions hold."""

from typing import TYPE_CHECKING

from tests.unit.api_objects import Json

if TYPE_CHECKING:
    from tests.unit.api_server import Cluster


def create(cluster: "Cluster", folder: str, item: Json) -> tuple[int, Json]:
    """Answer a POST: 409 when there is one of that name."""
    with cluster.changed:
        path = f"{folder}/{item['metadata']['name']}"
        if cluster.get(path) is not None:
            return 409, {"message": "already exists"}
        cluster.put(folder, item)
        return 201, cluster.get(path) or {}


def replace(cluster: "Cluster", path: str, item: Json) -> tuple[int, Json]:
    """Answer a PUT: 409 when the object has changed since it was read."""
    with cluster.changed:
        found = cluster.get(path)
        if found is None:
            return 404, {"message": "not found"}
        if item["metadata"].get("resourceVersion") != found["metadata"]["resourceVersion"]:
            return 409, {"message": "the object has been modified"}
        cluster.put(path.rpartition("/")[0], item)
        return 200, cluster.get(path) or {}


def remove(cluster: "Cluster", path: str, options: Json) -> tuple[int, Json]:
    """Answer a DELETE: 409 when its preconditions do not hold."""
    with cluster.changed:
        found = cluster.get(path)
        if found is None:
            return 404, {"message": "not found"}
        wanted = options.get("preconditions", {})
        if any(found["metadata"][name] != value for name, value in wanted.items()):
            return 409, {"message": "the precondition failed"}
        folder, _, name = path.rpartition("/")
        cluster.delete(folder, name)
        return 200, {}


def evict(cluster: "Cluster", path: str) -> tuple[int, Json]:
    """Answer an eviction; one that is granted deletes the pod, unless that pod is stubborn."""
    folder, _, name = path.rpartition("/")
    item = cluster.get(path)
    if item is None:
        return 404, {"message": f'pods "{name}" not found'}
    status = cluster.evictions[name].pop(0) if cluster.evictions[name] else 201
    if status == 429:
        budget = item["metadata"]["labels"]["app"]
        cause = {
            "reason": "DisruptionBudget",
            "message": f"The disruption budget {budget} needs 2 healthy pods and has 2 currently",
        }
        return 429, {
            "message": "Cannot evict pod as it would violate the pod's disruption budget.",
            "details": {"causes": [cause]},
        }
    if status != 201:
        return status, {"message": "This pod has more than one PodDisruptionBudget"}
    item["metadata"]["deletionTimestamp"] = "2026-11-24T12:00:00Z"
    item["status"]["conditions"].append(
        {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    )
    cluster.put(folder, item)
    if name not in cluster.stubborn:
        cluster.delete(folder, name)
    return 201, {}
