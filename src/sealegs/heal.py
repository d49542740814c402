"""After a runner was killed: what it had begun is undone, and what it had recorded is judged."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sealegs import evidence, identity, load_pods, tables
from sealegs.active import open_run_of
from sealegs.errors import ClusterError, ScenarioError
from sealegs.faults import (
    apiserver_down,
    config_change,
    container_kill,
    deployment_down,
    device_unhealthy,
    engine_answers,
    engine_hang,
    engine_oom,
    gateway_kill,
    model_load,
    network_cut,
    node_drain,
    node_loss,
    pod_delete,
    pod_kill,
    rolling_update,
)
from sealegs.judge import judge
from sealegs.kube import lease
from sealegs.kube.api import Api
from sealegs.verdict import Verdict

FAULTS = {
    node_drain.FAULT: node_drain.undo_one,
    node_loss.FAULT: node_loss.undo_one,
    pod_kill.FAULT: pod_kill.undo_one,
    pod_delete.FAULT: pod_delete.undo_one,
    container_kill.FAULT: container_kill.undo_one,
    rolling_update.FAULT: rolling_update.undo_one,
    config_change.FAULT: config_change.undo_one,
    engine_answers.FAULT: engine_answers.undo_one,
    engine_hang.FAULT: engine_hang.undo_one,
    engine_oom.FAULT: engine_oom.undo_one,
    model_load.FAULT: model_load.undo_one,
    device_unhealthy.FAULT: device_unhealthy.undo_one,
    apiserver_down.FAULT: apiserver_down.undo_one,
    deployment_down.FAULT: deployment_down.undo_one,
    gateway_kill.FAULT: gateway_kill.undo_one,
    network_cut.FAULT: network_cut.undo_one,
    load_pods.FAULT: load_pods.undo_one,
}


@dataclass(frozen=True, kw_only=True)
class Healed:
    """A run that was left lying.

    Attributes:
        run_dir: its folder.
        undone: what was undone for it.
        verdict: how it was judged; None when too little is left to judge, as `problems` say.
        problems: what keeps it from being judged.
    """

    run_dir: Path
    undone: tuple[str, ...]
    verdict: Verdict | None
    problems: tuple[str, ...] = ()


def heal(root: Path) -> Iterator[Healed]:
    """Undo and judge every run under ``root/reports/runs`` whose runner is gone before its verdict.

    Safe to repeat: a run that has been healed is not touched again.

    Raises:
        ClusterError: a cluster that has something to undo does not answer; what was healed before stays.
    """
    for run_dir in evidence.run_dirs(root):
        run = evidence.read_json(run_dir / "run.json")
        if run is None or identity.is_running(run):
            continue
        if not evidence.open_undos(run_dir) and (run_dir / "verdict.json").exists():
            continue
        undone = tuple(_leave_cluster(run_dir, same_boot=run["boot_id"] == identity.boot_id()))
        tables.close_tables(run_dir)
        verdict: Verdict | None = None
        problems: tuple[str, ...] = ()
        try:
            verdict = judge(run_dir)
        except ScenarioError as unread:
            # One folder that cannot be judged, killed in its first moments, must not keep others from it.
            problems = unread.problems
        yield Healed(run_dir=run_dir, undone=undone, verdict=verdict, problems=problems)


def undo_all(api: Api, run_dir: Path) -> Iterator[str]:
    """Do every undo that is open, the newest first, and say what was done.

    Raises:
        ClusterError: the cluster does not answer or refused; what was not done stays open.
    """
    for undo in evidence.open_undos(run_dir):
        if undo.fault not in FAULTS:
            raise ClusterError(f"{run_dir / 'undo.jsonl'}: nobody here knows the fault {undo.fault!r}")
        told = FAULTS[undo.fault](api, undo)
        evidence.mark_undone(run_dir, undo.id)
        yield told


def _leave_cluster(run_dir: Path, *, same_boot: bool) -> Iterator[str]:
    """Undo what is open, give back the Lease, and say what was undone.

    Raises:
        ClusterError: something is open and the cluster does not answer, or refused.
    """
    try:
        with open_run_of(run_dir) as active:
            for told in undo_all(active.api, run_dir):
                # The timeline's clock began anew with the machine: there is no time to write beside it.
                if same_boot:
                    active.timeline.note("error", where="heal", message=f"the runner was killed; {told}")
                yield told
            lease.release(active.api, holder=active.run["run_id"])
    except ClusterError:
        # Where nothing is open, nothing is asked of a cluster that has gone: its Lease went with it.
        if evidence.open_undos(run_dir):
            raise
