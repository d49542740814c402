"""The GPUs of the GPU pool: a real device plugin that registers simulated devices with each kubelet."""

import json
from pathlib import Path

from sealegs.cluster import images, kind
from sealegs.cluster.command import output, run
from sealegs.cluster.places import HERE, kubectl
from sealegs.waiting import wait_until

RESOURCE = "nvidia.com/gpu"
GPUS_PER_NODE = 2
READY_LIMIT_S = 120


def image() -> str:
    """Reference of the plugin's image, built now or before."""
    context = HERE / "device-plugin"
    return images.build("device-plugin", context, files={"site": images.wheels(context / "requirements.txt")})


def install(*, kubeconfig: Path, log: Path) -> None:
    """Every node of the GPU pool has its GPUs to give.

    Raises:
        ClusterError: the manifest was refused.
        TimeoutError: a node's kubelet does not count them; says which and what it counts.
    """
    reference = image()
    images.load(kind.NAME, [reference])
    manifest = (HERE / "device-plugin" / "manifest.yaml").read_text().replace("@DEVICE_PLUGIN@", reference)
    apply = ["apply", "--server-side", "--force-conflicts", "--filename", "-"]
    run([kubectl(), "--kubeconfig", kubeconfig, *apply], log=log, stdin=manifest.encode())
    wait_until(
        lambda: allocatable(kubeconfig),
        ready=lambda gpus: gpus and all(count == GPUS_PER_NODE for count in gpus.values()),
        limit_s=READY_LIMIT_S,
        every_s=0.5,
        what=f"{GPUS_PER_NODE} {RESOURCE} on every node of the GPU pool",
    )


def allocatable(kubeconfig: Path) -> dict[str, int]:
    """Node of the GPU pool → GPUs that its kubelet can give."""
    listed = output(
        [kubectl(), "--kubeconfig", kubeconfig, "get", "nodes", "--selector", "pool=gpu", "--output", "json"]
    )
    return {
        node["metadata"]["name"]: int(node["status"]["allocatable"].get(RESOURCE, 0))
        for node in json.loads(listed)["items"]
    }
