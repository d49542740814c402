"""One check of a run: what was found, what is accepted, and a sentence that can stand alone as a reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = float | str | None


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check. `detail` says in one sentence what was found, so that it can stand alone as a reason."""

    name: str
    ok: bool
    value: Value
    limit: Value
    detail: str


def none_of(name: str, found: Sequence[str], *, good: str, bad: str) -> Check:
    """A check that passes when nothing was found."""
    detail = f"{bad}: {'; '.join(found)}" if found else good
    return Check(name=name, ok=not found, value=len(found), limit=0, detail=detail)


def at_most(name: str, value: float | None, limit: float, *, told: str, bad: str) -> Check:
    """A check that passes when a number was measured and is within its limit.

    `told` says what was found, `bad` what it means when it is too much or was not measured.
    """
    ok = value is not None and value <= limit
    return Check(
        name=name,
        ok=ok,
        value=None if value is None else round(value, 6),
        limit=limit,
        detail=told if ok else f"{bad}: {told}",
    )
