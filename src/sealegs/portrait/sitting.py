"""What a portrait shows: the requests of a schedule, made as a run makes it, and those of the trace."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from sealegs.data import read_trace
from sealegs.errors import ScenarioError
from sealegs.knee_files import resolved
from sealegs.portrait.measures import Floats, ks_by_chance, ks_distance
from sealegs.profiles import trace_of
from sealegs.scenario import Scenario
from sealegs.scenario.arrivals import Arrivals, Times, problems
from sealegs.scenario.claim import Expect, Phases
from sealegs.scenario.workload import Deadlines, Traffic
from sealegs.traffic.schedule import dropped_of, make

# Without a scenario: no model and no client set a limit, so everything that was drawn is shown.
NO_LIMIT = 2**31 - 1
REQUESTS_MAX = 1_000_000
# The rate is the trace's own where an hour of it is there. Gaps: Azure 2023 (chat; code: bursts of 17 s, 43 s
# of silence). ServeGen gives each client's gaps: the rate-weighted mean of CV^2, the index of dispersion of
# all of them together, is 4.8 for deepseek-r1 and 63 for m-mid in the median 10 minutes. Mooncake's and
# RAGPulse's sessions begin like Poisson's. Of agents and summarisation nothing is known: our assumption.
TYPICAL: dict[str, tuple[float, Arrivals]] = {
    "agents": (5.0, Arrivals(kind="poisson")),
    "batch": (5.0, Arrivals(kind="gamma", cv=7.9)),
    "chat": (5.5, Arrivals(kind="gamma", cv=1.09)),
    "code": (2.6, Arrivals(kind="on_off", on_s=17, off_s=43, cv=2.2)),
    "long-context": (3.4, Arrivals(kind="poisson")),
    "rag": (5.0, Arrivals(kind="poisson")),
    "reasoning": (5.0, Arrivals(kind="gamma", cv=2.2)),
    "summarisation": (5.0, Arrivals(kind="poisson")),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Quantity:
    """One length or time of each request, in the trace and as drawn, and how far apart the two are."""

    name: str
    unit: str
    trace: Floats
    drawn: Floats
    ks: float
    ks_by_chance: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Portrait:
    """A profile in a schedule, beside its trace.

    Attributes:
        quantities: prompt, output and service time, in this order; where there are sessions, turn and think
            time too.
        trace_starts_s: when sessions of the trace began, from 0, stretched to the rate of the drawn ones if
            there are any; empty where the trace has no times.
        stretched: by how much the trace's times were multiplied for that.
        starts_s: when drawn sessions begin, in seconds of load. Without sessions each request is one.
        requests_s: when the profile's requests are due.
        all_s: when those of all profiles are.
    """

    profile: str
    scenario: Scenario
    source: str
    licence: str
    quantities: tuple[Quantity, ...]
    trace_starts_s: Times
    stretched: float
    starts_s: Times
    requests_s: Times
    all_s: Times
    dropped: int

    @property
    def duration_s(self) -> float:
        """How long load lasts."""
        return self.scenario.phases.duration_s

    @property
    def trace_span_s(self) -> float:
        """How long the trace, stretched, lasts: to a mean gap after its last time; 0 without times."""
        count = len(self.trace_starts_s)
        return float(self.trace_starts_s[-1]) * count / (count - 1) if count else 0.0

    @property
    def trace_clock_s(self) -> float:
        """The step of the trace's own clock where it is too coarse to tell gaps, else 0."""
        gaps_s = np.diff(self.trace_starts_s)
        step_s = float(gaps_s[gaps_s > 0].min(initial=np.inf))
        return step_s / self.stretched if len(gaps_s) and step_s > gaps_s.mean() else 0.0

    @property
    def in_sessions(self) -> bool:
        """Whether the trace's requests follow each other in sessions."""
        return any(one.name == "turn" for one in self.quantities)


