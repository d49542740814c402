"""Whether the load processes measured the system and not themselves, by what they noted about themselves.

Each number is that of the worst process. A client that stalls or reads late makes the system look slower than
it is, so these limits cannot turn a failure into a pass; they keep the client's own failures off the system.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sealegs.judgement.facts import Facts
from sealegs.judgement.validity.check import Check, at_most

BAD = "the client cannot be trusted"


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One number of ``load-summary.json`` and the most that it may be; `told` is the sentence around it."""

    name: str
    key: str
    most: float
    told: str


# A long stall makes as many answers late as it is of the time: 0.5 % is a tenth of what a target of 95 % may
# lose. Milliseconds here are small beside any limit on a first token. Locust warns whenever its process takes
# more than 90 % of a core; here it may for a fiftieth of the time.
LIMITS = (
    Limit(
        name="canary-before",
        key="canary_s_p99_before",
        most=0.005,
        told="before the load 99% of an echo's tokens were read within {}",
    ),
    Limit(
        name="canary-after",
        key="canary_s_p99_after",
        most=0.005,
        told="after the load 99% of an echo's tokens were read within {}",
    ),
    Limit(
        name="receive-error",
        key="receive_error_s_p99",
        most=0.005,
        told="99% of what the kernel had was read within {}",
    ),
    Limit(name="stall-p99", key="stall_s_p99", most=0.020, told="99% of the client's turns came within {}"),
    Limit(
        name="stalled-share",
        key="stalled_share",
        most=0.005,
        told="the client was kept from running for {} of the time",
    ),
    Limit(
        name="cpu-hot-share",
        key="cpu_hot_share",
        most=0.02,
        told="the client took more than 90% of a core for {} of the time",
    ),
)


def checks(facts: Facts) -> Iterator[Check]:
    """Each number against its limit; one that is not there was not measured, and fails.

    Load that left no summary has failed already, and has no numbers.
    """
    if facts.load_summary is not None:
        yield from of_itself(facts.load_summary)


def of_itself(summary: Mapping[str, Any]) -> Iterator[Check]:
    """Each number of a ``load-summary.json`` against its limit."""
    for limit in LIMITS:
        value = summary.get(limit.key)
        # Of several processes one that took none would be hidden by one that did.
        if limit.key.startswith("canary") and not summary.get("canaries_taken"):
            value = None
        yield at_most(limit.name, value, limit.most, told=_told(limit, value), bad=BAD)


def _told(limit: Limit, value: float | None) -> str:
    """A number in words."""
    if value is None:
        return f"{limit.name} was not measured"
    is_share = limit.key.endswith("share")
    return limit.told.format(f"{value:.1%}" if is_share else f"{value * 1e3:.1f} ms")
