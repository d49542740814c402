"""Undos of faults: there is one for each, and of several that are open each is tried."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from tests.unit.api_server import NODES
from tests.unit.drain_stage import Stage, staged

from sealegs import evidence, faults
from sealegs.errors import ClusterError
from sealegs.faults import node_drain
from sealegs.heal import FAULTS


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Three nodes with an engine each."""
    with staged(tmp_path, monkeypatch) as ready:
        yield ready


def test_a_node_that_cannot_be_opened_keeps_no_other_cordoned(stage: Stage) -> None:
    """Each is tried; what could not be done is told, stays open, and can be done later."""
    with stage.recorded():
        node_drain.inject(streams_min=5, drain_limit_s=5, node="worker-b", nodes=2)
        stage.cluster.refuses.add(f"{NODES}/worker-b")
        with pytest.raises(ClusterError, match="worker-b was refused"):
            node_drain.undo()
        assert stage.cordoned() == ["worker-b"]
        stage.cluster.refuses.clear()
        node_drain.undo()

    assert stage.cordoned() == []
    assert evidence.open_undos(stage.run_dir) == ()


def test_every_fault_can_be_healed() -> None:
    """A fault that writes an undo down has its row, under the name that it writes."""
    modules = [import_module(f"sealegs.faults.{one.name}") for one in iter_modules(faults.__path__)]
    undoing = {one.FAULT: one.undo_one for one in modules if hasattr(one, "FAULT")}

    assert len(undoing) >= 3
    assert FAULTS.items() >= undoing.items()
