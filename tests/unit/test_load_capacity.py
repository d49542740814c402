"""What the load processes can send, against what is planned."""

import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.load.drive import scenario_of

from sealegs.errors import ScenarioError
from sealegs.scenario.workload import Traffic
from sealegs.traffic import capacity


def traffic_of(**keys: object) -> Traffic:
    """A scenario's traffic: answers of 100 tokens a second, any number at a time."""
    return scenario_of(**{"in_flight_max": 100_000, "tokens_per_s": 100.0} | keys).traffic


def planned(times_s: list[float], *, tokens: list[int]) -> pa.Table:
    """The columns of a schedule that matter here."""
    return pa.table(
        {"intended_s": pa.array(sorted(times_s), pa.float64()), "output_tokens": pa.array(tokens, pa.int32())}
    )


def every(period_s: float, *, count: int, tokens: int) -> pa.Table:
    """Equal requests in even steps."""
    return planned([period_s * number for number in range(count)], tokens=[tokens] * count)


def test_steady_traffic_is_its_rate_and_littles_law() -> None:
    """20 requests a second of 50 tokens: answers of half a second, ten at a time, 1000 tokens a second."""
    schedule = every(0.05, count=400, tokens=50)

    assert capacity.requests_per_s_max(schedule) == pytest.approx(20, abs=1)
    assert capacity.tokens_per_s_max(schedule, traffic_of()) == pytest.approx(1000, abs=100)


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 5000).map(lambda ms: ms / 1000), st.integers(1, 300)),
        min_size=1,
        max_size=40,
    )
)
def test_the_busiest_moment_is_found(rows: list[tuple[float, int]]) -> None:
    """Streams at the busiest of all moments, and requests in the busiest second, as counted one by one."""
    rows = sorted(rows)
    schedule = planned([at_s for at_s, _ in rows], tokens=[tokens for _, tokens in rows])
    streams = max(
        sum(begin_s <= at_s < begin_s + tokens / 100 for begin_s, tokens in rows) for at_s, _ in rows
    )
    requests = max(sum(at_s <= other_s < at_s + 1 for other_s, _ in rows) for at_s, _ in rows)

    assert capacity.tokens_per_s_max(schedule, traffic_of()) == streams * 100
    assert capacity.requests_per_s_max(schedule) == requests


def test_the_cap_is_a_cap_on_tokens_too() -> None:
    """What is never sent is never answered."""
    schedule = every(0.001, count=1000, tokens=1000)

    assert capacity.tokens_per_s_max(schedule, traffic_of(in_flight_max=30)) == 3000


@pytest.mark.parametrize(
    "schedule",
    [
        every(1 / (4 * capacity.REQUESTS_PER_S_MAX), count=8000, tokens=1),
        every(0.01, count=2000, tokens=300),
    ],
    ids=["requests", "tokens"],
)
def test_too_much_is_refused_and_what_fits_is_named(schedule: pa.Table) -> None:
    """Four times too much: the named rate and the named number of processes fit indeed."""
    span_s = schedule["intended_s"][-1].as_py()
    rate_rps = schedule.num_rows / span_s
    with pytest.raises(ScenarioError, match=r"load\.toml: rate_rps = .* than 1 process can send") as refused:
        capacity.require(schedule, traffic_of(rate_rps=rate_rps), path=Path("load.toml"))
    fits = re.search(r"rate_rps = ([\d.]+) fits, or processes = (\d+)", str(refused.value))
    assert fits is not None
    slower = schedule.set_column(
        0, "intended_s", pa.array(schedule["intended_s"].to_numpy() * rate_rps / float(fits[1]))
    )

    assert rate_rps / 5 < float(fits[1]) < rate_rps / 2
    capacity.require(slower, traffic_of(), path=Path("load.toml"))
    capacity.require(schedule, traffic_of(processes=int(fits[2])), path=Path("load.toml"))
    with pytest.raises(ScenarioError):
        capacity.require(schedule, traffic_of(processes=int(fits[2]) - 1), path=Path("load.toml"))


def test_what_fits_is_not_refused() -> None:
    """Ordinary traffic, and none at all."""
    capacity.require(every(0.1, count=100, tokens=100), traffic_of(), path=Path("load.toml"))
    capacity.require(planned([], tokens=[]), traffic_of(), path=Path("load.toml"))
