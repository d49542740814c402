"""An engine that runs out of memory as its experiment has it: it takes orders, an API server is here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.unit import api_objects
from tests.unit.api_server import DEPLOYMENTS, PODS
from tests.unit.drain_stage import Stage, staged

from sealegs import evidence
from sealegs.active import active_run
from sealegs.errors import ClusterError
from sealegs.faults import engine_door, engine_oom, engines
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod


def engine(*, restarts: int = 0, killed: str = "", ready: bool = True) -> api_objects.Json:
    """The engine of worker-b as its kubelet tells of it."""
    status = api_objects.container("inference", restarts=restarts)
    if killed:
        status["lastState"] = {"terminated": {"reason": killed, "finishedAt": "2026-11-26T12:00:00Z"}}
    return api_objects.pod("engine-b", on="worker-b", ready=ready, statuses=[status])


@dataclass
class Door:
    """What engines were told, and what was known then; `closed` is how often nobody answers."""

    stage: Stage
    told: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    knew: list[tuple[int, list[str]]] = field(default_factory=list)
    closed: int = 0

    def tell(self, _: Api, pod: Pod, told: Mapping[str, object]) -> None:
        """What `engine_door.tell` does."""
        self.knew.append((len(evidence.open_undos(self.stage.run_dir)), self.stage.states()))
        if self.closed:
            self.closed -= 1
            raise ClusterError("no program can be run")
        self.told.append((pod.name, dict(told)))


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Three nodes with an engine each; that of worker-c serves nothing."""
    monkeypatch.setattr(engines, "LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(engines, "WHOLE_LIMIT_S", 2)
    monkeypatch.setattr(engine_oom, "LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(engine_oom, "STOP_LIMIT_S", 0.05)
    with staged(tmp_path, monkeypatch) as ready:
        ready.cluster.put(PODS, engine())
        ready.cluster.put(DEPLOYMENTS, api_objects.deployment("llm-inference", wanted=3, ready=3))
        yield ready


@pytest.fixture
def door(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Door:
    """The door of those engines."""
    made = Door(stage)
    monkeypatch.setattr(engine_door, "tell", made.tell)
    return made


def test_an_oom_kill_goes_through_all_its_states(stage: Stage, door: Door) -> None:
    """Armed, injected, landed, undone, gone: the same pod, its container ended for memory and begun anew."""
    with stage.recorded():
        done = engine_oom.inject(streams_min=3, pod="engine-b")
        stage.cluster.put(PODS, engine(restarts=1, killed="OOMKilled", ready=False))
        assert engine_oom.landed(limit_s=2)["killed"] == "OOMKilled"
        engine_oom.undo()
        with pytest.raises(TimeoutError, match=r"^fault is not gone: .*'ready': False"):
            engine_oom.gone(limit_s=0.05)
        stage.cluster.put(PODS, engine(restarts=1, killed="OOMKilled"))
        assert engine_oom.gone(limit_s=2) == "seen: pod engine-b ready again, its container another one"

    assert stage.states() == ["armed", "injected", "landed", "undone", "gone"]
    assert door.told == [("engine-b", {"eat_memory": True})]
    assert door.knew == [(1, ["armed", "injected"])]
    assert (done["pods"], done["streams"]) == (["engine-b"], 5)
    assert stage.changes_asked() == []


@pytest.mark.parametrize(("restarts", "killed"), [(1, "Error"), (0, "OOMKilled"), (0, "")])
@pytest.mark.usefixtures("door")
def test_another_end_is_no_oom_kill(stage: Stage, restarts: int, killed: str) -> None:
    """A container that ended for another reason, or was not begun anew since, has not landed."""
    with stage.recorded():
        with active_run() as run:
            victim, streams = engine_oom.arm(run, streams_min=1, pod="engine-b")
            engine_oom.note_injected(run, victim, streams=streams)
        stage.cluster.put(PODS, engine(restarts=restarts, killed=killed, ready=False))
        with pytest.raises(TimeoutError, match=rf"^fault did not land: .*'restarts': {restarts}"):
            engine_oom.landed(limit_s=0.1)
        engine_oom.undo()
        assert engine_oom.gone().startswith("nothing is gone")
    assert stage.states() == ["armed", "injected"]


@pytest.mark.usefixtures("door")
def test_landed_needs_the_recorder(stage: Stage) -> None:
    """An end that nobody watched is not believed."""
    engine_oom.inject(streams_min=1, pod="engine-b")
    stage.cluster.put(PODS, engine(restarts=1, killed="OOMKilled"))

    with pytest.raises(TimeoutError, match=r"^fault did not land: .*'recorded_restarts': 0, 'restarts': 1"):
        engine_oom.landed(limit_s=0.05)


@pytest.mark.usefixtures("door")
def test_an_earlier_kill_is_not_this_one(stage: Stage) -> None:
    """That the recorder has the pod as killed for its memory counts only with a restart since injection."""
    words = {"name": "engine-b", "uid": "uid-engine-b", "ready": True, "killed": "OOMKilled", "restarts": 1}
    with active_run() as run:
        run.timeline.note("pod", **words)
        engine_oom.inject(streams_min=1, pod="engine-b")
        run.timeline.note("pod", **words)
    stage.cluster.put(PODS, engine(restarts=2, killed="OOMKilled"))

    with pytest.raises(TimeoutError, match=r"^fault did not land: .*'recorded_restarts': 0, 'restarts': 1"):
        engine_oom.landed(limit_s=0.05)


@pytest.mark.usefixtures("door")
def test_gone_needs_a_fresh_read(stage: Stage) -> None:
    """A pod that the recorder saw ready, and that is not now, is not back."""
    engine_oom.inject(streams_min=1, pod="engine-b")
    stage.cluster.put(PODS, engine(restarts=1, killed="OOMKilled", ready=False))
    engine_oom.undo()
    words = {"name": "engine-b", "uid": "uid-engine-b", "ready": True, "killed": "OOMKilled", "restarts": 1}
    with active_run() as run:
        run.timeline.note("pod", **words)

    with pytest.raises(TimeoutError, match=r"^fault is not gone: .*'recorded_ready': True, 'ready': False"):
        engine_oom.gone(limit_s=0.05)


def test_undo_stops_an_engine_that_has_not_been_killed_yet(stage: Stage, door: Door) -> None:
    """Else the kernel would end it after all was called whole; an order is repeated until it is taken."""
    engine_oom.inject(streams_min=1, pod="engine-b")
    door.closed = 2
    assert engine_oom.undo() == "every replica of llm-inference is ready again"

    assert door.told == [("engine-b", {"eat_memory": True}), ("engine-b", {})]
    assert engine_oom.undo().startswith("nothing to undo")
    assert stage.states() == ["armed", "injected", "undone"]


def test_undo_needs_the_engine_to_have_stopped(stage: Stage, door: Door) -> None:
    """One that does not answer and was not ended may still be at it: the undo stays open."""
    engine_oom.inject(streams_min=1, pod="engine-b")
    (recorded,) = evidence.open_undos(stage.run_dir)
    door.closed = 1000

    with pytest.raises(TimeoutError, match="the engine to take no more memory"):
        engine_oom.undo()
    assert len(evidence.open_undos(stage.run_dir)) == 1
    stage.cluster.delete(PODS, "engine-b")
    assert engine_oom.undo_one(stage.api, recorded) == "every replica of llm-inference is ready again"
    with pytest.raises(ClusterError, match="nobody here knows how to 'feed'"):
        engine_oom.undo_one(stage.api, replace(recorded, action="feed"))
