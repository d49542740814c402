"""What an overload's bounds are about: goodput, fast refusals, nothing but refusals, and normal again."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.golden.make_run import made_facts
from tests.unit.made_fates import PHASES, fates, planned, row

from sealegs.judgement.in_flight import InFlight
from sealegs.judgement.measures import MEASURES
from sealegs.judgement.measures.measured import Measured
from sealegs.judgement.situation import Situation
from sealegs.scenario.claim import Bound, Objective

LIMIT_S = 2.0
OBJECTIVES = (
    Objective(name="success", sli="success", phase="baseline", target=0.9),
    Objective(name="ttft", sli="ttft", phase="baseline", limit_s=LIMIT_S, target=0.9),
    # Of another phase: what it asks is nobody's normal.
    Objective(name="later", sli="ttft", phase="recovery", limit_s=1e-9, target=0.9),
)
# One request a second through all phases: r0 at 0.5 s, r10 at 10.5 s and so on; the last phase has no end.
TIMES_S = tuple(second + 0.5 for second in range(60))
CUT = {"outcome": "cut_rst"}
REFUSED: dict[str, Any] = {"outcome": "http_429", "first_token_s": None, "tokens_received": 0}


def measured(
    measure: str,
    bad: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    phase: str = "fault",
    objectives: tuple[Objective, ...] = OBJECTIVES,
    at_most: float | None = None,
) -> Measured:
    """A measure of the minute in which all requests were answered but those that `bad` names."""
    rows = [row(f"r{number}", t_s, **(bad or {}).get(f"r{number}", {})) for number, t_s in enumerate(TIMES_S)]
    facts = made_facts("pass")
    marks = [{"kind": "phase", "name": one.name, "t_s": one.start_s} for one in PHASES]
    facts = replace(facts, timeline=tuple(marks), scenario=replace(facts.scenario, objectives=objectives))
    situation = Situation(
        facts=facts, fates=fates(planned(*TIMES_S), *rows), story=None, in_flight=InFlight()
    )
    return MEASURES[measure](situation, Bound(name="b", measure=measure, phase=phase, at_most=at_most))


def test_goodput_is_good_requests_a_second_of_the_phase() -> None:
    """Refused, slow and failed ones are not good; those of other phases are not in it."""
    slow = {"first_token_s": 24.5 + LIMIT_S + 0.01}
    bad = {"r5": REFUSED, "r22": REFUSED, "r23": CUT, "r24": slow, "r35": REFUSED}

    assert measured("goodput-rps").value == pytest.approx(1.0)
    assert measured("goodput-rps", bad).value == pytest.approx(0.7)


def test_a_phase_that_did_not_end_has_no_goodput() -> None:
    """How long it lasted is not known, so nothing is measured."""
    assert measured("goodput-rps", phase="recovery").value is None
    assert measured("goodput-rps", phase="run").value is None


def test_a_refusal_counts_from_when_the_request_was_due() -> None:
    """Of the phase's refused ones the slowest of so few; without any there is nothing to measure."""
    at_once, later = {**REFUSED, "end_s": 22.52}, {**REFUSED, "end_s": 25.1, "sent_s": 25.0}
    before = {**REFUSED, "end_s": 19.0}

    assert measured("refusal-s-p99", {"r22": at_once, "r24": later, "r5": before}).value == pytest.approx(0.6)
    assert measured("refusal-s-p99", {"r5": before}).value is None


def test_what_fails_otherwise_is_counted_by_its_outcome() -> None:
    """A 429 is no other failure; a stream that was cut is one, and is named."""
    found = measured("failed-otherwise", {"r22": REFUSED, "r23": CUT, "r5": CUT})

    assert (found.value, found.request_ids) == (1, ("r23",))
    assert "1 cut_rst" in found.detail
    assert measured("failed-otherwise").value == 0


def test_normal_again_is_where_the_good_slices_begin() -> None:
    """Counted from the end of the phase: the second slice of 5 s has a slow one, later ones have none."""
    assert measured("normal-again-s", {"r22": REFUSED}).value == 0.0
    assert measured("normal-again-s", {"r37": {"first_token_s": 37.5 + LIMIT_S + 0.01}}).value == 10.0
    assert measured("normal-again-s", {"r52": REFUSED}).value is None


def test_not_normal_beyond_the_limit_is_as_long_as_was_watched() -> None:
    """Nobody answered to the end is later than 15 s; than 60 s nobody knows."""
    never = {f"r{number}": REFUSED for number in range(30, 60)}

    assert measured("normal-again-s", never, at_most=15.0).value == pytest.approx(29.5)
    assert measured("normal-again-s", never, at_most=60.0).value is None


def test_without_a_limit_nobody_knows_what_is_normal() -> None:
    """A scenario that has no ttft objective in its baseline says nothing that recovery could be held to."""
    assert measured("normal-again-s", objectives=OBJECTIVES[:1]).value is None
