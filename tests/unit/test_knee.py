"""The knee: a search that ends at it whatever it is, and says what it could not see."""

import dataclasses
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.made_fates import fates, planned, row

from sealegs.judgement.fates import Fates
from sealegs.judgement.validity.client import LIMITS
from sealegs.knee import RATE_RPS_MIN, RATIO, WINDOW_S, Step, knee_of, next_rate, step_of, too_small
from sealegs.scenario import Scenario, load_scenario
from sealegs.scenario.arrivals import Arrivals
from sealegs.scenario.claim import Objective

ROOT = Path(__file__).parents[2]
# More than this a search from any of the tested starts never takes.
STEPS_MAX = 24
CALM = {limit.key: 0.0 for limit in LIMITS} | {"canaries_taken": True}


def tried(rate_rps: float, *, holds: bool, busy: bool = False) -> Step:
    """A step that held or did not, by a client that was busy or not."""
    return Step(
        rate_rps=rate_rps,
        due=100,
        sent_rps=rate_rps,
        good=100 if holds else 50,
        bound_low=0.0,
        bound_high=1.0,
        ttft_s_p95=0.1,
        refused=0 if holds else 50,
        tokens_per_s=1.0,
        missed=() if holds else ("success-baseline",),
        doubts=("the client cannot be trusted",) if busy else (),
    )


def searched(knee_rps: float, *, start_rps: float, busy_from_rps: float = np.inf) -> list[Step]:
    """The steps of a search on a stack with that knee, by a client that is busy from some rate on."""
    steps: list[Step] = []
    while (rate_rps := next_rate(steps, start_rps=start_rps)) is not None:
        assert len(steps) < STEPS_MAX
        steps.append(tried(rate_rps, holds=rate_rps <= knee_rps, busy=rate_rps >= busy_from_rps))
    return steps


@given(knee_rps=st.floats(0.3, 500), start_rps=st.floats(0.5, 50))
def test_a_search_ends_at_the_knee(knee_rps: float, start_rps: float) -> None:
    """From wherever it begins: the best rate that holds is below the knee, the next one above and near it."""
    steps = searched(knee_rps, start_rps=start_rps)
    knee = knee_of(steps)

    assert knee.ending == "found"
    assert knee.rate_rps is not None
    assert knee.above_rps is not None
    assert knee.rate_rps <= knee_rps < knee.above_rps <= RATIO * knee.rate_rps
    assert len({step.rate_rps for step in steps}) == len(steps)


def test_a_search_takes_few_steps() -> None:
    """From half or twice the knee it is found in six; each costs half a minute of four."""
    assert max(len(searched(9.0, start_rps=start)) for start in np.geomspace(4.5, 18, 50)) <= 6


@given(start_rps=st.floats(0.5, 50))
def test_a_stack_that_holds_nothing_ends_a_search(start_rps: float) -> None:
    """Downwards it goes to the lowest rate worth a name, and then says that there is no knee."""
    steps = searched(0.0, start_rps=start_rps)

    assert knee_of(steps).ending == "none"
    assert RATE_RPS_MIN <= min(step.rate_rps for step in steps) < 2.1 * RATE_RPS_MIN


@given(knee_rps=st.floats(1, 100), busy_rps=st.floats(1, 100), start_rps=st.floats(0.5, 50))
def test_a_busy_client_is_never_taken_for_the_knee(
    knee_rps: float, busy_rps: float, start_rps: float
) -> None:
    """A rate that breaks while the client is busy leaves a knee that is at least the best that held."""
    steps = searched(knee_rps, start_rps=start_rps, busy_from_rps=busy_rps)
    knee = knee_of(steps)

    above = next((step for step in steps if step.rate_rps == knee.above_rps), None)
    assert knee.ending in {"found", "client"}
    assert (knee.ending == "client") == (above is not None and above.word == "client")
    assert knee.rate_rps is None or knee.rate_rps <= knee_rps


def test_what_holds_under_a_busy_client_holds() -> None:
    """A client that reads late makes a stack look slower, not faster."""
    assert tried(4.0, holds=True, busy=True).word == "holds"
    assert tried(4.0, holds=False, busy=True).word == "client"
    assert tried(4.0, holds=False).word == "breaks"


def test_a_search_that_was_stopped_says_so() -> None:
    """Between the two that it has tried lies more than is asked for: the knee is not found yet."""
    knee = knee_of([tried(8, holds=True), tried(16, holds=False)])

    assert (knee.rate_rps, knee.above_rps, knee.ending) == (8, 16, "time")
    assert knee.goodput_rps == 100 / WINDOW_S


