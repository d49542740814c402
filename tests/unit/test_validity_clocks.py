"""Whose clock says what: offsets are bounded by what cannot be, and what nobody knows is no pass."""

import dataclasses
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.golden.case import BASELINE_AT_S, FAULT_AT_S, NODES, PODS
from tests.golden.make_run import WALL_ZERO_S, made_facts
from tests.unit.changes import check, with_truth

from sealegs.judgement.facts import Facts, Record
from sealegs.judgement.fates import fates_of
from sealegs.judgement.validity.clocks import Offset, offsets
from sealegs.judgement.verdict import decide

# How long the made-up way to an engine and back takes.
THERE_S, BACK_S = 0.001, 0.002


def ahead(facts: Facts, s: float, *, on: Callable[[Record], bool] = lambda _: True) -> Facts:
    """The facts as they were with some of the nodes' wall clocks ahead by so much."""
    return with_truth(facts, lambda line: {**line, "wall_s": line["wall_s"] + s} if on(line) else line)


def summed_up(facts: Facts, **changes: float | str | None) -> Facts:
    """The facts with something changed that the client says of its clocks."""
    return dataclasses.replace(facts, load_summary={**(facts.load_summary or {}), **changes})


def elsewhere(facts: Facts) -> Facts:
    """The facts of a cluster that was not made here."""
    return dataclasses.replace(facts, run={**facts.run, "cluster": {"owned": False}})


def found(facts: Facts) -> dict[str, dict[str, Offset]]:
    """The offsets that facts show."""
    return offsets(facts, fates_of(facts))


@given(st.floats(-1e4, 1e4))
@settings(max_examples=10, deadline=None)
def test_an_offset_lies_between_its_bounds_which_are_a_round_trip_apart(s: float) -> None:
    """Whatever it is: before and after, of each node."""
    for nodes in found(ahead(made_facts("pass"), s)).values():
        for one in nodes.values():
            assert one.low_s == pytest.approx(s - BACK_S, abs=2e-5)
            assert one.high_s == pytest.approx(s + THERE_S, abs=2e-5)


def test_offsets_are_known_of_each_node_before_and_after() -> None:
    """By node and not by pod: a replacement runs where its node's clock is."""
    seen = found(made_facts("pass"))

    assert sorted(seen["before"]) == sorted(NODES)
    assert sorted(seen["after"]) == [NODES[0], NODES[2]]


@pytest.mark.parametrize(
    ("offset_s", "ok"), [(0.0, True), (0.047, True), (-0.047, True), (0.0501, False), (-0.0501, False)]
)
def test_a_node_may_be_a_twentieth_of_a_second_off(offset_s: float, *, ok: bool) -> None:
    """One node is enough, before the fault or after it: the uncertainty counts as offset."""
    facts = made_facts("pass")
    for pod in (PODS[0], PODS[1]):
        verdict = decide(ahead(facts, offset_s, on=lambda line, pod=pod: line["pod"] == pod))  # type: ignore[misc]

        assert check(verdict, "clock-offset") == ok


def test_a_clock_that_was_set_under_the_fault_is_seen() -> None:
    """The runner's own wall clock counts too: before and after are each held against what it said then."""
    facts = made_facts("pass")

    assert not check(decide(summed_up(facts, wall_zero_s_after=WALL_ZERO_S + 1)), "clock-offset")
    moved = ahead(facts, 1.0, on=lambda line: line["wall_s"] > WALL_ZERO_S + FAULT_AT_S + 25)
    assert not check(decide(moved), "clock-offset")
    assert check(decide(summed_up(moved, wall_zero_s_after=WALL_ZERO_S + 1)), "clock-offset")


@pytest.mark.parametrize("key", ["wall_s", "first_token_s"])
def test_what_was_not_measured_passes_only_on_this_machine(key: str) -> None:
    """Engines that do not say their time leave the clocks of other machines unknown."""
    facts = made_facts("pass")
    mute = with_truth(facts, lambda line: {**line, key: None})

    assert check(decide(mute), "clock-offset")
    assert not check(decide(elsewhere(mute)), "clock-offset")
    assert check(decide(elsewhere(facts)), "clock-offset")
    assert not check(decide(summed_up(elsewhere(facts), wall_zero_s_after=None)), "clock-offset")


def test_a_request_that_was_answered_twice_shows_nothing() -> None:
    """Nobody knows which of two attempts its stamps belong to."""
    facts = made_facts("pass")
    twice = pa.concat_tables([facts.truth, ahead(facts, 9.0).truth])

    assert found(dataclasses.replace(facts, truth=twice)) == {}


def test_the_quickest_journeys_tell() -> None:
    """Requests that took long on the way, there or back, take nothing from what the others show."""
    facts = made_facts("pass")
    rows = [
        one | {"sent_s": one["sent_s"] - 0.4, "first_token_s": one["first_token_s"] + 0.5}
        if number % 2
        else one
        for number, one in enumerate(facts.requests.to_pylist())
    ]
    slowed = dataclasses.replace(facts, requests=pa.Table.from_pylist(rows, schema=facts.requests.schema))

    for nodes in found(slowed).values():
        for one in nodes.values():
            assert (one.low_s, one.high_s) == pytest.approx((-BACK_S, THERE_S), abs=2e-5)


@pytest.mark.parametrize("boot_id", ["another", None])
def test_load_on_another_machine_has_another_monotonic_clock(boot_id: str | None) -> None:
    """Its times cannot be laid beside the runner's."""
    assert not check(decide(summed_up(made_facts("pass"), boot_id=boot_id)), "clock-load")


@pytest.mark.parametrize(
    ("uncertainty_s", "drift_s", "ok"),
    [(0.01, -0.04, True), (0.01, 0.041, False), (0.06, 0.0, False), (0.001, None, False)],
)
def test_load_in_pods_is_as_good_as_their_clocks_are_known(
    uncertainty_s: float, drift_s: float | None, *, ok: bool
) -> None:
    """However far off they are, for that is accounted for; the worst pod counts, on whatever machine."""
    good = {"clock_offset_s": 1e6, "clock_uncertainty_s": 0.002, "clock_drift_s": 0.0}
    other = good | {"clock_uncertainty_s": uncertainty_s, "clock_drift_s": drift_s}
    facts = dataclasses.replace(
        made_facts("pass"),
        load_summary={**(made_facts("pass").load_summary or {}), "pods": [good, other], "boot_id": "x"},
    )

    assert check(decide(facts), "clock-load") == ok


def test_only_the_quiet_times_tell() -> None:
    """Requests of the fault's phase are left out: an engine that is killed stamps what it can."""
    facts = made_facts("pass")
    inside = (WALL_ZERO_S + FAULT_AT_S, WALL_ZERO_S + FAULT_AT_S + 30)
    wild = ahead(facts, 5.0, on=lambda line: inside[0] < line["wall_s"] < inside[1])

    assert found(wild) == found(facts)
    assert inside[0] > WALL_ZERO_S + BASELINE_AT_S
