"""The system under test: applied, waited for until it serves, and removed.

Server-side apply under one field manager is what makes a mutant go away again: a field that the next overlay
does not name is removed with its owner, an object that it does not name is found by its label and deleted.
"""

import base64
import http.client
import json
import os
import secrets
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sealegs import rollout, stack_images
from sealegs.cluster import Cluster, kubectl_of
from sealegs.cluster.command import output
from sealegs.cluster.places import STACK
from sealegs.errors import ClusterError, ScenarioError
from sealegs.waiting import wait_until

NAMESPACE = "llm-production"
KEYS = "llm-api-keys"
CLIENT = "sealegs"
OPT_IN = "sealegs/allow-faults"
LABEL = "app.kubernetes.io/part-of=llm-stack"
OURS = ("--namespace", NAMESPACE, "--selector", LABEL)
# What a mutant may add, and what is therefore looked through for objects to prune.
KINDS = (
    "services,deployments.apps,poddisruptionbudgets.policy,gateways.networking.istio.io,"
    "virtualservices.networking.istio.io,destinationrules.networking.istio.io,"
    "peerauthentications.security.istio.io"
)
READY_LIMIT_S = 300.0
REMOVE_LIMIT_S = 240.0
POLL_S = 0.5
ANSWER_LIMIT_S = 2.0


@dataclass(frozen=True)
class StackFacts:
    """The stack as it stands.

    Attributes:
        overlay: name of the overlay that was applied.
        mutant: name of the mutant on top of it, or None.
        images: image in the manifests → image that runs; empty where the overlay names its own.
        replicas: app → ready pods, which is as many as were asked for.
        sidecar_mode: ``native`` (an init container that stays), ``classic`` or ``none``.
    """

    overlay: str
    mutant: str | None
    images: Mapping[str, str]
    replicas: Mapping[str, int]
    sidecar_mode: str


def apply(
    cluster: Cluster, *, overlay: str = "kind", mutant: str | None = None, timeout_s: float = READY_LIMIT_S
) -> StackFacts:
    """Exactly this overlay, and this mutant on it, runs, is ready and answers through the gateway.

    Nothing of an earlier mutant is left, no pod is still ending, and on our own cluster pods are spread as
    they were at first, so that every run starts from the same place.

    Raises:
        ScenarioError: there is no such overlay or mutant.
        ClusterError: the cluster has not opted in, or refused an object.
        TimeoutError: it was not ready within ``timeout_s`` seconds; says what each pod waits for.
    """
    folder = _folder(overlay, mutant)
    require_opt_in(cluster)
    tags = stack_images.ensure(cluster)
    applied = _apply(cluster, folder, tags=tags, key=_key(cluster) if cluster.owned else None)
    # kubectl's own --prune does not know objects of server-side apply.
    there = _kubectl(cluster, "get", KINDS, "--output", "name", *OURS).split()
    if leftover := set(there) - set(applied):
        _kubectl(cluster, "delete", "--namespace", NAMESPACE, *sorted(leftover))
    pods = _settled(cluster, timeout_s=timeout_s)
    if cluster.owned and (crowded := rollout.crowded(pods, places=_places(cluster))):
        _kubectl(cluster, "delete", "pod", "--namespace", NAMESPACE, "--wait=false", *crowded)
        pods = _settled(cluster, timeout_s=timeout_s)
    counts = Counter(pod["metadata"]["labels"]["app"] for pod in pods)
    return StackFacts(overlay, mutant, tags, dict(counts), rollout.sidecar_mode(pods))


def check(cluster: Cluster, *, overlay: str) -> None:
    """The API server and its webhooks would take the overlay; nothing is changed.

    Raises:
        ScenarioError: there is no such overlay.
        ClusterError: an object was refused, or the namespace is absent.
    """
    _apply(cluster, _folder(overlay, None), "--dry-run=server")


def api_key(cluster: Cluster) -> str:
    """A key that llm-api accepts.

    Raises:
        ClusterError: the stack's Secret is absent; says what makes it.
    """
    stored = _stored_keys(cluster)
    if not stored:
        raise ClusterError(
            f"the Secret {NAMESPACE}/{KEYS} is absent or empty: apply the stack, or make it with one API key"
        )
    return stored.get(CLIENT) or next(iter(stored.values()))


def remove(cluster: Cluster) -> None:
    """Nothing of the stack is left; on a cluster that is not ours its namespace and its keys stay.

    Raises:
        ClusterError: the cluster has not opted in, or something was not gone in time.
    """
    require_opt_in(cluster)
    limit = f"--timeout={REMOVE_LIMIT_S:.0f}s"
    if cluster.owned:
        _kubectl(cluster, "delete", "namespace", NAMESPACE, "--ignore-not-found", limit)
    else:
        _kubectl(cluster, "delete", KINDS, limit, *OURS)
    _kubectl(cluster, "delete", "envoyfilters", "--all-namespaces", "--selector", LABEL, limit)
    _kubectl(cluster, "delete", "priorityclass", "--selector", LABEL, "--ignore-not-found", limit)


