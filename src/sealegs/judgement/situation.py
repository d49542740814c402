"""What the claims about single moments and single numbers are decided from."""

from dataclasses import dataclass

from sealegs.judgement.facts import Facts, FaultStory
from sealegs.judgement.fates import Fates
from sealegs.judgement.in_flight import InFlight


@dataclass(frozen=True, kw_only=True, eq=False)
class Situation:
    """A run's evidence, what became of its requests, and its fault with what that met."""

    facts: Facts
    fates: Fates
    story: FaultStory | None
    in_flight: InFlight
