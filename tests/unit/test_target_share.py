"""How much of the traffic the fault's engines got, out of made evidence: a fault that is on for 20 s."""

from collections.abc import Sequence

import pytest
from tests.unit import lost_requests
from tests.unit.lost_requests import STRUCK_S, Row, pod, struck

from sealegs.judgement.facts import fault_story
from sealegs.judgement.fates import fates_of
from sealegs.judgement.in_flight import InFlight
from sealegs.judgement.measures import MEASURES
from sealegs.judgement.measures.measured import Measured
from sealegs.judgement.situation import Situation
from sealegs.scenario.claim import Bound

LANDED_S, UNDONE_S = STRUCK_S + 5, STRUCK_S + 25


def state(name: str, t_s: float) -> Row:
    """The fault has reached a state."""
    return struck() | {"t_s": t_s, "state": name}


TIMELINE = (
    *(pod(1.0, name) for name in ("hit", "other", "door-hit")),
    struck(),
    state("landed", LANDED_S),
    state("undone", UNDONE_S),
)


def measured(*sent: tuple[float, str], timeline: Sequence[Row] = TIMELINE) -> Measured:
    """The share, where requests were sent at these times and answered by these pods."""
    rows = [
        lost_requests.row(number, intended_s=sent_s, sent_s=sent_s, end_s=sent_s + 1, outcome="ok", pod=name)
        for number, (sent_s, name) in enumerate(sent)
    ]
    facts = lost_requests.run(rows, timeline=timeline)
    situation = Situation(facts=facts, fates=fates_of(facts), story=fault_story(facts), in_flight=InFlight())
    return MEASURES["target-share"](situation, Bound(name="b", measure="target-share"))


def test_the_share_is_of_what_was_sent_while_the_fault_was_on() -> None:
    """Before it landed and from its undo on nothing counts, nor does what nobody put a name on."""
    outside = [(LANDED_S - 0.1, "hit"), (UNDONE_S, "hit"), (LANDED_S + 1, "")]
    found = measured((LANDED_S, "hit"), (LANDED_S + 9, "other"), (UNDONE_S - 0.1, "other"), *outside)

    assert found.value == pytest.approx(1 / 3)
    assert found.detail.startswith("of 3 requests sent while the fault was on 1 went to ")
    assert found.request_ids == ("r0",)


def test_a_fault_that_was_not_undone_is_on_to_the_end() -> None:
    """Its evidence ends, not its effect."""
    late = (UNDONE_S + 1, "hit")

    assert measured((LANDED_S, "other"), late, timeline=TIMELINE[:-1]).value == pytest.approx(1 / 2)


def test_without_a_fault_that_landed_or_a_request_nothing_is_measured() -> None:
    """A share of nothing is no small share."""
    assert measured((LANDED_S, "hit"), timeline=TIMELINE[:-2]).value is None
    assert measured((LANDED_S - 1, "hit")).value is None
