"""Turns of a session: in order, one at a time, never before their plan, each exactly once."""

from hypothesis import given
from hypothesis import strategies as st

from sealegs.traffic.client.exchange import Planned
from sealegs.traffic.sessions import Due, Sessions


def turn(session: str, number: int, *, at_s: float, think_s: float = 1.0) -> Planned:
    """A planned turn."""
    return Planned(
        request_id=f"{session}-{number}",
        intended_s=at_s,
        prompt_tokens=10,
        output_tokens=10,
        model_type="default",
        session=session,
        turn=number,
        think_s=think_s,
    )


def test_who_has_no_session_never_waits() -> None:
    """A session of one turn is due when it was planned, and nothing follows its end."""
    alone = turn("a", 0, at_s=1.0)
    sessions = Sessions([alone, turn("b", 0, at_s=2.0)])

    assert sessions.take(alone) == Due(alone, 1.0)
    assert sessions.ended(alone, end_s=9.0) is None


def test_a_fast_answer_leaves_the_plan_as_it_is() -> None:
    """The next turn is due at its planned time when think time has passed by then."""
    first, second = turn("a", 0, at_s=1.0), turn("a", 1, at_s=5.0)
    sessions = Sessions([first, second])
    sessions.take(first)

    assert sessions.ended(first, end_s=3.5) is None
    assert sessions.take(second) == Due(second, 5.0)


def test_a_slow_answer_moves_the_next_turn() -> None:
    """Think time counts from the answer's end, whether that comes before or after the plan."""
    first, second = turn("a", 0, at_s=1.0), turn("a", 1, at_s=5.0)
    early, late = Sessions([first, second]), Sessions([first, second])
    early.take(first)
    late.take(first)

    assert early.ended(first, end_s=4.5) is None
    assert early.take(second) == Due(second, 5.5)
    assert late.take(second) is None
    assert late.ended(first, end_s=7.0) == Due(second, 8.0)


def test_a_session_that_was_under_way_goes_on_without_its_past() -> None:
    """The first turn in a schedule waits for nobody, whatever its number."""
    third, fourth = turn("a", 2, at_s=1.0), turn("a", 3, at_s=2.0)
    sessions = Sessions([third, fourth])

    assert sessions.take(third) == Due(third, 1.0)
    assert sessions.take(fourth) is None


@given(st.data())
def test_every_turn_comes_once_and_in_order(data: st.DataObject) -> None:
    """However long answers take: turns leave in order, one open at a time, none before plan or think time."""
    gaps_s = data.draw(st.lists(st.floats(0, 10), min_size=1, max_size=8))
    turns = [turn("a", number, at_s=sum(gaps_s[: number + 1])) for number in range(len(gaps_s))]
    sessions = Sessions(turns)
    sent: list[Due] = []
    ends_s: list[float] = []
    planned = list(turns)
    open_due: Due | None = None
    while planned or open_due is not None:
        if open_due is None or (planned and data.draw(st.booleans())):
            due = sessions.take(planned.pop(0))
        else:
            ends_s.append(open_due.due_s + data.draw(st.floats(0, 20)))
            due = sessions.ended(open_due.planned, end_s=ends_s[-1])
            open_due = None
        if due is not None:
            assert open_due is None
            open_due = due
            sent.append(due)

    assert [one.planned for one in sent] == turns
    for before_s, due in zip(ends_s, sent[1:], strict=False):
        assert due.due_s >= due.planned.intended_s
        if len(turns) > 1:
            assert due.due_s >= round(before_s + due.planned.think_s, 6)
