"""The ladder of a recovery: when each step from the fault to good service was first seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from sealegs.report import svg
from sealegs.report.words import seconds, since

WIDTH, HEIGHT, MARGIN = 360.0, 22.0, 6.0
NAMES = {
    "injected": "fault injected",
    "first-error": "first request failed",
    "detected": "noticed by the cluster",
    "scheduled": "successor scheduled",
    "started": "successor started",
    "loaded": "model loaded",
    "ready": "successor ready",
    "routable": "in rotation",
    "slo-met": "service good again",
}


@dataclass(frozen=True, kw_only=True)
class RungRow:
    """One step in words: when since injection, and what was seen."""

    name: str
    after: str
    bar: Markup
    subject: str


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """The steps, and where their common axis ends."""

    rows: tuple[RungRow, ...]
    until: str


def ladder_of(rungs: Sequence[Mapping[str, Any]]) -> Ladder | None:
    """The ladder of a fault's rungs; None when nothing was injected, or a verdict is from before ladders."""
    seen_s = [one["after_s"] for one in rungs if one["after_s"] is not None]
    if not seen_s:
        return None
    x = svg.Scale(low=0.0, high=max(*seen_s, 1.0), start=MARGIN, end=WIDTH - MARGIN)
    return Ladder(rows=tuple(_row(x, one) for one in rungs), until=seconds(x.high))


def _row(x: svg.Scale, rung: Mapping[str, Any]) -> RungRow:
    """One step, its bar from the injection to when it was seen; dashed and bare when it was not."""
    after_s = rung["after_s"]
    middle = HEIGHT / 2
    parts = [svg.path(f"M{x.start:g} {middle:g}H{x.end:g}", "axis" if after_s is not None else "axis unseen")]
    if after_s is not None:
        parts.append(svg.rectangle(x.start, middle - 4, x(after_s) - x.start, 8, "bounds"))
        parts.append(svg.path(svg.path_marks([(x(after_s), middle)], "h0"), "seen"))
    return RungRow(
        name=NAMES.get(rung["name"], rung["name"]),
        after="not seen" if after_s is None else since(after_s) if after_s else "0 s",
        # The number stands beside it: the bar tells a reader who cannot see it nothing more.
        bar=Markup(svg.small(WIDTH, HEIGHT, "".join(parts), kind="rung")),  # noqa: S704  drawn here
        subject=rung["subject"],
    )