def test_a_rate_above_one_that_broke_is_not_the_knee() -> None:
    """Where a higher rate held by luck, the knee is below the lowest that broke."""
    knee = knee_of([tried(8, holds=True), tried(16, holds=True), tried(9, holds=False)])

    assert (knee.rate_rps, knee.above_rps, knee.ending) == (8, 9, "found")


@pytest.fixture
def scenario() -> Scenario:
    """A scenario of two objectives in its baseline, and one elsewhere that nothing could meet."""
    found = load_scenario(ROOT / "scenarios" / "gpu-node-drain.toml", files_exist=False)
    return replace(
        found,
        objectives=(
            Objective(name="success", sli="success", phase="baseline", target=0.7),
            Objective(name="ttft", sli="ttft", phase="baseline", limit_s=0.5, target=0.7),
            Objective(name="later", sli="ttft", phase="recovery", limit_s=1e-9, target=0.99),
        ),
    )


def window(*rows: dict[str, object]) -> Fates:
    """Four requests due in a step's window, and one before it, that became of as the rows say."""
    return fates(planned(5.0, 11.0, 12.0, 13.0, 14.0), row("r0", 5.0, outcome="http_429"), *rows)


def test_a_step_counts_its_window_only(scenario: Scenario) -> None:
    """What settled before it is not in it; a refused and a slow one are not good, and only one is missed."""
    seen = window(
        row("r1", 11.0),
        row("r2", 12.0),
        row("r3", 13.0, first_token_s=13.6),
        row("r4", 14.0, outcome="http_429", first_token_s=None, tokens_received=0),
    )

    step = step_of(seen, CALM, scenario)

    assert (step.due, step.good, step.refused) == (4, 2, 1)
    assert step.missed == ("ttft",)
    assert step.ttft_s_p95 == pytest.approx(0.6)
    assert step.tokens_per_s == 30 / WINDOW_S
    assert step.bound_low < 0.5 < step.bound_high
    assert step.word == "breaks"


def test_a_step_without_requests_holds_nothing(scenario: Scenario) -> None:
    """No data is never a pass."""
    assert step_of(fates(planned(5.0), row("r0", 5.0)), CALM, scenario).missed == ("success", "ttft")


@pytest.mark.parametrize("key", [limit.key for limit in LIMITS])
def test_every_limit_of_the_client_is_a_doubt(scenario: Scenario, key: str) -> None:
    """What would make a run INVALID makes a step that breaks nobody's fault; load without a word does too."""
    seen = window(*(row(f"r{number}", 10.0 + number, outcome="http_429") for number in range(1, 5)))

    assert step_of(seen, CALM, scenario).word == "breaks"
    assert step_of(seen, CALM | {key: 1.0}, scenario).word == "client"
    assert step_of(seen, None, scenario).word == "client"


def test_late_sends_are_a_doubt(scenario: Scenario) -> None:
    """Requests that left 60 ms after their time were not sent as planned."""
    late = [
        row(f"r{number}", 10.0 + number, sent_s=10.06 + number, outcome="http_429") for number in range(1, 5)
    ]

    assert step_of(window(*late), CALM, scenario).doubts == (
        "99% of requests left within 60.0 ms of their time",
    )


def on_a_machine(scenario: Scenario, knee_rps: float, *, share: float, arrivals: Arrivals) -> Scenario:
    """The scenario at a share of a machine's knee."""
    traffic = replace(scenario.traffic, knee_share=share, rate_rps=share * knee_rps, arrivals=arrivals)
    return replace(scenario, traffic=traffic)


@given(share=st.floats(0.1, 1.0), low=st.floats(0.2, 1.0))
def test_a_machine_is_too_small_by_a_number_that_would_do(share: float, low: float) -> None:
    """The knee that is asked for decides every objective; a hundredth less does not."""
    claims = load_scenario(ROOT / "scenarios" / "gpu-node-drain.toml", files_exist=False)
    steps = Arrivals(kind="steps", factors=(1.0, low), step_s=60)

    told = too_small(on_a_machine(claims, 0.01, share=share, arrivals=steps))

    assert told is not None
    needed_rps = float(told.rsplit("a knee of ", 1)[1].split()[0])
    assert too_small(on_a_machine(claims, needed_rps * 1.01, share=share, arrivals=steps)) is None
    assert too_small(on_a_machine(claims, needed_rps * 0.98, share=share, arrivals=steps)) is not None
    assert too_small(claims) is None


def test_a_step_is_plain_json() -> None:
    """What is kept of a step are numbers and texts."""
    kept = dataclasses.asdict(tried(8, holds=False))

    assert all(isinstance(value, int | float | tuple) for value in kept.values())
