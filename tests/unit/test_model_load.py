"""The rollout of engines that do not load, as its experiment has it: its controller is played by hand."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit import api_objects
from tests.unit.api_objects import Json
from tests.unit.api_server import DEPLOYMENTS, PODS
from tests.unit.drain_stage import Stage, staged

from sealegs import evidence
from sealegs.active import active_run
from sealegs.errors import ClusterError
from sealegs.faults import model_load
from sealegs.kube import acts
from sealegs.kube.api import Api

APP = "llm-inference"
ENV = {"MODEL_NAME": "m", "MODEL_PATH": "/models/m"}


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Three nodes with an engine each, and the deployment that wants them."""
    with staged(tmp_path, monkeypatch) as ready:
        ready.cluster.put(DEPLOYMENTS, engines(ENV))
        monkeypatch.setattr(acts, "set_variables", setter(ready))
        yield ready


def engines(variables: dict[str, str]) -> Json:
    """The engines' deployment, its container with these variables and one that comes from elsewhere."""
    item = api_objects.deployment(APP, wanted=3, ready=3)
    env = [{"name": name, "value": value} for name, value in variables.items()]
    field = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    item["spec"]["template"] = {"spec": {"containers": [{"name": "inference", "env": [*env, field]}]}}
    return item


def setter(stage: Stage) -> object:
    """What takes the place of the patch: the small server knows no strategic merge."""

    def set_variables(_: Api, *, variables: dict[str, str | None], **where: str) -> None:
        assert where == {"deployment": APP, "namespace": api_objects.NAMESPACE, "container": "inference"}
        assert len(evidence.open_undos(stage.run_dir)) == 1, "undo is on disk before the change"
        assert "injected" in stage.states()
        merged = {**variables_of(stage), **variables}
        known = {name: value for name, value in merged.items() if value is not None}
        stage.cluster.put(DEPLOYMENTS, engines(known))

    return set_variables


