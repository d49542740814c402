"""Whether whoever owns a namespace allows faults in it: a label says so."""

from sealegs.kube import reads
from sealegs.kube.api import Api

LABEL = "sealegs/allow-faults"


def opted_in(api: Api, namespace: str) -> bool:
    """Whether faults may touch a namespace of a cluster that was not made here."""
    return reads.namespace_labels(api, namespace).get(LABEL) == "true"


def how(namespace: str) -> str:
    """What its owner does to allow them."""
    return f"whoever owns it runs `kubectl label namespace {namespace} {LABEL}=true`"
