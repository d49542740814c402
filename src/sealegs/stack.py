"""The system under test: applied, waited for until it serves, and removed.

Server-side apply under one field manager is what makes a mutant go away again: a field that the next overlay
does not name is removed with its owner, an object that it does not name is found by its label and deleted.
It may be a stack of yours, of another shape: applied like ours, or taken as it stands.
"""

import http.client
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sealegs import rollout, stack_images, stack_keys
from sealegs.cluster import Cluster, kubectl_of
from sealegs.cluster.command import output
from sealegs.cluster.places import STACK
from sealegs.errors import ClusterError, ScenarioError
from sealegs.kube import opt_in
from sealegs.stack_shape import REFERENCE, StackShape
from sealegs.waiting import wait_until

NAMESPACE = REFERENCE.namespace
# What load shows at the door of a stack that asks for no key.
NO_KEY = "unused"
# What an overlay or a mutant may add, and what is therefore looked through for objects to prune.
KINDS = (
    "services,deployments.apps,poddisruptionbudgets.policy,horizontalpodautoscalers.autoscaling,"
    "gateways.networking.istio.io,virtualservices.networking.istio.io,"
    "destinationrules.networking.istio.io,peerauthentications.security.istio.io"
)
READY_LIMIT_S = 300.0
REMOVE_LIMIT_S = 240.0
POLL_S = 0.5
ANSWER_LIMIT_S = 2.0


