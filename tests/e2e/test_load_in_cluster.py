"""Load in the cluster under test: apart from the fault, on the runner's clock, and gone afterwards."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sealegs import stack
from sealegs.cluster import Cluster, ask, images
from sealegs.evidence import RUNS, open_undos, read_json, read_lines, run_dirs
from sealegs.load_pods.objects import NAMESPACE
from sealegs.waiting import wait_until

pytestmark = pytest.mark.proof

ROOT = Path(__file__).parents[2]
SEALEGS = Path(sys.executable).parent / "sealegs"
BEGIN_LIMIT_S, END_LIMIT_S = 300.0, 600.0
QUICK = {"warmup_s": 3, "baseline_s": 15, "fault_s_max": 75, "recovery_s": 15}


def own_root(folder: Path) -> Path:
    """A folder like the repository's with one scenario: the drain, quickly, its load in two pods."""
    (folder / "scenarios").mkdir()
    for name in ("experiments", "locustfiles"):
        (folder / name).symlink_to(ROOT / name)
    text = (ROOT / "scenarios" / "gpu-node-drain.toml").read_text()
    changes = {**QUICK, "target": 0.9, "rate_rps": 6, "processes": 2}
    for name, value in changes.items():
        # The budget's target is of another kind: with 90 % it would be too large for a run to spend.
        text = re.sub(rf"^{name} = (?!0\.999$).*$", f"{name} = {value}", text, flags=re.MULTILINE)
    text = text.replace("[traffic]\n", '[traffic]\nwhere = "cluster"\n', 1)
    (folder / "scenarios" / "in-cluster.toml").write_text(text)
    return folder


def start(root: Path) -> subprocess.Popen[bytes]:
    """A run of the root's scenario, going on."""
    with (root / "log").open("wb") as out:
        return subprocess.Popen(
            [SEALEGS, "run", "scenarios/in-cluster.toml"], cwd=root, stdout=out, stderr=out
        )


def the_run(root: Path) -> Path:
    """The folder of the only run under a root."""
    (found,) = run_dirs(root)
    return found


def rows(run_dir: Path) -> int:
    """How many requests have ended in what is here of a run's evidence."""
    return len(read_lines(run_dir / "requests.jsonl").records)


def wait_for_rows(root: Path, runner: subprocess.Popen[bytes], *, least: int) -> None:
    """Return when so many requests have ended, while the run goes on."""
    wait_until(
        lambda: sum(map(rows, (root / RUNS).glob("*"))),
        ready=lambda count: count >= least,
        error=lambda _: runner.poll() is not None,
        limit_s=BEGIN_LIMIT_S,
        every_s=0.2,
        what=f"{least} requests to end",
    )


def verdict_of(run_dir: Path) -> dict[str, Any]:
    """A run's verdict."""
    verdict: dict[str, Any] = json.loads((run_dir / "verdict.json").read_text())
    return verdict


def load_processes(node: str, words: str) -> list[str]:
    """Process numbers, on this machine, of the programs on a node whose command line holds these words."""
    listed = subprocess.run(
        ["docker", "top", node, "-eo", "pid,args"], capture_output=True, text=True, check=True
    )
    return [line.split()[0] for line in listed.stdout.splitlines() if words in line]


