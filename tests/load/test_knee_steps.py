"""A step of the search for the knee, sent by real load processes to a server that remembers."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.load.drive import API_KEY, scenario_of
from tests.load.server import serving

from sealegs import knee, knee_search
from sealegs.errors import ClusterError
from sealegs.scenario import Scenario
from sealegs.scenario.claim import Objective

pytestmark = pytest.mark.load

SETTLE_S, WINDOW_S = 1.0, 2.0


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Scenario:
    """A short step of short answers, and what its baseline promises."""
    for module in (knee, knee_search):
        monkeypatch.setattr(module, "SETTLE_S", SETTLE_S)
        monkeypatch.setattr(module, "WINDOW_S", WINDOW_S)
    short = scenario_of(rate_rps=20.0, context_tokens_max=512, tokens_per_s=1_000.0)
    promised = Objective(name="success", sli="success", phase="baseline", target=0.5)
    return knee_search.at_rate(replace(short, objectives=(promised,)), 20.0, number=0)


def test_a_step_sends_its_schedule_and_hears_the_answers(asked: Scenario, tmp_path: Path) -> None:
    """What the server got is what was planned, all of it good; the window leaves out what settled."""
    told: list[str] = []
    with serving(token_gap_s=0.001) as server:
        step = knee_search._step(  # noqa: SLF001  the part of a search that needs no cluster
            asked, tmp_path / "01", gateway_url=server.url, api_key=API_KEY, lost=(), now=told.append
        )

    assert step.due == step.good > 0
    assert step.due < len(server.posts)
    assert step.tokens_per_s > 0
    assert step.missed == ()
    assert {"20 requests/s: getting ready"} < set(told)


def test_a_search_that_lost_its_cluster_stops_its_load(asked: Scenario, tmp_path: Path) -> None:
    """Somebody else's now: nothing more is sent at it, and the reason is told."""
    with serving() as server, pytest.raises(ClusterError, match="taken"):
        knee_search._step(  # noqa: SLF001  as above
            asked,
            tmp_path / "01",
            gateway_url=server.url,
            api_key=API_KEY,
            lost=("taken by another run",),
            now=lambda _: None,
        )

    assert server.posts == []
