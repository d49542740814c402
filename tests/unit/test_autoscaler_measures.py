"""What an autoscaler wanted, and for how long it could not tell."""

from dataclasses import replace

import pytest
from tests.golden.case import BASELINE_AT_S, FAULT_AT_S
from tests.golden.make_run import made_facts

from sealegs.judgement.facts import fault_story
from sealegs.judgement.fates import fates_of
from sealegs.judgement.in_flight import InFlight
from sealegs.judgement.measures import MEASURES
from sealegs.judgement.measures.measured import Measured
from sealegs.judgement.situation import Situation
from sealegs.scenario.claim import Bound

Word = tuple[float, int, bool]

# Where the made-up run's fault is gone.
RECOVERY_AT_S = FAULT_AT_S + 35.0


def measured(
    measure: str,
    words: list[Word],
    *,
    phase: str = "fault",
    app: str = "llm-inference",
    at_most: float | None = None,
) -> Measured:
    """One measure of a run whose autoscaler said these: when, how many it wanted, whether it was active."""
    facts = made_facts("pass")
    records = [
        {
            "t_s": t_s,
            "kind": "autoscaler",
            "name": "a",
            "app": "llm-inference",
            "wanted": wanted,
            "active": active,
        }
        for t_s, wanted, active in words
    ]
    facts = replace(facts, timeline=tuple(sorted((*facts.timeline, *records), key=lambda one: one["t_s"])))
    situation = Situation(facts=facts, fates=fates_of(facts), story=fault_story(facts), in_flight=InFlight())
    return MEASURES[measure](
        situation, Bound(name="b", measure=measure, phase=phase, app=app, at_most=at_most)
    )


@pytest.mark.parametrize(
    ("words", "moved"),
    [
        ([(1.0, 3, True)], 0),  # what it said long before holds
        ([(1.0, 2, True), (BASELINE_AT_S + 1, 3, True)], 0),  # what it wanted until the phase does not count
        ([(1.0, 3, True), (FAULT_AT_S + 5, 6, True), (FAULT_AT_S + 6, 2, False)], 4),
        ([(1.0, 3, True), (RECOVERY_AT_S + 1, 6, True)], 0),
        ([(RECOVERY_AT_S + 1, 6, True)], None),
        ([], None),
    ],
)
def test_what_an_autoscaler_wanted_moved_by_so_much(words: list[Word], moved: int | None) -> None:
    """The most less the fewest, of all that it wanted during the phase; unknown where it said nothing."""
    assert measured("autoscaler-moved", words).value == moved


@pytest.mark.parametrize(
    ("words", "blind_s"),
    [
        ([(1.0, 3, True)], 0.0),
        ([(1.0, 3, True), (FAULT_AT_S + 5, 3, False), (FAULT_AT_S + 12.5, 3, True)], 7.5),
        ([(FAULT_AT_S - 5, 3, False), (FAULT_AT_S + 2, 3, True)], 2.0),
        ([(FAULT_AT_S + 5, 3, False)], RECOVERY_AT_S - FAULT_AT_S - 5),
        ([], None),
    ],
)
def test_an_autoscaler_was_blind_for_so_long(words: list[Word], blind_s: float | None) -> None:
    """From each word that it is not active to the next that it is, as far as that lies in the phase."""
    assert measured("autoscaler-blind-s", words).value == pytest.approx(blind_s)


@pytest.mark.parametrize(
    ("words", "wanted_s"),
    [
        ([(1.0, 2, True), (FAULT_AT_S + 5, 4, True), (FAULT_AT_S + 9, 5, True)], 5.0),
        ([(1.0, 2, True), (BASELINE_AT_S + 1, 3, True), (FAULT_AT_S + 9, 4, True)], 9.0),
        ([(1.0, 3, True), (FAULT_AT_S + 5, 2, True), (FAULT_AT_S + 9, 3, True)], None),  # as many as before
        ([(1.0, 2, True), (RECOVERY_AT_S + 5, 4, True)], RECOVERY_AT_S + 5 - FAULT_AT_S),
        ([(1.0, 4, True), (BASELINE_AT_S + 1, 2, True), (FAULT_AT_S + 5, 3, True)], 5.0),
        ([(FAULT_AT_S + 5, 4, True), (FAULT_AT_S + 9, 5, True)], None),  # nobody knows what it wanted before
        ([], None),
    ],
)
def test_an_autoscaler_wanted_more_after_so_long(words: list[Word], wanted_s: float | None) -> None:
    """From the start of the phase to the first word of more than held then, be it after the phase."""
    assert measured("autoscaler-wanted-more-s", words).value == pytest.approx(wanted_s)


def test_an_autoscaler_that_never_wanted_more_is_late() -> None:
    """By what was watched, where a limit is shorter than that."""
    words = [(1.0, 2, False)]

    assert measured("autoscaler-wanted-more-s", words, at_most=1000.0).value is None
    late_s = measured("autoscaler-wanted-more-s", words, at_most=30.0).value
    assert late_s is not None
    assert late_s > RECOVERY_AT_S - FAULT_AT_S


@pytest.mark.parametrize(
    ("wanted", "flaps"),
    [
        ([4], 0),
        ([4, 3, 2], 0),
        ([4, 5, 4, 3], 0),  # more first: nothing was taken back
        ([4, 3, 3, 4], 1),
        ([4, 3, 4, 3, 5], 2),
    ],
)
def test_an_autoscaler_flaps_when_it_takes_back_what_it_took_away(wanted: list[int], flaps: int) -> None:
    """More after fewer, however much; what it wanted after the phase does not count."""
    words = [(FAULT_AT_S + 5 * turn - 2, count, True) for turn, count in enumerate(wanted)]

    assert measured("autoscaler-flaps", [*words, (RECOVERY_AT_S + 1, 9, True)]).value == flaps
    assert measured("autoscaler-flaps", []).value is None


def test_another_app_s_autoscaler_says_nothing() -> None:
    """A bound is about one app."""
    words = [(1.0, 3, True)]

    assert measured("autoscaler-moved", words, app="llm-api").value is None
    assert measured("autoscaler-blind-s", words, app="llm-api").value is None
    assert measured("autoscaler-wanted-more-s", words, app="llm-api").value is None
    assert measured("autoscaler-flaps", words, app="llm-api").value is None
