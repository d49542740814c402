"""What is made of the words of the doors' proxies, and of their silence."""

from concurrent.futures import Future
from typing import Any

import pytest
from tests.unit import api_objects

from sealegs.judgement.mesh import OLD_S_MAX
from sealegs.kube.objects import Pod, parse_pod
from sealegs.kube.reads import sums
from sealegs.recorder import proxies
from sealegs.recorder.proxies import EJECTIONS, EVERY_BEATS, NAMES, OUTBOUND, OVERFLOW, RETRIES, Proxies

SILENT = "silent"


class Stage:
    """Proxies that say what they are told to, on a clock of the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        self.says: dict[str, Any] = {}
        self.proxies = Proxies(self._ask)
        monkeypatch.setattr(proxies, "now_s", lambda: self.now_s)

    def beats(self, *names: str, count: int = EVERY_BEATS + 1) -> None:
        """As many beats a second apart as it takes to ask and to hear the answer."""
        for _ in range(count):
            self.proxies.beat([door(name) for name in names])
            self.now_s += 1

    def _ask(self, pod: Pod) -> "Future[dict[str, float]]":
        answer: Future[dict[str, float]] = Future()
        said = self.says[pod.name]
        if said == SILENT:
            answer.set_exception(TimeoutError())
        else:
            answer.set_result(said)
        return answer


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Nobody was asked yet."""
    return Stage(monkeypatch)


def door(name: str) -> Pod:
    """A pod of the door."""
    item = api_objects.pod(name, app="llm-api")
    item["metadata"]["uid"] = f"uid-{name}"
    return parse_pod(item)


def said(*, overflow: float = 0, retries: float = 0, **more: float) -> dict[str, float]:
    """What a proxy says that exports its statistics."""
    return {OVERFLOW: overflow, RETRIES: retries, **more}


@pytest.mark.parametrize("word", [SILENT, {}, {RETRIES: 0.0}])
def test_of_silence_nothing_follows(stage: Stage, word: Any) -> None:  # noqa: ANN401  a word, or none
    """A proxy that does not answer, or does not export what is asked for, is not one with nothing to tell."""
    stage.says = {"a": said(), "b": word}
    stage.beats("a", "b")

    assert stage.proxies.ejected() == {"a": 0}
    assert stage.proxies.since_start() == {}


def test_an_old_word_is_none(stage: Stage) -> None:
    """One that answered once and never again is not quoted for ever; when it is back its counts are whole."""
    stage.says = {"a": said(overflow=1, **{EJECTIONS: 1})}
    stage.beats("a")
    assert stage.proxies.ejected() == {"a": 1}
    stage.says = {"a": SILENT}
    stage.beats("a", count=int(OLD_S_MAX) + EVERY_BEATS)
    assert (stage.proxies.ejected(), stage.proxies.since_start()) == ({}, {})
    stage.says = {"a": said(overflow=8)}
    stage.beats("a")

    assert stage.proxies.since_start()["pending_overflow"] == 7


def test_counts_go_on_over_a_restart(stage: Stage) -> None:
    """A proxy that began anew in its pod counts from nothing; what it had counted before is not lost."""
    for overflow in (10, 14, 3):
        stage.says = {"a": said(overflow=overflow)}
        stage.beats("a")

    assert stage.proxies.since_start()["pending_overflow"] == 4 + 3


def test_one_that_came_later_counts_whole_and_one_that_went_keeps_its_share(stage: Stage) -> None:
    """Of those that were there first only what they counted since; of a new one everything."""
    stage.says = {"a": said(retries=10), "b": said(retries=5)}
    stage.beats("a")
    stage.says["a"] = said(retries=12)
    stage.beats("a", "b")
    stage.beats("b")

    assert stage.proxies.since_start()["retries"] == 2 + 5


def test_without_a_proxy_nothing_is_known(stage: Stage) -> None:
    """No door is ready: that is no zero."""
    stage.beats()

    assert (stage.proxies.ejected(), stage.proxies.since_start()) == ({}, {})


def test_only_requests_of_the_stack_count() -> None:
    """Istio's own choice of statistics has those of istiod's cluster: they say nothing of the engines'."""
    text = f'{OVERFLOW}{{cluster_name="xds-grpc"}} 0\n{RETRIES}{{cluster_name="outbound|8000||engines"}} 2\n'

    assert sums(text, names=NAMES, of=OUTBOUND) == {RETRIES: 2.0}
