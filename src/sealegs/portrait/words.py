"""What a portrait says in sentences: where its trace is from, what was drawn, whether they are alike."""

import math

from sealegs.portrait.sitting import Portrait
from sealegs.report.words import count, duration, share
from sealegs.scenario.arrivals import CHANGING
from sealegs.scenario.workload import Traffic


def origin(portrait: Portrait) -> str:
    """Where the trace is from, under which licence, and what its times cannot tell."""
    requests = count(len(portrait.quantities[0].trace), "request")
    clock_s = portrait.trace_clock_s
    coarse = f"; its clock has steps of {clock_s:.3g} s, too coarse for gaps" if clock_s else ""
    return f"trace: {requests} of {portrait.source}; licence {portrait.licence}{coarse}"


def how_drawn(portrait: Portrait) -> str:
    """What was drawn, from what, and what of it was left out."""
    scenario = portrait.scenario
    traffic = scenario.traffic
    text = (
        f"drawn: {count(len(portrait.requests_s), 'request')}{_of_all(portrait)} in "
        f"{duration(portrait.duration_s)} of load, {traffic.rate_rps:g} a second, arrivals "
        f"{_arrivals(traffic)}, seed {scenario.seed}"
    )
    if not portrait.dropped:
        return f"{text}; none dropped"
    every = portrait.dropped + len(portrait.all_s)
    # The schedule counts the drops of all profiles together.
    whose = " of all profiles" if len(traffic.profiles) > 1 else ""
    left_out = f"{portrait.dropped:,} of {every:,}{whose} ({share(portrait.dropped / every)})"
    return (
        f"{text}; {left_out} were dropped, as they do not fit context_tokens_max = "
        f"{traffic.context_tokens_max}, would not end within total_s = {traffic.deadlines.total_s:g}, or "
        "follow such a one in their session"
    )


def alike(portrait: Portrait) -> str:
    """Whether what was drawn is distributed as the trace is, as far as chance lets one see."""
    known = [one for one in portrait.quantities if not math.isnan(one.ks)]
    apart = [one.name for one in known if one.ks > one.ks_by_chance]
    if not apart:
        names = ", ".join(one.name for one in known)
        return f"What was drawn differs from the trace by no more than chance in {names}."
    traffic = portrait.scenario.traffic
    reasons = ["what was dropped is missing"] if portrait.dropped else []
    if portrait.in_sessions and traffic.arrivals.kind in CHANGING:
        reasons.append("where the rate changes, so does how many sessions are young")
    why = f" Possible reasons: {'; '.join(reasons)}." if reasons else ""
    return f"What was drawn differs from the trace by more than chance in {', '.join(apart)}.{why}"


def starts(portrait: Portrait) -> str:
    """What arrives by itself."""
    return "session starts" if portrait.in_sessions else "requests"


def of_trace(portrait: Portrait) -> str:
    """The trace's times, and what was done to them."""
    times = f"times \N{MULTIPLICATION SIGN} {portrait.stretched:.3g}"
    return f"trace, {starts(portrait)}, {times}" if len(portrait.trace_starts_s) else "trace: has no times"


def _of_all(portrait: Portrait) -> str:
    """Of how many requests the profile's are, where there are others."""
    profiles = portrait.scenario.traffic.profiles
    if len(profiles) == 1:
        return ""
    mix = ", ".join(f"{part * 100:.3g} % {name}" for name, part in profiles.items())
    return f" of {len(portrait.all_s):,} ({mix})"


def _arrivals(traffic: Traffic) -> str:
    """The kind of arrivals with what it was given."""
    asked = {key: value for key, value in vars(traffic.arrivals).items() if value is not None}
    kind = str(asked.pop("kind"))
    given = [
        f"{key} = {', '.join(f'{one:g}' for one in (value if isinstance(value, tuple) else (value,)))}"
        for key, value in asked.items()
    ]
    return f"{kind} ({'; '.join(given)})" if given else kind