@dataclass(frozen=True)
class StackFacts:
    """The stack as it stands.

    Attributes:
        overlay: name of the overlay that was applied; empty where the stack was taken as it stands.
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
    cluster: Cluster,
    *,
    shape: StackShape = REFERENCE,
    overlay: str | Path | None = "kind",
    mutant: str | None = None,
    timeout_s: float = READY_LIMIT_S,
) -> StackFacts:
    """Exactly this overlay, and this mutant on it, runs, is ready and answers through the gateway.

    The overlay is one of ours by name, or a folder of yours; with None nothing is applied. Nothing of an
    earlier mutant is left, no pod is still ending, and on our own cluster pods are spread as they were at
    first and none has been started again, so that every run starts from the same place.

    Raises:
        ScenarioError: there is no such overlay or mutant.
        ClusterError: the cluster has not opted in, or refused an object.
        TimeoutError: it was not ready within ``timeout_s`` seconds; says what each pod waits for.
    """
    folder = folder_of(overlay, mutant)
    require_opt_in(cluster, shape=shape)
    tags: Mapping[str, str] = {}
    if folder is not None:
        tags = stack_images.ensure(cluster)
        made = stack_keys.manifest(cluster, shape) if cluster.owned else None
        applied = _apply(cluster, folder, tags=tags, secret=made)
        _prune(cluster, shape, keep=applied)
    pods = _settled(cluster, shape, timeout_s=timeout_s)
    if cluster.owned and folder is not None:
        spread = partial(rollout.crowded, places=_places(cluster), shape=shape)
        for unlike_new in (rollout.restarted, spread):
            if names := unlike_new(pods):
                _kubectl(cluster, "delete", "pod", "--namespace", shape.namespace, "--wait=false", *names)
                pods = _settled(cluster, shape, timeout_s=timeout_s)
    counts = Counter(rollout.app_of(pod, shape) for pod in pods)
    named = "" if folder is None else str(overlay)
    return StackFacts(named, mutant, tags, dict(counts), rollout.sidecar_mode(pods))


def folder_of(overlay: str | Path | None, mutant: str | None) -> Path | None:
    """Where the overlay of ours, or the mutant made of it, lies; what is no name of one is given back.

    Raises:
        ScenarioError: there is no such overlay or mutant; says which there are.
    """
    if not isinstance(overlay, str):
        return overlay
    kind, name = ("overlays", overlay) if mutant is None else ("mutants", mutant)
    folder = STACK / kind / name
    if not (folder / "kustomization.yaml").is_file():
        there = ", ".join(sorted(path.parent.name for path in (STACK / kind).glob("*/kustomization.yaml")))
        raise ScenarioError([f"stack/{kind}/{name}: no such folder; there are {there}"])
    made_of = f"- ../../overlays/{overlay}\n"
    if mutant is not None and made_of not in (folder / "kustomization.yaml").read_text():
        raise ScenarioError([f"stack/mutants/{mutant}: is made of another overlay than {overlay}"])
    return folder


def check(cluster: Cluster, *, overlay: str) -> None:
    """The API server and its webhooks would take the overlay; nothing is changed.

    Raises:
        ScenarioError: there is no such overlay.
        ClusterError: an object was refused, or the namespace is absent.
    """
    if folder := folder_of(overlay, None):
        _apply(cluster, folder, "--dry-run=server")


def api_key(cluster: Cluster, *, shape: StackShape = REFERENCE) -> str:
    """A key that the stack accepts.

    Raises:
        ClusterError: the stack's Secret is absent; says what makes it.
    """
    return NO_KEY if shape.key is None else stack_keys.taken(cluster, shape.namespace, shape.key)


def remove(cluster: Cluster, *, shape: StackShape = REFERENCE) -> None:
    """Nothing of the stack is left; on a cluster that is not ours its namespace and its keys stay.

    What carries no label of the stack's `selector` is left alone there.

    Raises:
        ClusterError: the cluster has not opted in, or something was not gone in time.
    """
    require_opt_in(cluster, shape=shape)
    limit = f"--timeout={REMOVE_LIMIT_S:.0f}s"
    if cluster.owned:
        _kubectl(cluster, "delete", "namespace", shape.namespace, "--ignore-not-found", limit)
    elif shape.selector:
        _kubectl(cluster, "delete", KINDS, limit, *_ours(shape))
    if marks := shape.selected:
        _kubectl(cluster, "delete", "envoyfilters", "--all-namespaces", "--selector", marks, limit)
        _kubectl(cluster, "delete", "priorityclass", "--selector", marks, "--ignore-not-found", limit)


def _ours(shape: StackShape) -> tuple[str, ...]:
    """Options of kubectl that name everything of a stack."""
    marks = ("--selector", shape.selected) if shape.selector else ()
    return ("--namespace", shape.namespace, *marks)


def require_opt_in(cluster: Cluster, *, shape: StackShape = REFERENCE) -> None:
    """The cluster was made here, or its namespace allows faults by a label. ClusterError if not."""
    if cluster.owned:
        return
    label = opt_in.LABEL.replace(".", r"\.")
    words = (
        "get",
        "namespace",
        shape.namespace,
        "--ignore-not-found",
        "--output",
        f"jsonpath={{.metadata.labels.{label}}}",
    )
    if _kubectl(cluster, *words) != "true":
        raise ClusterError(
            f"context {cluster.context} has not opted in to faults: {opt_in.how(shape.namespace)} "
            "(and creates it first if absent)"
        )


def _apply(
    cluster: Cluster,
    folder: Path,
    *options: str,
    tags: Mapping[str, str] | None = None,
    secret: Mapping[str, Any] | None = None,
) -> list[str]:
    """Names of the objects of a folder, applied with the tags of our images and a Secret put in."""
    # The stack's one field manager: what it set before and does not set now is removed.
    words = ("apply", "--server-side", "--force-conflicts", "--field-manager", "sealegs", "--output", "name")
    with tempfile.TemporaryDirectory() as temporary:
        generated = Path(temporary).resolve()
        # JSON is YAML.
        resources = [os.path.relpath(folder, generated)]
        if secret is not None:
            (generated / "secret.yaml").write_text(json.dumps(secret))
            resources.append("secret.yaml")
        split = {name: reference.rsplit(":", 1) for name, reference in (tags or {}).items()}
        renamed = [{"name": name, "newName": new, "newTag": tag} for name, (new, tag) in split.items()]
        text = json.dumps({"resources": resources, "images": renamed})
        (generated / "kustomization.yaml").write_text(text)
        return _kubectl(cluster, *words, *options, "--kustomize", str(generated)).split()


def _prune(cluster: Cluster, shape: StackShape, *, keep: Sequence[str]) -> None:
    """What carries the stack's labels and was not applied now is gone."""
    if not shape.selector:
        return
    # kubectl's own --prune does not know objects of server-side apply.
    there = _kubectl(cluster, "get", KINDS, "--output", "name", *_ours(shape)).split()
    if leftover := set(there) - set(keep):
        _kubectl(cluster, "delete", "--namespace", shape.namespace, *sorted(leftover))


def _settled(cluster: Cluster, shape: StackShape, *, timeout_s: float) -> Sequence[Mapping[str, Any]]:
    """The stack's pods once nothing is missing, left over or out of date and the gateway answers."""
    key = api_key(cluster, shape=shape)
    seen: list[Mapping[str, Any]] = []

    def problems() -> list[str]:
        seen[:] = _objects(cluster, shape)
        found = [*rollout.absent(seen, shape), *rollout.problems(seen)] or list(_unanswered(cluster, key))
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


def _objects(cluster: Cluster, shape: StackShape) -> list[Mapping[str, Any]]:
    """Deployments, pods and budgets of a stack; where it has no label of its own, those of its parts."""
    kinds = "deployments,pods,poddisruptionbudgets"
    listed = _kubectl(cluster, "get", kinds, "--output", "json", *_ours(shape))
    items: list[Mapping[str, Any]] = json.loads(listed)["items"]
    return [one for one in items if shape.selector or rollout.app_of(one, shape) in shape.parts]


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
