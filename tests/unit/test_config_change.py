"""The change of a ConfigMap as its experiment calls it: pods that serve a text when a test says so."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit import api_objects
from tests.unit.api_server import PODS
from tests.unit.drain_stage import Stage, staged

from sealegs import evidence
from sealegs.active import active_run
from sealegs.errors import ClusterError
from sealegs.faults import config_change
from sealegs.kube import acts, reads
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod

CONFIGS = f"/api/v1/namespaces/{api_objects.NAMESPACE}/configmaps"
OLD, NEW = "Be brief.\n", "Be long."
DOORS = ("door-a", "door-b")


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Three engines and two doors, which serve the old text; changes reach the ConfigMap, and no pod."""
    monkeypatch.setattr(config_change, "LOOK_EVERY_S", 0.005)
    with staged(tmp_path, monkeypatch) as ready:
        for name in DOORS:
            ready.cluster.put(PODS, api_objects.pod(name, app="llm-api"))
        put_config(ready, OLD)
        serve(ready, *DOORS, text=OLD)
        monkeypatch.setattr(acts, "set_config", setter(ready))
        monkeypatch.setattr(acts, "annotate_pod", toucher(ready))
        yield ready


def put_config(stage: Stage, text: str) -> None:
    """The ConfigMap as it then is."""
    item = {"metadata": {"name": "llm-prompts"}, "spec": {}, "data": {"system.txt": text}}
    stage.cluster.put(CONFIGS, item)


def serve(stage: Stage, *doors: str, text: str) -> None:
    """Pods serve a text, and say so."""
    known = config_change.sum_of(text)
    for name in doors:
        stage.cluster.metrics[name] = (
            f'llm_api_system_prompt_info{{pod="x",sum="{known}"}} 1\nother{{sum="x"}} 1\n'
        )


def setter(stage: Stage) -> object:
    """What takes the place of the patch; the way back has to be on disk before."""

    def set_config(_: Api, name: str, *, namespace: str, key: str, text: str) -> None:
        assert (name, namespace, key) == ("llm-prompts", api_objects.NAMESPACE, "system.txt")
        assert len(evidence.open_undos(stage.run_dir)) == 1
        put_config(stage, text)

    return set_config


def toucher(stage: Stage) -> object:
    """What takes the place of touching a pod: says that it was."""

    def annotate(_: Api, pod: Pod, *, name: str, value: str | None) -> None:
        assert name == config_change.TOUCHED
        stage.cluster.asked.append(f"TOUCH {pod.name} {value is not None}")

    return annotate


def touched(stage: Stage) -> list[str]:
    """The pods that were touched, and whether the annotation was put there or taken away."""
    return [one for one in stage.cluster.asked if one.startswith("TOUCH")]


def test_a_change_goes_through_all_its_states(stage: Stage) -> None:
    """It lands when the ConfigMap has the text, and is gone when each pod serves the old one again."""
    with stage.recorded():
        done = config_change.inject(streams_min=3, text=NEW)
        config_change.landed(limit_s=2)
        serve(stage, *DOORS, text=NEW)
        assert set(config_change.watch(limit_s=2)["serving"].values()) == {done["sum"]}
        assert stage.timeline("config_watched")[-1]["wanted"] == done["sum"]
        assert stage.timeline("config_watched")[-1]["t_s"] < stage.timeline("config")[-1]["t_s"] + 1
        assert config_change.undo() == "ConfigMap llm-prompts has its old text again"
        serve(stage, "door-a", text=OLD)
        with pytest.raises(TimeoutError, match=r"^fault is not gone: "):
            config_change.gone(limit_s=0.05)
        serve(stage, "door-b", text=OLD)
        assert config_change.gone(limit_s=2) == "seen: the old text in every pod of llm-api"

    assert stage.states() == ["armed", "injected", "landed", "undone", "gone"]
    assert (done["pods"], done["streams"]) == (list(DOORS), 9)
    assert reads.config(stage.api, "llm-prompts", namespace=api_objects.NAMESPACE) == {"system.txt": OLD}
    assert touched(stage)[:2] == [f"TOUCH {name} True" for name in ("door-b", "door-a")]
    assert touched(stage)[2:] == [f"TOUCH {name} False" for name in ("door-b", "door-a")]


