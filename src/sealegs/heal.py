"""After a runner was killed: what it had begun is undone, and what it had recorded is judged."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sealegs import evidence, identity, load_pods, tables
from sealegs.active import ActiveRun, open_run_of
from sealegs.errors import ClusterError, ScenarioError
from sealegs.faults import (
    apiserver_down,
    canary,
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
    states,
)
from sealegs.judge import judge
from sealegs.judgement.verdict import Verdict
from sealegs.kube import lease
from sealegs.kube.api import Api

FAULTS = {
    node_drain.FAULT: node_drain.undo_one,
    node_loss.FAULT: node_loss.undo_one,
    pod_kill.FAULT: pod_kill.undo_one,
    pod_delete.FAULT: pod_delete.undo_one,
    container_kill.FAULT: container_kill.undo_one,
    rolling_update.FAULT: rolling_update.undo_one,
    config_change.FAULT: config_change.undo_one,
    canary.FAULT: canary.undo_one,
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
ELSEWHERE = (
    "it has its cluster, so it goes on on another machine or in another container, or was killed less than a "
    "minute ago: heal when it has ended, or in a minute"
)


@dataclass(frozen=True, kw_only=True)
class Healed:
    """A run that was left lying.

    Attributes:
        run_dir: its folder.
        undone: what was undone for it.
        left: why something of it is still not undone; None when nothing is.
        verdict: how it was judged; None when too little is left to judge, as `problems` say, or it may go on.
        problems: what keeps it from being judged.
    """

    run_dir: Path
    undone: tuple[str, ...]
    left: str | None
    verdict: Verdict | None
    problems: tuple[str, ...] = ()


def killed(root: Path) -> Iterator[tuple[Path, evidence.Record]]:
    """Runs under ``root/reports/runs`` that go on no more here and left work for `heal`: folder, run.json."""
    for run_dir in evidence.run_dirs(root):
        run = evidence.read_json(run_dir / "run.json")
        if run is not None and identity.is_running(run):
            continue
        # A folder without run.json is no run's, unless something of it is not undone.
        unjudged = run is not None and not (run_dir / "verdict.json").exists()
        if unjudged or evidence.open_undos(run_dir):
            yield run_dir, run or {}


def heal(root: Path) -> Iterator[Healed]:
    """Undo and judge every run under ``root/reports/runs`` whose runner is gone before its verdict.

    Safe to repeat: a run that has been healed is not touched again, and one that has something left is tried
    again. None of them keeps another from being healed.
    """
    for run_dir, run in killed(root):
        if not identity.is_here(run) and _has_its_cluster(run_dir):
            yield Healed(run_dir=run_dir, undone=(), left=ELSEWHERE, verdict=None)
            continue
        undone, left = _leave_cluster(run_dir, same_boot=run.get("boot_id") == identity.boot_id())
        tables.close_tables(run_dir)
        verdict: Verdict | None = None
        problems: tuple[str, ...] = ()
        try:
            verdict = judge(run_dir)
        except ScenarioError as unread:
            # One folder that cannot be judged, killed in its first moments, must not keep others from it.
            problems = unread.problems
        yield Healed(run_dir=run_dir, undone=undone, left=left, verdict=verdict, problems=problems)


def require_nothing_left(root: Path, *, context: str) -> None:
    """Raise ClusterError where a run that ended may have left its fault on the cluster of that context."""
    for run_dir in evidence.run_dirs(root):
        if not evidence.open_undos(run_dir):
            continue
        run = evidence.read_json(run_dir / "run.json")
        if run is None:
            raise ClusterError(
                f"{run_dir}: its fault may still be on, and run.json does not tell where: undo by hand what "
                "undo.jsonl says, then delete the folder"
            )
        if run["cluster"]["context"] == context and not identity.is_running(run):
            raise ClusterError(
                f"{run_dir} ended, and its fault may still be on: `sealegs heal --root {root}` first"
            )


def undo_all(api: Api, run_dir: Path) -> Iterator[str]:
    """Try every undo that is open, the newest first, and say what was done.

    Raises:
        ClusterError, TimeoutError: some could not be done, told after the others were; they stay open.
    """

    def do(undo: evidence.Undo) -> str:
        if undo.fault not in FAULTS:
            raise ClusterError(f"{run_dir / 'undo.jsonl'}: nobody here knows the fault {undo.fault!r}")
        return FAULTS[undo.fault](api, undo)

    yield from states.each_done(run_dir, evidence.open_undos(run_dir), do)


def _leave_cluster(run_dir: Path, *, same_boot: bool) -> tuple[tuple[str, ...], str | None]:
    """Undo what is open and give back the Lease: what was undone, and why something was not."""
    undone: list[str] = []
    try:
        with open_run_of(run_dir) as active:
            _require_nobody_else(active)
            for told in undo_all(active.api, run_dir):
                undone.append(told)
                # The timeline's clock began anew with the machine: there is no time to write beside it.
                if same_boot:
                    active.timeline.note("error", where="heal", message=f"the runner was killed; {told}")
            lease.release(active.api, holder=active.run["run_id"])
    except (ClusterError, TimeoutError) as error:
        # Where nothing is open, nothing is asked of a cluster that has gone: its Lease went with it.
        return tuple(undone), str(error) if evidence.open_undos(run_dir) else None
    return tuple(undone), None


def _has_its_cluster(run_dir: Path) -> bool:
    """Whether a run's Lease is valid: its process is not one that could be seen here, living or dead."""
    try:
        with open_run_of(run_dir) as active:
            return lease.holder(active.api) == str(active.run["run_id"])
    except ClusterError:
        # What silences the API server may be the fault that is to be undone.
        return False


def _require_nobody_else(active: ActiveRun) -> None:
    """Raise ClusterError where another run goes on: an undo would end that one's fault."""
    try:
        holder = lease.holder(active.api)
    except ClusterError:
        # What silences the API server may be the fault that is to be undone.
        return
    if holder not in {None, active.run["run_id"]}:
        raise ClusterError(f"{active.api.where}: run {holder} is going on there: heal when it has ended")