def scenario_of(
    profile: str,
    *,
    rate_rps: float | None = None,
    arrivals: Arrivals | None = None,
    tokens_per_s: float | None = None,
    duration_s: float | None = None,
    seed: int | None = None,
) -> Scenario:
    """A scenario that sends one profile, without limits, and claims nothing; what is None is typical.

    Raises:
        ScenarioError: the arrivals make no sense, or it is too much to draw.
    """
    typical_rps, typical = TYPICAL[profile]
    arrivals, rate_rps, duration_s = arrivals or typical, rate_rps or typical_rps, duration_s or 3600.0
    found = [problem for _, problem in problems(arrivals, duration_s=duration_s)]
    if (count := rate_rps * duration_s) > REQUESTS_MAX:
        found.append(f"{count:,.0f} requests are too many for a picture: at most {REQUESTS_MAX:,}")
    if found:
        raise ScenarioError(found)
    traffic = Traffic(
        locustfile=Path("none"),
        profiles={profile: 1.0},
        arrivals=arrivals,
        rate_rps=rate_rps,
        in_flight_max=NO_LIMIT,
        context_tokens_max=NO_LIMIT,
        tokens_per_s=tokens_per_s or 33.0,
        deadlines=Deadlines(connect_s=1, first_token_s=1, gap_s=1, total_s=NO_LIMIT),
    )
    return Scenario(
        name=profile,
        path=Path(profile),
        title=profile,
        claim="",
        seed=1 if seed is None else seed,
        stack_overlay="",
        stack_mutant=None,
        traffic=traffic,
        experiment=None,
        experiment_vars={},
        phases=Phases(warmup_s=0, baseline_s=duration_s, fault_s_max=0, recovery_s=0),
        objectives=(),
        invariants=(),
        bounds=(),
        recovery=None,
        budget=None,
        expect=Expect(),
    )


def portrait_of(profile: str, scenario: Scenario) -> Portrait:
    """A profile of a scenario, as a run of it would send it.

    Raises:
        ScenarioError: the scenario does not send the profile, nothing of it is left, or its rate is a share
            of a knee that is not known.
    """
    scenario = resolved(scenario)
    if profile not in scenario.traffic.profiles:
        sent = ", ".join(scenario.traffic.profiles)
        raise ScenarioError([f"{scenario.path}: sends no {profile!r}; it sends: {sent}"])
    schedule, rows = make(scenario), read_trace(profile)
    drawn = schedule.filter(np.asarray(schedule["profile"].to_pylist()) == profile)
    if not drawn.num_rows:
        lasts_s = scenario.phases.duration_s
        raise ScenarioError([f"{scenario.path}: no request of {profile!r} is left in {lasts_s:g} s of load"])
    requests_s = drawn["intended_s"].to_numpy()
    starts_s = requests_s[drawn["turn"].to_numpy() == 0]
    trace_s = trace_of(rows).t_s
    trace_s = trace_s[~np.isnan(trace_s)]
    stretched = 1.0
    if len(trace_s) and len(starts_s):
        trace_rps = (len(trace_s) - 1) / (trace_s[-1] - trace_s[0])
        stretched = trace_rps / (len(starts_s) / scenario.phases.duration_s)
    told = {key.decode(): value.decode() for key, value in (rows.schema.metadata or {}).items()}
    return Portrait(
        profile=profile,
        scenario=scenario,
        source=told.get("source", "unknown"),
        licence=told.get("licence", "unknown"),
        quantities=tuple(_quantities(rows, drawn, scenario.traffic.tokens_per_s)),
        trace_starts_s=(trace_s - trace_s[:1]) * stretched,
        stretched=stretched,
        starts_s=starts_s,
        requests_s=requests_s,
        all_s=schedule["intended_s"].to_numpy(),
        dropped=dropped_of(schedule),
    )


def _quantities(rows: pa.Table, drawn: pa.Table, tokens_per_s: float) -> list[Quantity]:
    """What is compared, request by request."""
    _, session = np.unique(np.asarray(drawn["session"].to_pylist()), return_inverse=True)

    def quantity(name: str, unit: str, column: str, *, of: float = 1.0, later: bool = False) -> Quantity:
        # A turn is counted from 1 for readers; a first one has no think time.
        ours, theirs = (
            (table[column].to_numpy() * of + (column == "turn"))[(table["turn"].to_numpy() > 0) | (not later)]
            for table in (rows, drawn)
        )
        which = session[(drawn["turn"].to_numpy() > 0) | (not later)]
        return Quantity(
            name=name,
            unit=unit,
            trace=ours,
            drawn=theirs,
            ks=ks_distance(ours, theirs),
            ks_by_chance=ks_by_chance(theirs, which, ours),
        )

    found = [
        quantity("prompt", "tokens", "prompt_tokens"),
        quantity("output", "tokens", "output_tokens"),
        quantity("service", "s", "output_tokens", of=1 / tokens_per_s),
    ]
    if rows["turn"].to_numpy().any():
        found.append(quantity("turn", "number", "turn"))
        found.append(quantity("think", "s", "think_s", later=True))
    return found
