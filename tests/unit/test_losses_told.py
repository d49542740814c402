"""Losses that somebody put into words: engines in their logs, the mesh by its flags, the api by its codes."""

import pyarrow as pa
import pytest
from tests.golden.make_run import made_facts
from tests.unit.lost_requests import Row, cause, line, open_from, record

from sealegs import tables
from sealegs.judgement.losses import UNEXPLAINED

REFUSALS: dict[str, tuple[str, Row, list[Row], list[Row]]] = {
    "by-name": ("refused-by-engine", {"outcome": "http_429", "pod": "other"}, [], [record("UO")]),
    "by-its-log": ("refused-by-engine", {"outcome": "http_429"}, [line(finish="refused")], []),
    "flagged": ("mesh-UO", {"outcome": "http_5xx"}, [], [record("UO")]),
    "used-up": ("mesh-UT", {"outcome": "http_5xx"}, [], [record("URX,UT")]),
    "only-used-up": ("mesh-URX", {"outcome": "http_5xx"}, [], [record("URX")]),
    "said-by-a-proxy": (
        "mesh-UC",
        {
            "outcome": "http_5xx",
            "outcome_detail": "status 503: upstream … reset reason: connection termination",
        },
        [],
        [record("-", upstream_host="10.0.0.2:8080")],
    ),
    "no-engine": (
        "engine-unreachable",
        {"outcome": "http_5xx", "outcome_detail": 'status 502: {"error":{"code":"engine_unreachable"'},
        [],
        [],
    ),
    "no-key": (
        "refused-by-api",
        {"outcome": "http_4xx", "outcome_detail": 'status 401: {"error":{"code":"invalid_api_key"'},
        [],
        [],
    ),
    "unknown-flag": (UNEXPLAINED, {"outcome": "http_5xx"}, [], [record("XYZ")]),
    "cut-with-a-flag": ("mesh-UR", {"outcome": "cut_fin"}, [], [record("UR")]),
    "client-hung-up-says-the-mesh": (UNEXPLAINED, {"outcome": "cut_rst"}, [], [record("DC")]),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_who_said_no_is_told_apart(case: str) -> None:
    """An engine by its name or its log, the mesh by a flag or its words, the api by its codes."""
    expected, values, truth, mesh = REFUSALS[case]

    assert cause(values, truth=truth, mesh=mesh) == expected


WAITS: dict[str, Row] = {
    "deadline-queued": {"finish": "cancelled"},
    "deadline-prefill": {"finish": "cancelled", "admitted_s": 7001.0},
    "deadline-decode": {"finish": "cancelled", "admitted_s": 7001.0, "first_token_s": 7002.0},
    "deadline-delivery": {"finish": "stop", "admitted_s": 7001.0, "first_token_s": 7002.0},
    "deadline": {"finish": "refused"},
}


@pytest.mark.parametrize(
    ("received_s", "expected"), [(84.0, "deadline-queued"), (85.5, "deadline-on-the-way")]
)
def test_what_reaches_an_engine_too_late_was_on_its_way(received_s: float, expected: str) -> None:
    """As on a network that was cut: nobody had it when the client gave up at 85 s, whatever came later.

    That takes a clock that the engine shares, and where it does not nothing is known of it.
    """
    run = made_facts("pass").run
    at_s = run["started_monotonic_ns"] / 1e9 + received_s
    late = [line(received_s=at_s, end_s=at_s + 0.001, finish="cancelled")]

    assert cause({"outcome": "deadline_first_token"}, truth=late, run=run) == expected
    assert cause({"outcome": "deadline_first_token"}, truth=late) == "deadline-queued"


@pytest.mark.parametrize("outcome", ["deadline_first_token", "deadline_total", "stall"])
@pytest.mark.parametrize("expected", WAITS)
def test_a_deadline_is_split_by_where_the_engine_had_it(expected: str, outcome: str) -> None:
    """Queued, reading, writing, or written already: as the engine's own line says. The mesh knows as much."""
    told = [line(**WAITS[expected])]

    assert cause({"outcome": outcome}, truth=told, mesh=[record("DC")]) == expected


def test_an_engine_that_noticed_the_hang_up_was_alive() -> None:
    """On a pod that the fault drains a deadline is the client's if the engine still worked on the request.

    One that noticed it much later was stopped, and so was one that read of the request only afterwards: that
    is the fault's.
    """
    values = open_from(90.0, 101.0, pod="hit", outcome="deadline_total")
    prompt = line(
        pod="hit",
        finish="cancelled",
        admitted_s=7001.0,
        first_token_s=7002.0,
        received_s=7000.0,
        end_s=7011.5,
    )

    assert cause(values, truth=[prompt]) == "deadline-decode"
    assert cause(values, truth=[prompt | {"end_s": 7020.0}]) == "fault"
    assert cause(values, truth=[prompt | {"end_s": 7000.01}]) == "fault"
    assert cause(values) == "fault"


def test_the_last_attempt_is_what_a_row_tells_of() -> None:
    """Of two lines the later stands; a line of an earlier attempt says nothing about one that left none."""
    tried = [{"request_id": "r0", "attempt": 1, "sent_s": 80.0, "end_s": 82.0, "outcome": "http_5xx"}]
    attempts = pa.Table.from_pylist(tried, schema=tables.ATTEMPTS)
    values = {"outcome": "deadline_total", "attempts": 2}
    early = line(finish="cancelled", wall_s=1.0)
    late = line(finish="cancelled", admitted_s=7001.0, first_token_s=7002.0, wall_s=2.0)

    assert cause(values, truth=[late, early], attempts=attempts) == "deadline-decode"
    assert cause(values, truth=[early], attempts=attempts) == "deadline"


def test_an_attempt_is_on_its_pod_from_when_it_can_have_been_sent() -> None:
    """A request first sent before the fault, whose last attempt came after the drained pod was gone."""
    tried = [{"request_id": "r0", "attempt": 1, "sent_s": 90.0, "end_s": 121.0, "outcome": "http_5xx"}]
    attempts = pa.Table.from_pylist(tried, schema=tables.ATTEMPTS)

    values = open_from(90.0, 122.0, pod="hit", attempts=2)
    assert cause(values, attempts=attempts) == UNEXPLAINED
