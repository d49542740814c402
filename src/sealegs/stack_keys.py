"""The API keys of a stack: entries of one Secret, of which load takes one."""

import base64
import json
import secrets
from collections.abc import Mapping
from typing import Any

from sealegs.cluster import Cluster, ask
from sealegs.errors import ClusterError
from sealegs.stack_shape import Key, StackShape


def taken(cluster: Cluster, namespace: str, key: Key) -> str:
    """The API key that load shows.

    Raises:
        ClusterError: the Secret is absent; says what makes it.
    """
    stored = _stored(cluster, namespace, key)
    if not stored:
        raise ClusterError(
            f"the Secret {namespace}/{key.secret} is absent or empty: "
            "apply the stack, or make it with one API key"
        )
    return stored.get(key.entry) or next(iter(stored.values()))


def manifest(cluster: Cluster, shape: StackShape) -> Mapping[str, Any] | None:
    """The Secret as it is to be applied, with the key that it has or a new one. None where none is needed."""
    if shape.key is None:
        return None
    held = _stored(cluster, shape.namespace, shape.key).get(shape.key.entry) or secrets.token_urlsafe(24)
    metadata = {"name": shape.key.secret, "namespace": shape.namespace, "labels": dict(shape.selector)}
    named = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    return {**named, "stringData": {shape.key.entry: held}}


def _stored(cluster: Cluster, namespace: str, key: Key) -> dict[str, str]:
    """Every entry of the Secret; none when it is absent."""
    words = ("get", "secret", key.secret, "--namespace", namespace, "--ignore-not-found", "--output", "json")
    found = ask(cluster, *words)
    data = json.loads(found).get("data") or {} if found else {}
    return {name: base64.b64decode(value).decode().strip() for name, value in data.items()}
