"""The objects that load in the cluster consists of, as text for kubectl: ``stack/load`` filled in."""

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from sealegs.cluster import Cluster
from sealegs.cluster.places import STACK

NAMESPACE = "sealegs-load"
# What the runner calls in a pod.
PROGRAM = ("python3", "-m", "sealegs.traffic.pod")
MASTER = "load-master"
# What a cluster that is not ours pulls: its operator has put it where the nodes find it.
IMAGE = f"sealegs/load:{version('sealegs')}"
# Two cores carry everything of the cluster made here, with room for three workers; elsewhere each worker has
# one to itself. The master only counts.
CPU_OWN, CPU, CPU_MASTER = "250m", "1", "200m"


def text_of(
    cluster: Cluster, *, image: str, api_key: str, workers: int, nodes: Sequence[str], limit_s: float
) -> str:
    """Everything, in the order to make it in: the namespace, the key, Locust's master, its workers.

    Pods go to `nodes` only, and end by themselves after `limit_s` seconds.
    """
    common = {
        "IMAGE": image,
        "LIMIT_S": f"{limit_s:.0f}",
        "NODES": json.dumps([_on(node) for node in nodes]),
    }
    cpu = CPU_OWN if cluster.owned else CPU
    leader, *others = names(workers)
    # Locust's master has no share, and a number does not hurt it.
    pods = [{"NAME": leader, "WORKER": "0", "CPU": CPU_MASTER}]
    pods += [{"NAME": name, "WORKER": f"{number}", "CPU": cpu} for number, name in enumerate(others)]
    template = (STACK / "load" / "pod.yaml").read_text()
    parts = [
        (STACK / "load" / "namespace.yaml").read_text(),
        json.dumps(_secret(api_key)),
        *(_filled(template, common | pod) for pod in pods),
    ]
    return "\n---\n".join(parts)


def names(workers: int) -> Iterator[str]:
    """Names of the pods: the master's, then those of the workers in the order of their shares."""
    yield MASTER
    yield from (f"load-worker-{number}" for number in range(workers))


def _filled(template: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        template = template.replace(f"@{name}@", value)
    return template


def _on(node: str) -> dict[str, Any]:
    """The affinity's term for one node; the API takes one name a term."""
    return {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}


def _secret(api_key: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "api-key", "namespace": NAMESPACE},
        "stringData": {"api-key": api_key},
    }
