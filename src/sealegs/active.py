"""The run that an experiment's steps belong to: they may be in the runner's process or in a child of it."""

import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sealegs import evidence, stack_shape
from sealegs.errors import ClusterError, ScenarioError
from sealegs.kube.api import Api, connect
from sealegs.timeline import Timeline

RUN_DIR = "SEALEGS_RUN_DIR"


@dataclass(frozen=True, kw_only=True)
class ActiveRun:
    """A run that is going on, as the steps of its experiment see it.

    Attributes:
        run_dir: the run's folder.
        run: the document ``run.json``.
        api: the cluster's API server.
        timeline: where to note what happens.
    """

    run_dir: Path
    run: dict[str, Any]
    api: Api
    timeline: Timeline

    @property
    def seed(self) -> int:
        """What everything random starts from."""
        return int(self.run["seed"])

    @property
    def namespace(self) -> str:
        """The namespace of the stack."""
        return str(self.run["namespace"])

    @property
    def owned(self) -> bool:
        """Whether the cluster was made here, so that all of it opted in to faults."""
        return bool(self.run["cluster"]["owned"])

    def close(self) -> None:
        """Close what this process holds open of the run; the run goes on."""
        self.timeline.close()
        self.api.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def active_run() -> ActiveRun:
    """The run that the environment names.

    Raises:
        ClusterError: there is none: an experiment's step was called by itself.
    """
    named = os.environ.get(RUN_DIR)
    if not named:
        raise ClusterError(
            f"no run is open ({RUN_DIR} is not set): the experiment needs its control `sealegs.control`, "
            "or start it with `sealegs run`"
        )
    return open_run_of(Path(named))


def environment_of(run_dir: Path) -> dict[str, str]:
    """Variables by which an experiment's steps find a run: ours, and those of chaostoolkit-kubernetes."""
    cluster = _document(run_dir)["cluster"]
    return {
        RUN_DIR: str(run_dir.resolve()),
        "KUBECONFIG": str(Path(cluster["kubeconfig"]).expanduser()),
        "KUBERNETES_CONTEXT": cluster["context"],
    }


def open_run_of(run_dir: Path) -> ActiveRun:
    """A run's folder as an active run. ClusterError when its run.json cannot be read."""
    run = _document(run_dir)
    cluster = run["cluster"]
    try:
        shape = stack_shape.shape_of(run, path=run_dir / "run.json")
    except ScenarioError as wrong:
        raise ClusterError(f"of what the run's stack is made cannot be read: {wrong}") from wrong
    return ActiveRun(
        run_dir=run_dir,
        run=run,
        api=connect(Path(cluster["kubeconfig"]).expanduser(), context=cluster["context"], shape=shape),
        timeline=Timeline(run_dir, zero_ns=run["started_monotonic_ns"]),
    )


def _document(run_dir: Path) -> dict[str, Any]:
    run = evidence.read_json(run_dir / "run.json")
    if run is None:
        raise ClusterError(f"{run_dir / 'run.json'} is absent or not readable")
    return run
