"""What load in the cluster leaves there: one namespace, made by us, removed with everything in it."""

from sealegs.errors import ClusterError
from sealegs.evidence import Undo
from sealegs.kube import acts, reads
from sealegs.kube.api import Api
from sealegs.load_pods.objects import NAMESPACE
from sealegs.waiting import wait_until

FAULT = "load_pods"
REMOVE = "remove"
OURS = ("app.kubernetes.io/managed-by", "sealegs")
GONE_LIMIT_S = 60.0
LOOK_EVERY_S = 0.5


def clear(api: Api) -> bool:
    """No load pod is left in the cluster, whoever's run it was of; says whether there was something.

    Raises:
        ClusterError: a namespace of that name is somebody else's, or the API server refused.
        TimeoutError: it did not go.
    """
    name, value = OURS
    labels = reads.namespace_labels(api, NAMESPACE)
    if not labels:
        return False
    if labels.get(name) != value:
        raise ClusterError(
            f"{api.where}: namespace {NAMESPACE} was not made by this suite: remove or rename it"
        )
    acts.delete_namespace(api, NAMESPACE)
    wait_until(
        lambda: dict(reads.namespace_labels(api, NAMESPACE)),
        ready=lambda labels: not labels,
        limit_s=GONE_LIMIT_S,
        every_s=LOOK_EVERY_S,
        what=f"namespace {NAMESPACE} to be gone",
    )
    return True


def undo_one(api: Api, undo: Undo) -> str:
    """Remove what a run left, as its journal says; says what was done. Safe to repeat."""
    if undo.action != REMOVE:
        raise ClusterError(f"undo {undo.id}: nobody here knows how to {undo.action!r}")
    return f"removed namespace {NAMESPACE}" if clear(api) else f"namespace {NAMESPACE} was gone already"
