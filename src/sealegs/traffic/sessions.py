"""Turns of a session wait for each other: nobody asks on before having read the answer.

A turn is due at its planned time, or its think time after the answer before it has ended if that is later.
All times are seconds since run start.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sealegs.traffic.client.exchange import Planned


class Due(NamedTuple):
    """A request and when it is due: never before it was planned."""

    planned: Planned
    due_s: float


@dataclass
class _Session:
    """One session: who waits in it, and when its last answer ended (None: the next turn took note of it)."""

    begun: bool = False
    ended_s: float | None = None
    waiting: deque[Planned] = field(default_factory=deque)


class Sessions:
    """The sessions of one load process; those of a single turn never wait and are not kept."""

    def __init__(self, planned: Sequence[Planned]) -> None:
        last = {one.session: one.request_id for one in planned}
        first = {one.session: one.request_id for one in reversed(planned)}
        self._of = {name: _Session() for name in last if first[name] != last[name]}

    def take(self, planned: Planned) -> Due | None:
        """A request whose planned time has come; None while the answer before it is open.

        What waits comes back from `ended`. The first turn in the schedule, whatever its number, waits for
        nobody: what came before it was before the run.
        """
        session = self._of.get(planned.session)
        if session is None:
            return Due(planned, planned.intended_s)
        if not session.begun:
            session.begun = True
            return Due(planned, planned.intended_s)
        if session.ended_s is None or session.waiting:
            session.waiting.append(planned)
            return None
        ended_s, session.ended_s = session.ended_s, None
        return _due(planned, ended_s)

    def ended(self, planned: Planned, *, end_s: float) -> Due | None:
        """An answer has ended: the next turn of its session if its planned time had come already."""
        session = self._of.get(planned.session)
        if session is None:
            return None
        if session.waiting:
            return _due(session.waiting.popleft(), end_s)
        session.ended_s = end_s
        return None


def _due(planned: Planned, ended_s: float) -> Due:
    """A turn after the answer before it."""
    return Due(planned, max(planned.intended_s, round(ended_s + planned.think_s, 6)))
