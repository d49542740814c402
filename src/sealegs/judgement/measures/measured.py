"""The form in which a measure answers."""

from dataclasses import dataclass

from sealegs.scenario.claim import Bound


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A number and what was seen, in words; None when it could not be measured, and why.

    `request_ids` are the requests that the number is about, the first ones first.
    """

    value: float | None
    detail: str
    request_ids: tuple[str, ...] = ()


def not_seen(bound: Bound, *, watched_s: float, detail: str) -> Measured:
    """What was not seen to happen took longer than was watched: a number where that is beyond the limit.

    Within the limit nobody knows.
    """
    late = bound.at_most is not None and watched_s > bound.at_most
    return Measured(value=watched_s if late else None, detail=detail)
