"""The form in which a measure answers."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A number and what was seen, in words; None when it could not be measured, and why.

    `request_ids` are the requests that the number is about, the first ones first.
    """

    value: float | None
    detail: str
    request_ids: tuple[str, ...] = ()