def _folder(overlay: str, mutant: str | None) -> Path:
    """Where the overlay, or the mutant made of it, lies."""
    folder = STACK / "overlays" / overlay if mutant is None else STACK / "mutants" / mutant
    if not (folder / "kustomization.yaml").is_file():
        there = ", ".join(sorted(path.parent.name for path in folder.parent.glob("*/kustomization.yaml")))
        raise ScenarioError([f"{folder.relative_to(STACK.parent)}: no such folder; there are {there}"])
    if mutant is not None and overlay != "kind":
        raise ScenarioError([f"stack/mutants/{mutant}: mutants are made of overlay kind, not of {overlay}"])
    return folder


def require_opt_in(cluster: Cluster) -> None:
    """The cluster was made here, or its namespace allows faults by a label. ClusterError if not."""
    if cluster.owned:
        return
    label = OPT_IN.replace(".", r"\.")
    words = (
        "get",
        "namespace",
        NAMESPACE,
        "--ignore-not-found",
        "--output",
        f"jsonpath={{.metadata.labels.{label}}}",
    )
    if _kubectl(cluster, *words) != "true":
        raise ClusterError(
            f"context {cluster.context} has not opted in to faults: whoever owns it runs "
            f"`kubectl label namespace {NAMESPACE} {OPT_IN}=true` (and creates it first if absent)"
        )


def _apply(
    cluster: Cluster,
    folder: Path,
    *options: str,
    tags: Mapping[str, str] | None = None,
    key: str | None = None,
) -> list[str]:
    """Names of the objects of a folder, applied with the tags of our images and our API key put in."""
    # The stack's one field manager: what it set before and does not set now is removed.
    words = ("apply", "--server-side", "--force-conflicts", "--field-manager", "sealegs", "--output", "name")
    with tempfile.TemporaryDirectory() as temporary:
        generated = Path(temporary).resolve()
        # JSON is YAML.
        resources = [os.path.relpath(folder, generated)]
        if key is not None:
            (generated / "secret.yaml").write_text(json.dumps(_secret(key)))
            resources.append("secret.yaml")
        split = {name: reference.rsplit(":", 1) for name, reference in (tags or {}).items()}
        renamed = [{"name": name, "newName": new, "newTag": tag} for name, (new, tag) in split.items()]
        text = json.dumps({"resources": resources, "images": renamed})
        (generated / "kustomization.yaml").write_text(text)
        return _kubectl(cluster, *words, *options, "--kustomize", str(generated)).split()


def _secret(key: str) -> Mapping[str, Any]:
    name, value = LABEL.split("=")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": KEYS, "namespace": NAMESPACE, "labels": {name: value}},
        "stringData": {CLIENT: key},
    }


def _key(cluster: Cluster) -> str:
    return _stored_keys(cluster).get(CLIENT) or secrets.token_urlsafe(24)


def _stored_keys(cluster: Cluster) -> dict[str, str]:
    found = _kubectl(
        cluster, "get", "secret", KEYS, "--namespace", NAMESPACE, "--ignore-not-found", "--output", "json"
    )
    data = json.loads(found).get("data") or {} if found else {}
    return {name: base64.b64decode(value).decode().strip() for name, value in data.items()}


def _settled(cluster: Cluster, *, timeout_s: float) -> Sequence[Mapping[str, Any]]:
    """The stack's pods once nothing is missing, left over or out of date and the gateway answers."""
    key = api_key(cluster)
    seen: list[Mapping[str, Any]] = []

    def problems() -> list[str]:
        seen[:] = _objects(cluster)
        found = list(rollout.problems(seen)) or list(_unanswered(cluster, key))
        # A volume's helper pod is still at work where the last pod was: a drain would have to refuse.
        return found or (rollout.unmanaged(_all_pods(cluster)) if cluster.owned else [])

    wait_until(
        problems,
        ready=lambda found: not found,
        limit_s=timeout_s,
        every_s=POLL_S,
        what="the stack to be ready",
    )
    return [item for item in seen if item["kind"] == "Pod"]


def _objects(cluster: Cluster) -> list[Mapping[str, Any]]:
    listed = _kubectl(cluster, "get", "deployments,pods,poddisruptionbudgets", "--output", "json", *OURS)
    items: list[Mapping[str, Any]] = json.loads(listed)["items"]
    return items


def _all_pods(cluster: Cluster) -> list[Mapping[str, Any]]:
    listed = _kubectl(cluster, "get", "pods", "--all-namespaces", "--output", "json")
    items: list[Mapping[str, Any]] = json.loads(listed)["items"]
    return items


def _unanswered(cluster: Cluster, key: str) -> Iterator[str]:
    """What the gateway says to a request that the engines answer with 200, if it is anything else."""
    door = urlsplit(cluster.gateway_url)
    connection = http.client.HTTPConnection(door.hostname or "", door.port, timeout=ANSWER_LIMIT_S)
    try:
        connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            yield f"{cluster.gateway_url}: {answer.status} {answer.read(200).decode(errors='replace')}"
    except (OSError, http.client.HTTPException) as silent:
        yield f"{cluster.gateway_url}: {silent!r}"
    finally:
        connection.close()


def _places(cluster: Cluster) -> int:
    """How many GPU nodes may be given pods."""
    listed = _kubectl(cluster, "get", "nodes", "--selector", "pool=gpu", "--output", "json")
    return sum(not node["spec"].get("unschedulable", False) for node in json.loads(listed)["items"])


def _kubectl(cluster: Cluster, *words: str) -> str:
    return output(kubectl_of(cluster, *words), limit_s=REMOVE_LIMIT_S)
