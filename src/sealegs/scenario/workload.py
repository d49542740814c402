"""What is sent: the ``[traffic]`` table of a scenario, and what no single key of it can show."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from sealegs.scenario import arrivals
from sealegs.scenario.arrivals import Arrivals
from sealegs.scenario.toml_shape import Choice, KeyPath, Range

# One Parquet file a profile: adding the file is all it takes.
PROFILES = tuple(sorted(one.stem for one in (Path(__file__).parents[1] / "data").glob("*.parquet")))
SHARES_SLACK = 1e-6
# Outcomes of clients that got what they wanted; who hung up as planned, after the first token, had got it.
ANSWERED = ("ok", "cancelled")
# A pause that a server asks for is heeded up to here, as in OpenAI's SDKs.
RETRY_AFTER_S_MAX = 60.0

Positive: TypeAlias = Annotated[float, Range(above=0)]
Count: TypeAlias = Annotated[int, Range(least=1)]
Portion: TypeAlias = Annotated[float, Range(above=0, most=1)]
Place: TypeAlias = Literal["client", "cluster"]
Tokens: TypeAlias = Literal["derived", "counted"]


@dataclass(frozen=True, kw_only=True)
class Deadlines:
    """How long a client waits for one request, each from when it was sent; the gap is between two tokens."""

    connect_s: Positive
    first_token_s: Positive
    gap_s: Positive
    total_s: Positive


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What clients do beside asking and reading; by default nothing.

    Retries are those of OpenAI's SDKs: what failed before any token came, after a pause that doubles from
    `backoff_s` up to `backoff_s_max` and that the server's Retry-After overrides. A share of
    `cancel_share` hangs up after the first token.
    """

    retries: Annotated[int, Range(least=0, most=10)] = 0
    backoff_s: Positive = 0.5
    backoff_s_max: Positive = 8.0
    cancel_share: Annotated[float, Range(least=0, most=1)] = 0.0


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What is sent, how often, by how many processes, and from where.

    `profiles` holds shares of requests. `tokens_per_s` is how fast one stream is expected to come: it tells
    when a session's next turn is due, and which answers could not end within their deadline. `tokens` says
    whether each token's text can be checked (``derived``, the reference engine) or only counted. Answers to
    the profiles in `whole` come whole, their first token with their last, all others as streams.
    `model_types` holds shares of requests; by default all are of `model_type`. A file has `rate_rps` or
    `knee_share`, a share of the knee that this traffic has on the machine: until a run knows that, the rate
    is the share of 1.
    """

    locustfile: Path
    profiles: Mapping[Annotated[str, Choice(PROFILES)], Portion]
    arrivals: Arrivals
    rate_rps: Positive
    knee_share: Positive | None = None
    processes: Count = 1
    where: Place = "client"
    in_flight_max: Count
    context_tokens_max: Count
    tokens_per_s: Positive
    tokens: Tokens = "derived"
    whole: tuple[Annotated[str, Choice(PROFILES)], ...] = ()
    model_type: str = "default"
    model_types: Mapping[str, Portion] = field(default_factory=dict)
    deadlines: Deadlines
    policy: Policy = Policy()

    @property
    def main_profile(self) -> str:
        """The profile with the largest share: its trace and its day are those of ``trace`` and ``day``."""
        return max(self.profiles, key=lambda name: self.profiles[name])

    @property
    def asked_models(self) -> tuple[str, ...]:
        """The model types that its requests ask for."""
        return tuple(self.model_types) or (self.model_type,)

    @property
    def request_s_max(self) -> float:
        """The longest that a request can take from its first attempt to the end of its last."""
        retries = self.policy.retries
        return (retries + 1) * self.deadlines.total_s + retries * RETRY_AFTER_S_MAX

    @property
    def rate_rps_min(self) -> float:
        """The lowest rate that is planned for any length of time."""
        to_rps, factors = self.arrivals.to_rps, self.arrivals.factors or (1.0,)
        return self.rate_rps * min(factors) if to_rps is None else min(self.rate_rps, to_rps)


def problems(traffic: Traffic, *, duration_s: float) -> Iterator[tuple[KeyPath, str]]:
    """What is wrong with a ``[traffic]`` whose every key is right by itself: where, and in words."""
    for key, shares in (("profiles", traffic.profiles), ("model_types", traffic.model_types or {"": 1.0})):
        if abs((total := math.fsum(shares.values())) - 1) > SHARES_SLACK:
            yield (key,), f"shares of {key} must add up to 1, these add up to {total:g}"
    if strangers := [profile for profile in traffic.whole if profile not in traffic.profiles]:
        yield ("whole",), f"whole names {', '.join(strangers)}, of which profiles sends nothing"
    for key, problem in arrivals.problems(traffic.arrivals, duration_s=duration_s):
        yield ("arrivals", key), problem
    if traffic.policy.backoff_s > traffic.policy.backoff_s_max:
        yield ("policy", "backoff_s"), "backoff_s is longer than backoff_s_max"
