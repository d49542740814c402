"""Wrong answers as their experiment has them: engines that do as they are told, an API server here."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit import api_objects
from tests.unit.api_server import PODS
from tests.unit.drain_stage import Stage, staged, write_run

from sealegs import evidence
from sealegs.active import active_run
from sealegs.errors import ClusterError
from sealegs.faults import engine_answers, engine_door, straight
from sealegs.kube import exec as kube_exec
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod
from sealegs.waiting import TIMEOUTS

SOUND = {"status": 0, "reset_at_token": 0, "share": 1.0, "slow_factor": 1.0}
STEP_S = 0.005


@dataclass
class Engines:
    """Engines that answer as they were told, whoever asks.

    Attributes:
        told: pod → what it was told last.
        deaf: pods that take orders and do not change.
        full: pods that have no room for a request.
        silent: pods in which no program can be run.
        knew: undos that were open, and states of the fault, at each order.
    """

    stage: Stage
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    deaf: set[str] = field(default_factory=set)
    full: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    knew: list[tuple[int, list[str]]] = field(default_factory=list)
    _asked: Counter[str] = field(default_factory=Counter)

    def output(self, _: Api, pod: Pod, argv: Sequence[str], *, limit_s: float) -> str:
        """What `sealegs.kube.exec.output` does, for the two programs that are run in engines."""
        assert limit_s > 0
        if pod.name in self.silent:
            raise ClusterError(f"no program can be run in {pod.name}")
        if argv[1] == "-m":
            self.told[pod.name] = json.loads(argv[3])
            self._asked[pod.name] = 0
            self.knew.append((len(evidence.open_undos(self.stage.run_dir)), self.stage.states()))
            return ""
        assert argv[2] == Path(straight.__file__).read_text()
        port, requests, tokens = map(int, argv[3:])
        assert port == 8000
        return json.dumps([self._answer(pod.name, tokens) for _ in range(requests)])

    def _answer(self, pod: str, tokens: int) -> dict[str, Any]:
        told = SOUND | ({} if pod in self.deaf else self.told.get(pod, {}))
        self._asked[pod] += 1
        count, share = self._asked[pod], told["share"]
        met = int(count * share) > int((count - 1) * share)
        if met and told["status"]:
            return {"status": told["status"], "tokens": 0, "whole": False, "step_s": None}
        if pod in self.full:
            return {"status": 429, "tokens": 0, "whole": False, "step_s": None}
        cut = bool(met and told["reset_at_token"])
        tokens = told["reset_at_token"] - 1 if cut else tokens
        step_s = STEP_S * told["slow_factor"]
        return {"status": 200, "tokens": tokens, "whole": not cut, "step_s": step_s if tokens > 1 else None}


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Three nodes with an engine each; that of worker-c serves nothing."""
    with staged(tmp_path, monkeypatch) as ready:
        yield ready