def test_the_watch_notes_when_each_pod_took_it_up(stage: Stage) -> None:
    """What a pod serves is noted when it changes; a watch that ends too early says who has not."""
    with stage.recorded():
        done = config_change.inject(streams_min=3, text=NEW)
        serve(stage, "door-b", text=NEW)
        config_change.watch(limit_s=0.1)

    noted = {one["pod"]: one["wanted"] for one in stage.timeline("config")}
    (ended,) = stage.timeline("config_watched")
    assert noted == {"door-a": False, "door-b": True}
    assert len(stage.timeline("config")) == 2
    assert ended["wanted"] == ended["serving"]["door-b"] == done["sum"] != ended["serving"]["door-a"]


def test_gone_needs_the_old_text(stage: Stage) -> None:
    """Pods that serve what the ConfigMap holds are no proof while it holds the fault's text."""
    with stage.recorded():
        config_change.inject(streams_min=3, text=NEW)
        config_change.undo()
        put_config(stage, NEW)
        serve(stage, *DOORS, text=NEW)
        with pytest.raises(TimeoutError, match=r"^fault is not gone: "):
            config_change.gone(limit_s=0.05)


def test_a_pod_that_does_not_say_serves_nothing(stage: Stage) -> None:
    """No answer is no text: neither the new one nor the old."""
    with stage.recorded():
        config_change.inject(streams_min=3, text=NEW)
        serve(stage, "door-b", text=NEW)
        del stage.cluster.metrics["door-a"]
        assert config_change.watch(limit_s=0.05)["serving"]["door-a"] == ""


def test_a_change_that_does_nothing_does_not_land(stage: Stage) -> None:
    """What inject wrote is no witness: while the ConfigMap has its old text, landed raises."""
    with stage.recorded():
        with active_run() as run:
            target, streams = config_change.arm(run, streams_min=1, text=NEW)
            config_change.note_injected(run, target, streams=streams)
        with pytest.raises(TimeoutError, match=r"^fault did not land: "):
            config_change.landed(limit_s=0.05)
        assert config_change.undo().startswith("nothing to undo")
        assert config_change.gone().startswith("nothing is gone")

    assert stage.states() == ["armed", "injected"]


def test_the_text_that_is_there_is_no_change(stage: Stage) -> None:
    """White space around a text makes no other one."""
    with pytest.raises(ClusterError, match="ConfigMap llm-prompts holds that text already"):
        config_change.inject(streams_min=0, text="  Be brief. ")
    assert stage.states() == []


def test_pods_that_do_not_serve_the_config_are_no_target(stage: Stage) -> None:
    """Where a pod serves something else already, nobody could tell what the change did."""
    serve(stage, "door-b", text=NEW)

    with pytest.raises(ClusterError, match="not every pod of llm-api serves ConfigMap llm-prompts"):
        config_change.inject(streams_min=0, text="Be quick.")
    assert stage.states() == []


def test_undo_is_safe_to_repeat(stage: Stage) -> None:
    """One undo can be replayed from its record alone; one of another kind is refused."""
    with stage.recorded():
        config_change.inject(streams_min=3, text=NEW)
        (recorded,) = evidence.open_undos(stage.run_dir)
        for _ in range(2):
            config_change.undo_one(stage.api, recorded)

        assert reads.config(stage.api, "llm-prompts", namespace=api_objects.NAMESPACE) == {"system.txt": OLD}
        with pytest.raises(ClusterError, match="nobody here knows how to 'forget'"):
            config_change.undo_one(stage.api, replace(recorded, action="forget"))


def test_patches_name_one_thing_each(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """One key of a ConfigMap, one annotation of a pod; null takes it away (RFC 7386)."""
    with active_run() as run:
        (_, door) = config_change._doors(run.api, namespace=run.namespace)  # noqa: SLF001  a pod, parsed
    monkeypatch.undo()
    bodies: list[object] = []
    monkeypatch.setattr(Api, "call", lambda _, method, path, body, **__: bodies.append((method, path, body)))
    acts.set_config(stage.api, "c", namespace="n", key="k", text="t")
    acts.annotate_pod(stage.api, door, name="a", value=None)

    assert bodies == [
        ("PATCH", "/api/v1/namespaces/n/configmaps/c", {"data": {"k": "t"}}),
        ("PATCH", f"{PODS}/door-a", {"metadata": {"annotations": {"a": None}}}),
    ]
