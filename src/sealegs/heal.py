"""After a runner was killed: what it had begun is undone, and what it had recorded is judged."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sealegs import evidence, identity, tables
from sealegs.active import ActiveRun, open_run_of
from sealegs.errors import ClusterError
from sealegs.faults import node_drain
from sealegs.judge import judge
from sealegs.kube import lease
from sealegs.kube.api import Api
from sealegs.verdict import Verdict

FAULTS = {"node_drain": node_drain.undo_one}


@dataclass(frozen=True, kw_only=True)
class Healed:
    """A run that was left lying: what was undone for it, and how it was judged."""

    run_dir: Path
    undone: tuple[str, ...]
    verdict: Verdict


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
        open_undos = evidence.open_undos(run_dir)
        if not open_undos and (run_dir / "verdict.json").exists():
            continue
        active = open_run_of(run_dir)
        undone = tuple(undo_all(active.api, run_dir)) if open_undos else ()
        if run["boot_id"] == identity.BOOT_ID.read_text().strip():
            for told in undone:
                active.timeline.note("error", where="heal", message=f"the runner was killed; {told}")
        _release(active)
        tables.close_tables(run_dir)
        yield Healed(run_dir=run_dir, undone=undone, verdict=judge(run_dir))


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


def _release(active: ActiveRun) -> None:
    """The killed run's Lease is gone, if the cluster still is there to ask."""
    try:
        lease.release(active.api, holder=active.run["run_id"])
    except ClusterError:
        return
