"""The rollout of another template as its experiment calls it: its controller is played by hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit import api_objects
from tests.unit.api_objects import Json
from tests.unit.api_server import DEPLOYMENTS, PODS
from tests.unit.drain_stage import Stage, staged

from sealegs import evidence
from sealegs.active import active_run
from sealegs.errors import ClusterError
from sealegs.faults import rolling_update
from sealegs.kube import acts
from sealegs.kube.api import Api

APP = "llm-inference"
OLD, NEW, BACK = (tuple(f"engine-{letter}" for letter in letters) for letters in ("abc", "def", "ghi"))


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Three nodes with an engine each, and the deployment that wants them."""
    with staged(tmp_path, monkeypatch) as ready:
        ready.cluster.put(DEPLOYMENTS, engines(ready=3))
        monkeypatch.setattr(acts, "annotate_template", annotator(ready))
        yield ready


def engines(*, ready: int, annotations: Json | None = None) -> Json:
    """The engines' deployment, its template with these annotations."""
    item = api_objects.deployment(APP, wanted=3, ready=ready)
    item["spec"]["template"] = {"metadata": {"annotations": annotations or {}}}
    return item


def annotator(stage: Stage) -> object:
    """What takes the place of the patch: the small server merges a spec's first level only."""

    def annotate(_: Api, *, deployment: str, namespace: str, **told: str | None) -> None:
        assert (deployment, namespace, told["name"]) == (
            APP,
            api_objects.NAMESPACE,
            rolling_update.ANNOTATION,
        )
        known = len(evidence.open_undos(stage.run_dir))
        assert known == 1, "undo is on disk before the change"
        left = {rolling_update.ANNOTATION: told["value"]} if told["value"] else {}
        stage.cluster.put(DEPLOYMENTS, engines(ready=3, annotations=left))

    return annotate


def bring(stage: Stage, names: tuple[str, ...], *, new: bool, ready: bool = True) -> None:
    """Pods of a template come."""
    for name in names:
        item = api_objects.pod(name, ready=ready)
        item["metadata"]["annotations"] = {rolling_update.ANNOTATION: "run"} if new else {}
        stage.cluster.put(PODS, item)


def tell_to_leave(stage: Stage, names: tuple[str, ...]) -> None:
    """Pods are deleted, and drain."""
    for name in names:
        item = stage.cluster.get(f"{PODS}/{name}") or {}
        item["metadata"]["deletionTimestamp"] = "2026-11-26T20:00:00Z"
        stage.cluster.put(PODS, item)


def end(stage: Stage, names: tuple[str, ...]) -> None:
    """Pods have ended."""
    for name in names:
        stage.cluster.delete(PODS, name)


def annotations(stage: Stage) -> Json:
    """The annotations of the template."""
    item = stage.cluster.get(f"{DEPLOYMENTS}/{APP}") or {}
    found: Json = item["spec"]["template"]["metadata"]["annotations"]
    return found


def test_a_rollout_goes_through_all_its_states(stage: Stage) -> None:
    """It lands while old pods drain, and is gone when no pod of the new template is there any more."""
    with stage.recorded():
        done = rolling_update.inject(streams_min=3)
        assert list(annotations(stage)) == [rolling_update.ANNOTATION]
        bring(stage, NEW, new=True)
        tell_to_leave(stage, OLD)
        assert rolling_update.landed(limit_s=10)["new"] == list(NEW)
        end(stage, OLD)
        assert rolling_update.undo() == "rolled llm-inference back"
        assert annotations(stage) == {}
        bring(stage, BACK, new=False)
        tell_to_leave(stage, NEW)
        with pytest.raises(TimeoutError, match=r"^fault is not gone: .*'carrying': \['engine-d'"):
            rolling_update.gone(limit_s=0.05)
        end(stage, NEW)
        assert rolling_update.gone(limit_s=10) == "seen: every engine of the old template again"

    assert stage.states() == ["armed", "injected", "landed", "undone", "gone"]
    assert (done["pods"], done["streams"]) == (list(OLD), 9)
    assert not evidence.open_undos(stage.run_dir)


def test_a_rollout_that_is_half_done_has_not_landed(stage: Stage) -> None:
    """While a pod of the old template is to stay, or one of the new is not ready, landed raises."""
    with stage.recorded():
        rolling_update.inject(streams_min=3)
        bring(stage, NEW, new=True)
        tell_to_leave(stage, OLD[:2])
        for name in NEW:
            stage.until("pod", name=name, ready=True)
        with pytest.raises(
            TimeoutError, match=r"^fault did not land: .*'old': \['engine-c'\], 'unseen': \[\]"
        ):
            rolling_update.landed(limit_s=0.5)
        bring(stage, ("engine-x",), new=True, ready=False)
        tell_to_leave(stage, OLD)
        with pytest.raises(TimeoutError, match=r"^fault did not land: .*'unseen': \['engine-x'\]"):
            rolling_update.landed(limit_s=0.05)


def test_a_rollout_that_does_nothing_does_not_land(stage: Stage) -> None:
    """Engines that are ready and of the old template are no rollout."""
    with stage.recorded():
        with active_run() as run:
            target, streams = rolling_update.arm(run, streams_min=1)
            rolling_update.note_injected(run, target, streams=streams)
        with pytest.raises(TimeoutError, match=r"^fault did not land: .*'new': \[\], 'old': \['engine-a'"):
            rolling_update.landed(limit_s=0.05)
        assert rolling_update.undo().startswith("nothing to undo")
        assert rolling_update.gone().startswith("nothing is gone")

    assert stage.states() == ["armed", "injected"]


def test_landed_needs_the_recorder(stage: Stage) -> None:
    """A rollout that nobody watched is not believed, though a fresh read finds the new pods."""
    rolling_update.inject(streams_min=1)
    bring(stage, NEW, new=True)
    tell_to_leave(stage, OLD)

    with pytest.raises(TimeoutError, match=r"^fault did not land: .*'old': \[\], 'unseen': \['engine-d'"):
        rolling_update.landed(limit_s=0.05)


def test_gone_needs_every_replica(stage: Stage) -> None:
    """Rolled back to fewer engines than are wanted it is not gone."""
    with stage.recorded():
        rolling_update.inject(streams_min=1)
        rolling_update.undo()
        stage.cluster.put(DEPLOYMENTS, engines(ready=2))
        with pytest.raises(TimeoutError, match=r"^fault is not gone: .*'whole': False"):
            rolling_update.gone(limit_s=0.05)


def test_nothing_is_rolled_out_where_no_engine_is_ready(stage: Stage) -> None:
    """Without an engine there is nothing to disturb, and nothing is changed."""
    for name in OLD:
        stage.cluster.put(PODS, api_objects.pod(name, ready=False))

    with pytest.raises(ClusterError, match="nothing to roll out: no ready pod of llm-inference"):
        rolling_update.inject(streams_min=0)
    assert (stage.states(), annotations(stage)) == ([], {})


def test_the_patch_names_the_annotation_alone(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A merge patch of the template's annotations; null takes one away (RFC 7386)."""
    monkeypatch.undo()
    bodies: list[object] = []
    monkeypatch.setattr(Api, "call", lambda _, *words, body, **__: bodies.append((words, body)))
    for value in ("run", None):
        acts.annotate_template(stage.api, deployment=APP, namespace="n", name="a", value=value)

    path = f"/apis/apps/v1/namespaces/n/deployments/{APP}"
    patches = [{"spec": {"template": {"metadata": {"annotations": {"a": value}}}}} for value in ("run", None)]
    assert bodies == [(("PATCH", path), patch) for patch in patches]