def variables_of(stage: Stage) -> dict[str, str]:
    """The variables of the template now."""
    item = stage.cluster.get(f"{DEPLOYMENTS}/{APP}") or {}
    (container,) = item["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one["value"] for one in container["env"] if "value" in one}


def bring(stage: Stage, name: str = "engine-d", *, restarts: int = 0, phase: str = "Running") -> None:
    """An engine of the template as it is now is there, and not ready."""
    status = api_objects.container("inference", started=False, restarts=restarts)
    item = api_objects.pod(name, ready=False, phase=phase, statuses=[status])
    template = (stage.cluster.get(f"{DEPLOYMENTS}/{APP}") or {})["spec"]["template"]
    item["spec"]["containers"] = template["spec"]["containers"]
    stage.cluster.put(PODS, item)


def test_a_rollout_that_fails_goes_through_all_its_states(stage: Stage) -> None:
    """It lands when a new engine was started again, and is gone when the last of them is."""
    with stage.recorded():
        done = model_load.inject(streams_min=3)
        assert variables_of(stage) == {**ENV, "MODEL_PATH": "/absent"}
        bring(stage)
        stage.until("pod", name="engine-d")
        with pytest.raises(
            TimeoutError, match=r"^fault did not land: .*'there': \['engine-d'\], 'failed': \[\]"
        ):
            model_load.landed(limit_s=0.1)
        bring(stage, restarts=1)
        assert model_load.landed(limit_s=2)["failed"] == ["engine-d"]
        assert model_load.undo() == "rolled llm-inference back"
        assert variables_of(stage) == ENV
        # The rollback needed one more of the old: it has to stay.
        bring(stage, "engine-e")
        stage.until("pod", name="engine-e")
        with pytest.raises(TimeoutError, match=r"^fault is not gone: .*'there': \['engine-d'\]"):
            model_load.gone(limit_s=0.05)
        stage.cluster.delete(PODS, "engine-d")
        assert model_load.gone(limit_s=2) == "seen: no engine of the new template left"

    assert stage.states() == ["armed", "injected", "landed", "undone", "gone"]
    assert (done["pods"], done["streams"]) == (["engine-a", "engine-b", "engine-c"], 9)
    assert not evidence.open_undos(stage.run_dir)


def test_a_slow_load_lands_when_a_sound_one_would_be_over(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither waiting for its volume nor having been started again is loading slowly; taking its time is."""
    with stage.recorded():
        model_load.inject(streams_min=1, load_s=90)
        assert variables_of(stage) == {**ENV, "MODEL_LOAD_S": "90"}
        monkeypatch.setattr(model_load, "LATE_S", 0.05)
        bring(stage, phase="Pending")
        stage.until("pod", name="engine-d", phase="Pending")
        with pytest.raises(TimeoutError, match=r"^fault did not land: .*'late': \[\]"):
            model_load.landed(limit_s=0.1)
        monkeypatch.setattr(model_load, "LATE_S", 60)
        bring(stage, restarts=1)
        stage.until("pod", name="engine-d", restarts=1)
        with pytest.raises(
            TimeoutError, match=r"^fault did not land: .*'failed': \['engine-d'\], 'late': \[\]"
        ):
            model_load.landed(limit_s=0.2)
        monkeypatch.setattr(model_load, "LATE_S", 0.01)
        assert model_load.landed(limit_s=2)["late"] == ["engine-d"]
        model_load.undo()

    assert variables_of(stage) == ENV


def test_a_rollout_that_does_nothing_does_not_land(stage: Stage) -> None:
    """Engines that had been there before and fail are no rollout."""
    with stage.recorded():
        with active_run() as run:
            target, streams = model_load.arm(run, streams_min=1)
            model_load.note_injected(run, target, {"MODEL_PATH": "/absent"}, streams=streams)
        status = api_objects.container("inference", started=False, restarts=2)
        stage.cluster.put(PODS, api_objects.pod("engine-c", on="worker-c", ready=False, statuses=[status]))
        with pytest.raises(TimeoutError, match=r"^fault did not land: .*'there': \[\], 'failed': \[\]"):
            model_load.landed(limit_s=0.1)
        assert model_load.undo().startswith("nothing to undo")
        assert model_load.gone().startswith("nothing is gone")
    assert variables_of(stage) == ENV


def test_landed_needs_the_recorder(stage: Stage) -> None:
    """New engines that nobody watched come are not believed."""
    model_load.inject(streams_min=1)
    bring(stage, restarts=1)

    with pytest.raises(TimeoutError, match=r"^fault did not land: .*\['engine-d'\], 'failed': \[\]"):
        model_load.landed(limit_s=0.05)


@pytest.mark.parametrize(("recorded", "now"), [(1, 0), (0, 1)])
def test_a_failure_needs_both_witnesses(stage: Stage, recorded: int, now: int) -> None:
    """A restart that only the recorder saw, or only a fresh read, has not landed."""
    model_load.inject(streams_min=1)
    words = {"name": "engine-d", "uid": "uid-engine-d", "app": APP, "event": "added", "phase": "Running"}
    with active_run() as run:
        run.timeline.note("pod", **words, restarts=recorded)
    bring(stage, restarts=now)

    with pytest.raises(TimeoutError, match=r"^fault did not land: .*\['engine-d'\], 'failed': \[\]"):
        model_load.landed(limit_s=0.05)


def test_a_variable_that_comes_from_elsewhere_is_left_alone(stage: Stage) -> None:
    """What undo could not put back is not changed, nor is an undo written that would take it away."""
    item = engines({})
    (container,) = item["spec"]["template"]["spec"]["containers"]
    container["env"].append(
        {"name": "MODEL_PATH", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "p"}}}
    )
    stage.cluster.put(DEPLOYMENTS, item)

    with pytest.raises(ClusterError, match="MODEL_PATH of llm-production/llm-inference comes by valueFrom"):
        model_load.inject(streams_min=1)
    assert evidence.open_undos(stage.run_dir) == ()
    assert stage.states() == ["armed"]


def test_undo_takes_away_what_was_not_there(stage: Stage) -> None:
    """A variable that was not there is removed, and no other one; a second undo changes nothing."""
    model_load.inject(streams_min=1, load_s=30)
    (recorded,) = evidence.open_undos(stage.run_dir)
    assert recorded.args["variables"] == {"MODEL_LOAD_S": None}
    with pytest.raises(ClusterError, match="its undo has not been done"):
        model_load.gone()
    with pytest.raises(ClusterError, match="nobody here knows how to 'roll-on'"):
        model_load.undo_one(stage.api, replace(recorded, action="roll-on"))
    model_load.undo()

    assert variables_of(stage) == ENV
    assert model_load.undo().startswith("nothing to undo")
    assert stage.states() == ["armed", "injected", "undone"]