@pytest.fixture
def engines(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Engines:
    """The programs inside those engines."""
    made = Engines(stage)
    monkeypatch.setattr(kube_exec, "output", made.output)
    return made


@pytest.mark.parametrize(
    "told",
    [{"status": 503}, {"status": 500, "share": 0.3}, {"reset_at_token": 5}, {"slow_factor": 9}],
    ids=str,
)
def test_wrong_answers_go_through_all_states(stage: Stage, engines: Engines, told: dict[str, Any]) -> None:
    """Armed, injected, landed, undone, gone: each is noted once, in order, about one pod and no node."""
    done = engine_answers.inject(streams_min=3, pod="engine-b", **told)
    assert engines.told == {"engine-b": SOUND | told}
    assert engine_answers.landed(limit_s=2)["wrong"] == ["engine-b"]
    assert engine_answers.undo() == "told engine-b to behave"
    assert engines.told == {"engine-b": {}}
    assert engine_answers.gone(limit_s=2) == "seen: engine-b answering right"

    assert stage.states() == ["armed", "injected", "landed", "undone", "gone"]
    assert (done["pods"], done["streams"]) == (["engine-b"], 5)
    assert all(one["target"] == {"pods": ["engine-b"]} for one in stage.timeline("fault"))
    assert not evidence.open_undos(stage.run_dir)
    assert stage.changes_asked() == []


def test_undo_is_on_disk_before_an_engine_is_told(stage: Stage, engines: Engines) -> None:
    """When the first engine is told, the way back for all and the moment have been written."""
    engine_answers.inject(streams_min=1, engines=0, status=503)

    assert engines.knew == [(1, ["armed", "injected"])] * 3
    assert evidence.open_undos(stage.run_dir)[0].args["uids"] == [f"uid-engine-{one}" for one in "abc"]


@pytest.mark.parametrize(
    ("seed", "count", "pods"),
    [(0, 1, ["engine-a"]), (1, 1, ["engine-b"]), (1, 2, ["engine-b", "engine-a"])],
)
@pytest.mark.usefixtures("engines")
def test_the_seed_picks_among_engines_that_serve(
    stage: Stage, seed: int, count: int, pods: list[str]
) -> None:
    """The same seed picks the same engines in the same order, and never one that serves no stream."""
    write_run(stage.run_dir, kubeconfig=stage.run_dir.parents[2] / "kubeconfig", seed=seed)

    assert engine_answers.inject(streams_min=1, engines=count, status=503)["pods"] == pods


def test_all_engines_must_be_seen_wrong(stage: Stage, engines: Engines) -> None:
    """One of three that takes the order and goes on as before is enough for the fault not to have landed."""
    engines.deaf.add("engine-c")
    engine_answers.inject(streams_min=1, engines=0, status=503)

    with pytest.raises(TimeoutError, match=r"^fault did not land: .*'wrong': \['engine-a', 'engine-b'\]"):
        engine_answers.landed(limit_s=0.05)
    assert stage.states() == ["armed", "injected"]


def test_a_pace_is_slow_only_beside_the_usual_one(
    stage: Stage, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine too full to show its usual pace is not slowed down: nobody could tell afterwards."""
    monkeypatch.setattr(engine_answers, "LOOK_EVERY_S", 0.005)
    monkeypatch.setattr(engine_answers, "TIMEOUTS", replace(TIMEOUTS, streams_in_flight_s=0.05))
    engines.full.add("engine-b")

    with pytest.raises(TimeoutError, match="engine-b to answer a request that shows its usual pace"):
        engine_answers.inject(streams_min=1, pod="engine-b", slow_factor=9)
    assert (engines.told, stage.states()) == ({}, ["armed"])


def test_every_way_of_being_wrong_must_be_seen(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine told to be slow and to answer 503 to some, that is only slow, is not what was ordered."""
    tell = engine_door.tell
    monkeypatch.setattr(
        engine_door, "tell", lambda api, pod, told: tell(api, pod, told and {**told, "status": 0})
    )
    engine_answers.inject(streams_min=1, pod="engine-a", status=503, share=0.5, slow_factor=4)

    assert engines.told["engine-a"]["slow_factor"] == 4
    with pytest.raises(TimeoutError, match=r"^fault did not land: .*'wrong': \[\], 'right': \[\]"):
        engine_answers.landed(limit_s=0.05)


def test_a_little_slower_is_not_what_was_ordered(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine told to be nine times as slow that is twice as slow, as on a busy machine, has not landed."""
    tell = engine_door.tell
    monkeypatch.setattr(engine_door, "tell", lambda api, pod, told: tell(api, pod, told | {"slow_factor": 2}))
    engine_answers.inject(streams_min=1, pod="engine-a", slow_factor=9)

    assert engines.told["engine-a"]["slow_factor"] == 2
    with pytest.raises(TimeoutError, match=r"^fault did not land: .*'wrong': \[\], 'right': \['engine-a'\]"):
        engine_answers.landed(limit_s=0.05)


@pytest.mark.parametrize("told", [{"status": 503}, {"reset_at_token": 2}, {"slow_factor": 9}], ids=str)
def test_nothing_does_not_land(stage: Stage, engines: Engines, told: dict[str, Any]) -> None:
    """What inject wrote is no witness: while the engine answers as it should, landed raises."""
    with active_run() as run:
        aim = engine_answers.arm(run, SOUND | told, engines=1, pod="engine-a", streams_min=1)
        engine_answers.note_injected(run, aim)

    with pytest.raises(TimeoutError, match=r"^fault did not land: .*'right': \['engine-a'\]"):
        engine_answers.landed(limit_s=0.05)
    assert engines.told == {}
    assert engine_answers.undo().startswith("nothing to undo")
    assert engine_answers.gone().startswith("nothing is gone")
    assert stage.states() == ["armed", "injected"]


def test_gone_needs_an_answer(stage: Stage, engines: Engines) -> None:
    """An engine that is not ready, or too full to answer, has not been seen to answer right."""
    engine_answers.inject(streams_min=1, pod="engine-b", status=503)
    with pytest.raises(ClusterError, match="its undo has not been done"):
        engine_answers.gone()
    engine_answers.undo()
    engines.full.add("engine-b")
    with pytest.raises(TimeoutError, match=r"^fault is not gone: .*'status': 429"):
        engine_answers.gone(limit_s=0.05)
    engines.full.clear()
    stage.cluster.put(PODS, api_objects.pod("engine-b", on="worker-b", ready=False))
    with pytest.raises(TimeoutError, match=r"^fault is not gone: .*'answers': \{'engine-b': \[\]\}"):
        engine_answers.gone(limit_s=0.05)


def test_gone_says_no_while_an_engine_is_wrong(engines: Engines) -> None:
    """An engine that says it behaves and answers as wrongly as before has not been put right."""
    engine_answers.inject(streams_min=1, pod="engine-b", status=503, share=0.3)
    told = dict(engines.told["engine-b"])
    engine_answers.undo()
    engines.told["engine-b"] = told

    with pytest.raises(TimeoutError, match=r"^fault is not gone: .*'right': \[\]"):
        engine_answers.gone(limit_s=0.05)


def test_an_engine_that_is_no_more_needs_no_undo(stage: Stage, engines: Engines) -> None:
    """One that went or has begun anew has forgotten; its successor of the same name is left alone."""
    engine_answers.inject(streams_min=1, engines=0, status=503)
    engines.told.clear()
    restarted = [api_objects.container("inference", started=False, restarts=1)]
    stage.cluster.put(PODS, api_objects.pod("engine-a", on="worker-a", ready=False, statuses=restarted))
    stage.cluster.delete(PODS, "engine-b")
    successor = api_objects.pod("engine-b", on="worker-b")
    successor["metadata"]["uid"] = "uid-of-another"
    stage.cluster.put(PODS, successor)

    assert engine_answers.undo() == "told engine-c to behave"
    assert engines.told == {"engine-c": {}}


def test_a_silent_engine_keeps_no_other_from_behaving(stage: Stage, engines: Engines) -> None:
    """Every engine is tried and those that are silent are named; the undo stays open for them."""
    engine_answers.inject(streams_min=1, engines=0, status=503)
    engines.silent = {"engine-a", "engine-b"}
    with pytest.raises(ClusterError, match="be run in engine-a; no program can be run in engine-b"):
        engine_answers.undo()
    assert [name for name, told in engines.told.items() if not told] == ["engine-c"]
    assert (len(evidence.open_undos(stage.run_dir)), stage.states()) == (1, ["armed", "injected"])
    engines.silent.clear()

    assert engine_answers.undo() == "told engine-a, engine-b, engine-c to behave"
    assert engines.told == {f"engine-{one}": {} for one in "abc"}


def test_undo_is_safe_to_repeat(stage: Stage, engines: Engines) -> None:
    """A second undo changes nothing and notes nothing; one undo can be replayed from its record alone."""
    engine_answers.inject(streams_min=1, pod="engine-a", status=503)
    (recorded,) = evidence.open_undos(stage.run_dir)
    engine_answers.undo()

    assert engine_answers.undo().startswith("nothing to undo")
    assert engine_answers.undo_one(stage.api, recorded) == "told engine-a to behave"
    with pytest.raises(ClusterError, match="nobody here knows how to 'teach'"):
        engine_answers.undo_one(stage.api, replace(recorded, action="teach"))
    stage.cluster.delete(PODS, "engine-a")
    assert "nobody" in engine_answers.undo_one(stage.api, recorded)
    assert engines.told == {"engine-a": {}}
    assert stage.states() == ["armed", "injected", "undone"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"pod": "engine-x", "status": 503}, "0 pods of llm-inference of 1 are ready and is named engine-x"),
        ({"engines": 4, "status": 503}, "3 pods of llm-inference of 4 are ready"),
        ({"share": 0, "status": 503}, "is how an engine answers that is sound"),
        ({"share": 0.5}, "is how an engine answers that is sound"),
    ],
)
def test_what_matches_nothing_raises(
    stage: Stage, engines: Engines, asked: dict[str, Any], said: str
) -> None:
    """Too few engines, a name that is not there, and an order that changes nothing are refused."""
    with pytest.raises(ClusterError, match=f"nothing to tell: .*{said}"):
        engine_answers.inject(streams_min=0, **asked)
    assert (engines.told, stage.states()) == ({}, [])


def test_nobody_is_told_without_streams(stage: Stage, engines: Engines) -> None:
    """Too few streams in flight end it while it is only armed: nothing was changed or has to be undone."""
    with pytest.raises(TimeoutError, match=r"6 streams in flight on engine-b; last seen: \{'engine-b': 5\}"):
        engine_answers.inject(streams_min=6, pod="engine-b", status=503)

    assert engine_answers.undo().startswith("nothing to undo")
    assert (engines.told, stage.states()) == ({}, ["armed"])


@pytest.mark.usefixtures("stage")
def test_landed_before_anything_was_injected_raises() -> None:
    """There is nothing to have landed."""
    with pytest.raises(ClusterError, match=r"^fault did not land: nothing was injected"):
        engine_answers.landed()
