"""What the small API server does with objects that are created, replaced and deleted: versions are held."""

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
