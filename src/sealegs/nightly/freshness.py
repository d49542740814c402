"""How old the newest night is that says something: a stale PASS must not stand for tonight's."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sealegs.nightly.history import History, moment
from sealegs.nightly.night import Night

AGE_MAX = timedelta(hours=36)


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """The newest night whose word rests on evidence to be trusted, and its age; None when there is none."""

    night: Night | None
    age: timedelta | None

    @property
    def is_stale(self) -> bool:
        """Whether that is too long ago."""
        return self.age is None or self.age > AGE_MAX

    @property
    def told(self) -> str:
        """It in words."""
        limit_h = AGE_MAX // timedelta(hours=1)
        if self.night is None or self.age is None:
            return "no VALID night on record"
        age_h = self.age / timedelta(hours=1)
        if self.is_stale:
            return f"no VALID night for {age_h:.0f} h (at most {limit_h}): the newest is {self.night.night}"
        return f"newest VALID night: {self.night.night}, {age_h:.0f} h old (at most {limit_h})"


def freshness_of(history: History, *, now: datetime) -> Freshness:
    """Freshness of a history at a moment. A night that tested nothing says nothing."""
    valid = (
        night
        for night in reversed(history.recorded)
        if night.runs and night.word in {"PASS", "FAIL", "INCONCLUSIVE"}
    )
    newest = next(valid, None)
    if newest is None:
        return Freshness(night=None, age=None)
    return Freshness(night=newest, age=max(timedelta(), now - moment(newest.seen_at)))
