"""From nothing to a cluster with a mesh and GPUs, and back: each step made once and kept."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sealegs.cluster import (
    Cluster,
    ask,
    connect,
    device_plugin,
    docker,
    golang,
    images,
    istio,
    kind,
    monitoring,
    node_image,
    own,
)
from sealegs.cluster.cache import cache_dir, digest, lock, log_path, require_disk
from sealegs.cluster.places import HERE
from sealegs.cluster.progress import Progress
from sealegs.errors import ClusterError
from sealegs.evidence import read_json, write_json
from sealegs.waiting import wait_until

AGAIN_LIMIT_S = 45.0
NODES = 4
# Seconds that each step adds to a cold `up` on two cores, compiling side by side; see docs/benchmarks.md.
DOCKER, ROOTS, NODE_IMAGE, NODES_UP, MESH, GPUS, MONITORING = (
    "docker",
    "debian roots",
    "node image",
    "nodes",
    "istio",
    "gpus",
    "monitoring",
)
COLD_S = {
    DOCKER: 20.0,
    "compile kubernetes": 340.0,
    "compile kind": 15.0,
    "compile storage": 50.0,
    "compile coredns": 80.0,
    "compile istio": 330.0,
    "compile metrics-server": 110.0,
    "compile prometheus": 100.0,
    "compile prometheus-operator": 100.0,
    "compile prometheus-adapter": 190.0,
    "compile kube-state-metrics": 100.0,
    ROOTS: 90.0,
    NODE_IMAGE: 60.0,
    NODES_UP: 30.0,
    MESH: 20.0,
    GPUS: 15.0,
    MONITORING: 60.0,
}
COMPILERS = 2
# What has to be ready for the cluster to serve.
WATCHED = (
    ("nodes",),
    ("deployments", "--namespace=istio-system"),
    ("deployments", f"--namespace={monitoring.NAMESPACE}"),
    ("prometheuses", f"--namespace={monitoring.NAMESPACE}"),
)
# What a stock node image has in it.
NODE_FAMILIES = frozenset({"kubernetes", "storage", "coredns"})


def up(*, stock_image: str | None = None) -> tuple[Cluster, float]:
    """Our cluster runs, and how many seconds that took: at once when it ran already.

    Args:
        stock_image: a ``kindest/node`` image to use instead of making one.

    Raises:
        ClusterError: something is missing here or failed; nothing half-made is left running.
        TimeoutError: something was not ready in time; likewise.
    """
    require_disk()
    made_from = digest([HERE, Path(__file__).parent, stock_image or ""])
    progress = Progress({})
    with lock():
        if _stands(made_from):
            # Rules change more often than clusters.
            monitoring.watch(kubeconfig=kind.kubeconfig())
            return own(), progress.took_s
        golang.require_go()
        progress.estimates_s = _estimates_s(stock_image)
        with progress.shown():
            with progress.step(DOCKER):
                docker.ensure(log=log_path("docker"))
            kind.delete()
            _make(progress, stock_image=stock_image)
        write_json(_marker(), {"made_from": made_from})
    return own(), progress.took_s


def down() -> None:
    """No node, network, mount or daemon of ours is left; what was built stays in the cache."""
    with lock():
        _marker().unlink(missing_ok=True)
        if docker.answers():
            kind.delete()
        docker.stop()


def status() -> Sequence[tuple[str, str]]:
    """What there is of our cluster: names and values for people.

    Raises:
        ClusterError: there is none, or it does not answer.
    """
    cluster = connect()
    columns = "custom-columns=N:.metadata.name,V:.status.nodeInfo.kubeletVersion"
    listed = ask(cluster, "get", "nodes", "--no-headers", f"--output={columns}")
    rows = [line.split() for line in listed.splitlines()]
    gpus = device_plugin.allocatable(cluster.kubeconfig)
    problems = _problems(cluster)
    return (
        ("cluster", cluster.name),
        ("context", f"{cluster.context} in {cluster.kubeconfig}"),
        ("gateway", cluster.gateway_url),
        ("nodes", ", ".join(f"{name} {version}" for name, version in rows)),
        ("gpus", ", ".join(f"{node} {count}" for node, count in gpus.items())),
        ("state", "; ".join(problems) or "ready"),
    )


def _make(progress: Progress, *, stock_image: str | None) -> None:
    """Everything after Docker."""
    binaries = programs(progress, stock_image=stock_image)
    with progress.step(NODE_IMAGE):
        preload = {**istio.preload(binaries), **monitoring.preload(binaries)}
        gpus = device_plugin.image()
        image = stock_image or node_image.ensure(binaries, preload={**preload, gpus: gpus})
    complete = False
    try:
        with progress.step(NODES_UP):
            kind.create(image, binary=binaries["kind"] / "kind")
        with progress.step(MESH):
            if stock_image:
                images.load_as(kind.NAME, preload)
            istio.install(binary=binaries["istio"] / "istioctl", kubeconfig=kind.kubeconfig())
        with progress.step(GPUS):
            device_plugin.install(kubeconfig=kind.kubeconfig(), log=log_path("device-plugin"))
        with progress.step(MONITORING):
            monitoring.install(binaries, kubeconfig=kind.kubeconfig())
        complete = True
    finally:
        if not complete and docker.answers():
            kind.delete()


def programs(progress: Progress, *, stock_image: str | None) -> Mapping[str, Path]:
    """Family → folder of its programs. Two families compile at a time, beside the Debian roots."""
    needed = [family for family in golang.FAMILIES if not (stock_image and family in NODE_FAMILIES)]

    def compile_family(family: str) -> Path:
        with progress.step(f"compile {family}"):
            return golang.build(family)

    def make_roots() -> None:
        with progress.step(ROOTS):
            images.slim()
            if not stock_image:
                images.root("node")

    with ThreadPoolExecutor(1) as beside, ThreadPoolExecutor(COMPILERS) as compilers:
        roots = beside.submit(make_roots)
        built = dict(zip(needed, compilers.map(compile_family, needed), strict=True))
        roots.result()
    return built


def _estimates_s(stock_image: str | None) -> dict[str, float]:
    """What is still to do and how long it may take."""
    made = {f"compile {family}" for family in golang.FAMILIES if golang.is_built(family)}
    if docker.answers():
        made.add(DOCKER)
        if all(images.exists(images.root_reference(name)) for name in ("slim", "node")):
            made.add(ROOTS)
    if stock_image:
        made |= {NODE_IMAGE, *(f"compile {family}" for family in NODE_FAMILIES)}
    return {name: cold_s for name, cold_s in COLD_S.items() if name not in made}


def _stands(made_from: str) -> bool:
    """Whether the cluster made from exactly these inputs is there and serves."""
    marker = read_json(_marker()) or {}
    if marker.get("made_from") != made_from or not docker.answers() or len(kind.nodes()) != NODES:
        return False
    try:
        wait_until(
            lambda: _problems(own()),
            ready=lambda problems: not problems,
            limit_s=AGAIN_LIMIT_S,
            every_s=1.0,
            what="the cluster that is there to be ready",
        )
    except TimeoutError:
        return False
    return True


def _problems(cluster: Cluster) -> list[str]:
    """What keeps a cluster that is there from serving."""
    try:
        things = [
            thing
            for words in WATCHED
            for thing in json.loads(ask(cluster, "get", *words, "--output=json"))["items"]
        ]
    except ClusterError as silent:
        return [str(silent)]
    return [
        f"{one['kind'].lower()} {one['metadata']['name']} is not ready"
        for one in things
        if not any(
            condition["type"] in {"Ready", "Available"} and condition["status"] == "True"
            for condition in one["status"].get("conditions", [])
        )
    ]


def _marker() -> Path:
    return cache_dir() / "cluster.json"
