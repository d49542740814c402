"""Who a run is: the document ``run.json``, written before anything happens."""

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sealegs.cluster import Cluster
from sealegs.evidence import SCHEMA
from sealegs.kube import reads
from sealegs.kube.api import Api
from sealegs.scenario import Scenario
from sealegs.stack import StackFacts

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PID_NAMESPACE = Path("/proc/self/ns/pid")
DEAD = frozenset("ZX")
LIBRARIES = ("sealegs", "locust", "chaostoolkit", "chaostoolkit-lib", "chaostoolkit-kubernetes", "kubernetes")


def identify(
    scenario: Scenario,
    cluster: Cluster,
    api: Api,
    *,
    run_id: str,
    started: datetime,
    zero_ns: int,
    root: Path,
    door: str,
) -> dict[str, Any]:
    """Everything that is known of a run before its stack is applied; `with_stack` adds the rest."""
    return {
        "schema": SCHEMA,
        "run_id": run_id,
        "scenario": scenario.name,
        "mutant": scenario.stack_mutant,
        "seed": scenario.seed,
        "started_at": started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "started_monotonic_ns": zero_ns,
        "boot_id": boot_id(),
        "pid_namespace": pid_namespace(),
        "pid": os.getpid(),
        "pid_started": process_started(os.getpid()),
        **_commit(root),
        "versions": {
            **{name: version(name) for name in LIBRARIES},
            "python": platform.python_version(),
            "kubernetes-server": reads.server_version(api),
            "istio": reads.image_tag(api, namespace="istio-system", deployment="istiod"),
        },
        "nodes": [
            {"name": one.name, "zone": one.zone, "gpus": one.gpus, "kubelet": one.kubelet}
            for one in reads.nodes(api)
        ],
        "namespace": api.shape.namespace,
        "stack": api.shape.document,
        "cluster": {
            "name": cluster.name,
            "context": cluster.context,
            "kubeconfig": _from_home(cluster.kubeconfig),
            "gateway_url": cluster.gateway_url,
            "owned": cluster.owned,
        },
        "command": _command(scenario, cluster, root),
        "door": door,
    }


def with_stack(document: Mapping[str, Any], stack: StackFacts) -> dict[str, Any]:
    """The document with what was found of the stack."""
    return {**document, "images": dict(stack.images), "sidecar_mode": stack.sidecar_mode}


def boot_id() -> str:
    """Which start of this machine it is: process numbers and monotonic clocks mean nothing beyond it."""
    return BOOT_ID.read_text().strip()


def pid_namespace() -> str:
    """Among which processes a process number is one: a container has its own."""
    return str(PID_NAMESPACE.readlink())


def process_started(pid: int) -> str | None:
    """When a process began, in the kernel's own count; None when none of that number lives.

    One that was killed and that nobody has collected, as happens in a container without an init, is dead.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in DEAD else fields[19]


def is_here(document: Mapping[str, Any]) -> bool:
    """Whether a run was begun on this start of this machine, among these processes: others cannot be seen.

    A run that did not note its PID namespace, as older ones did not, is of this one.
    """
    namespace = document.get("pid_namespace")
    return document.get("boot_id") == boot_id() and namespace in {None, pid_namespace()}


def is_running(document: Mapping[str, Any]) -> bool:
    """Whether the process that began a run lives here: a number may be used again, its start is not."""
    if not is_here(document):
        return False
    started = process_started(int(document["pid"]))
    return started is not None and started == document.get("pid_started")


def _command(scenario: Scenario, cluster: Cluster, root: Path) -> str:
    """What repeats the run."""
    path = scenario.path.resolve()
    named = path.relative_to(root) if path.is_relative_to(root) else path
    where = "" if cluster.owned else f" --context {cluster.context}"
    planted = f" --mutant {scenario.stack_mutant}" if scenario.mutant_file else ""
    return f"sealegs run {named}{planted}{where}"


def _from_home(path: Path) -> str:
    """A path as it can be shown to others: who works where is not theirs to know."""
    path = path.resolve()
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


def _commit(root: Path) -> dict[str, Any]:
    """The commit that is checked out, and whether there are changes on it; None outside a repository."""
    if shutil.which("git") is None:
        return {"commit": None, "dirty": None}
    said = [
        subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, check=False)
        for words in (("rev-parse", "HEAD"), ("status", "--porcelain"))
    ]
    if any(one.returncode for one in said):
        return {"commit": None, "dirty": None}
    return {"commit": said[0].stdout.strip(), "dirty": bool(said[1].stdout.strip())}
