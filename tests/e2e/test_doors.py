"""The other doors: `chaos run` as a person types it, and a runner that is killed in the middle."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sealegs import stack
from sealegs.cluster import Cluster, ask, images, kind
from sealegs.evidence import RUNS, read_json, read_lines, run_dirs
from sealegs.kube import opt_in
from sealegs.waiting import wait_until

pytestmark = [pytest.mark.proof, pytest.mark.core]

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
BEGIN_LIMIT_S, END_LIMIT_S = 240.0, 600.0
QUICK = {"warmup_s": 3, "baseline_s": 15, "fault_s_max": 60, "recovery_s": 15}


def own_root(folder: Path, *, phases: Mapping[str, int], targets: float | None = None) -> Path:
    """A folder like the repository's with one scenario, of these phases; its runs stay in it."""
    (folder / "scenarios").mkdir()
    for name in ("experiments", "locustfiles"):
        (folder / name).symlink_to(ROOT / name)
    text = (ROOT / "scenarios" / "gpu-node-drain.toml").read_text()
    for name, seconds in phases.items():
        text = re.sub(rf"^{name} = .*$", f"{name} = {seconds}", text, flags=re.MULTILINE)
    if targets is not None:
        # The budget's target is of another kind: with 90 % it would be too large for a run to spend.
        text = re.sub(r"^target = (?!0\.999$).*$", f"target = {targets}", text, flags=re.MULTILINE)
    (folder / "scenarios" / "gpu-node-drain.toml").write_text(text)
    return folder


def the_run(root: Path) -> Path:
    """The folder of the only run under a root."""
    (found,) = run_dirs(root)
    return found


@contextmanager
def started(*words: str | Path, cwd: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program at work; killed, should it outlive the block."""
    with log.open("wb") as out, subprocess.Popen(words, cwd=cwd, stdout=out, stderr=out) as process:
        try:
            yield process
        finally:
            process.kill()


def test_chaos_run_reaches_the_same_verdict(cluster: Cluster, tmp_path: Path) -> None:
    """`chaos run` opens, judges and closes a run of its own; its status and exit code are the verdict's."""
    del cluster
    root = own_root(tmp_path, phases=QUICK, targets=0.9)
    words: list[str | Path] = [BIN / "chaos", "--no-version-check", "run", "experiments/gpu-node-drain.json"]
    with started(*words, cwd=root, log=tmp_path / "log") as chaos:
        code = chaos.wait(END_LIMIT_S)
    said = (tmp_path / "log").read_text()
    run_dir = the_run(root)
    verdict = json.loads((run_dir / "verdict.json").read_text())
    journal = json.loads((root / "journal.json").read_text())

    assert (code, verdict["verdict"], journal["status"]) == (0, "PASS", "completed"), said
    assert (run_dir / "report.html").is_file()
    assert "PASS" in said
    assert read_json(run_dir / "run.json")["door"] == "chaos"  # type: ignore[index]


def test_a_killed_runner_is_healed(cluster: Cluster, tmp_path: Path) -> None:
    """After kill -9 during the drain, `sealegs heal` uncordons, leaves nothing, and judges what there is."""
    root = own_root(tmp_path, phases=QUICK, targets=0.9)
    sealegs = BIN / "sealegs"
    words: list[str | Path] = [sealegs, "run", "scenarios/gpu-node-drain.toml"]
    with started(*words, cwd=root, log=tmp_path / "log") as runner:
        wait_until(
            lambda: list(_states(root)),
            ready=lambda states: "injected" in states,
            error=lambda _: runner.poll() is not None,
            limit_s=BEGIN_LIMIT_S,
            every_s=0.1,
            what="the drain to begin",
        )
        wait_until(
            lambda: _cordoned(cluster), ready=bool, limit_s=20, every_s=0.1, what="a node to be cordoned"
        )
        os.kill(runner.pid, signal.SIGKILL)
        runner.wait()
    wait_until(
        lambda: _working_for(root),
        ready=lambda pids: not pids,
        limit_s=20,
        every_s=0.2,
        what="the runner's children to end",
    )
    cordoned = _cordoned(cluster)
    healed = subprocess.run([sealegs, "heal"], cwd=root, capture_output=True, text=True, check=False)
    verdict = json.loads((the_run(root) / "verdict.json").read_text())

    assert cordoned, "nothing was left to heal: the kill came too late"
    assert healed.returncode == 0, healed.stderr
    assert _cordoned(cluster) == []
    assert not ask(cluster, "get", "lease", "sealegs-run", "--ignore-not-found")
    assert images.unfinished() == []
    assert len(kind.nodes()) == 4
    assert verdict["verdict"] == "INVALID"
    assert any("run did not finish: last phase fault" in reason for reason in verdict["reasons"])
    assert verdict["counts"]["ok"] > 50
    assert (the_run(root) / "report.html").is_file()
    again = subprocess.run([sealegs, "heal"], cwd=root, capture_output=True, text=True, check=False)
    assert "nothing to heal" in again.stdout


def test_a_cluster_that_has_not_opted_in_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    """Without the namespace's label nothing is begun: exit 5, the command that opts in, no run folder."""
    root = own_root(tmp_path, phases=QUICK, targets=0.9)
    words = ["run", "scenarios/gpu-node-drain.toml", "--context", cluster.context]
    ask(cluster, "label", "namespace", stack.NAMESPACE, f"{opt_in.LABEL}-")
    try:
        refused = subprocess.run(
            [BIN / "sealegs", *words],
            cwd=root,
            env=os.environ | {"KUBECONFIG": str(cluster.kubeconfig)},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        ask(cluster, "label", "--overwrite", "namespace", stack.NAMESPACE, f"{opt_in.LABEL}=true")

    assert refused.returncode == 5
    assert "kubectl label namespace llm-production sealegs/allow-faults=true" in refused.stderr
    assert list(run_dirs(root)) == []


def test_the_gpu_overlay_is_accepted(cluster: Cluster) -> None:
    """The API server and its webhooks would take the overlay for real GPUs as it stands."""
    stack.check(cluster, overlay="gpu")


def _states(root: Path) -> Iterator[str]:
    """States that the fault of the only run has reached."""
    for run_dir in (root / RUNS).glob("*"):
        for record in read_lines(run_dir / "timeline.jsonl").records:
            if record["kind"] == "fault":
                yield record["state"]


def _cordoned(cluster: Cluster) -> list[str]:
    """Nodes that take no pods."""
    nodes: list[dict[str, Any]] = json.loads(ask(cluster, "get", "nodes", "--output=json"))["items"]
    return [one["metadata"]["name"] for one in nodes if one["spec"].get("unschedulable")]


def _working_for(root: Path) -> list[int]:
    """Processes that work in a run's folder."""
    folders = {path.resolve() for path in (root / RUNS).glob("*")}
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve() in folders:
                found.append(int(process.name))
        except (PermissionError, FileNotFoundError):
            continue
    return found