@pytest.mark.core
def test_load_runs_apart_and_on_the_runners_clock(cluster: Cluster, tmp_path: Path) -> None:
    """Pods send everything that was planned, none on the fault's node, and times are the runner's.

    The nodes are containers of this machine: their clocks truly are the runner's, so the measured offset must
    lie within its own uncertainty of zero.
    """
    root = own_root(tmp_path)
    with start(root) as runner:
        runner.wait(END_LIMIT_S)
    run_dir = the_run(root)
    timeline = read_lines(run_dir / "timeline.jsonl").records
    summary = read_json(run_dir / "load-summary.json")
    nodes = {one["name"]: one["node"] for one in timeline if one["kind"] == "load_pod"}
    targets = {one["target"]["node"] for one in timeline if one["kind"] == "fault"}
    checks = {one["name"]: one["ok"] for one in verdict_of(run_dir)["validity"]["checks"]}

    assert [one for one in timeline if one["kind"] == "error"] == [], (root / "log").read_text()
    assert set(nodes) == {"load-master", "load-worker-0", "load-worker-1"}
    assert targets
    assert not targets & set(nodes.values())
    assert summary is not None
    assert summary["planned"] > 300
    assert {one["name"] for one in summary["pods"]} == set(nodes)
    for pod in summary["pods"]:
        assert abs(pod["clock_offset_s"]) <= pod["clock_uncertainty_s"] < 0.05
        assert abs(pod["clock_drift_s"]) < 0.1
    assert all(checks[name] for name in ("load-ended", "planned-sent", "counts-reconcile", "sent-early"))
    assert open_undos(run_dir) == ()
    assert not ask(cluster, "get", "namespace", NAMESPACE, "--ignore-not-found")
    key = stack.api_key(cluster).encode()
    assert not [path for path in run_dir.rglob("*") if path.is_file() and key in path.read_bytes()]


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("sealegs.traffic.pod keep", r"was lost: it was killed"),
        ("-m locust", r"load process 1 was killed by SIGKILL before its schedule was sent"),
    ],
    ids=["pod", "locust"],
)
def test_a_killed_worker_is_a_hole_and_named(
    cluster: Cluster, tmp_path: Path, *, program: str, told: str
) -> None:
    """After kill -9 of a worker, or of its pod's first process, what it had told stands, the rest is a hole.

    The verdict names the pod and its node.
    """
    root = own_root(tmp_path)
    with start(root) as runner:
        wait_for_rows(root, runner, least=30)
        pod = json.loads(ask(cluster, "get", "pod", "load-worker-1", "-n", NAMESPACE, "-o", "json"))
        node, uid = pod["spec"]["nodeName"], pod["metadata"]["uid"]
        (victim,) = [
            pid
            for pid in load_processes(node, program)
            if uid in Path(f"/proc/{pid}/cgroup").read_text().replace("_", "-")
        ]
        os.kill(int(victim), signal.SIGKILL)
        runner.wait(END_LIMIT_S)
    verdict = verdict_of(the_run(root))
    (why,) = [reason for reason in verdict["reasons"] if reason.startswith("errors of the suite")]

    assert verdict["verdict"] == "INVALID"
    assert re.search(rf"load pod load-worker-1 on node {node}.*{told}", why)
    assert verdict["counts"]["holes"] > 0
    assert verdict["counts"]["ok"] >= 20
    assert not ask(cluster, "get", "namespace", NAMESPACE, "--ignore-not-found")


def test_a_killed_runner_leaves_no_load(cluster: Cluster, tmp_path: Path) -> None:
    """After kill -9 of the runner the pods end by themselves, and `sealegs heal` removes what is left."""
    root = own_root(tmp_path)
    with start(root) as runner:
        wait_for_rows(root, runner, least=10)
        runner.kill()
    wait_until(
        lambda: [load_processes(node, "locust") for node in images.nodes(cluster.name)],
        ready=lambda found: not any(found),
        limit_s=60,
        every_s=0.5,
        what="Locust to end by itself",
    )
    left = ask(cluster, "get", "namespace", NAMESPACE, "--ignore-not-found")
    healed = subprocess.run([SEALEGS, "heal"], cwd=root, capture_output=True, text=True, check=False)

    assert left, "nothing was left to heal"
    assert healed.returncode == 0, healed.stderr
    assert f"removed namespace {NAMESPACE}" in healed.stdout
    assert not ask(cluster, "get", "namespace", NAMESPACE, "--ignore-not-found")
    assert verdict_of(the_run(root))["verdict"] == "INVALID"
