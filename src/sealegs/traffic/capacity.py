"""Whether the load processes can send a schedule in time: looked at before anything starts.

A process that has more to do than a core can stamps tokens late and sends requests late, and the run is
INVALID after all its minutes. What a core can is measured (`bench/`), what is planned is known.
"""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa

from sealegs.errors import ScenarioError
from sealegs.scenario.workload import Traffic

# Tokens that one process receives in a second with stamps about a millisecond late.
TOKENS_PER_S_MAX = 7500
# Requests that one process sends in a second. Each is half a millisecond of a core (measured with prompts of
# 400 tokens), so these are a quarter of one; the rest is for their answers, and for bursts within the second.
REQUESTS_PER_S_MAX = 500


def require(schedule: pa.Table, traffic: Traffic, *, path: Path) -> None:
    """Refuse a schedule whose busiest second is more than the scenario's processes can do.

    Requests leave as planned, and answers come at ``tokens_per_s`` each, of at most ``in_flight_max`` at a
    time. `path` is the scenario's file.

    Raises:
        ScenarioError: says which rate fits, and how many processes the planned one needs.
    """
    requests, tokens = requests_per_s_max(schedule), tokens_per_s_max(schedule, traffic)
    needed = max(requests / REQUESTS_PER_S_MAX, tokens / TOKENS_PER_S_MAX)
    if needed <= traffic.processes:
        return
    fits_rps = traffic.rate_rps * traffic.processes / needed
    problem = (
        f"{path}: rate_rps = {traffic.rate_rps:g} is more than {_processes(traffic.processes)} can send in "
        f"time: the busiest second has {requests:.0f} requests and {tokens:.0f} tokens, "
        f"and a process is good for {REQUESTS_PER_S_MAX} and {TOKENS_PER_S_MAX}; "
        f"rate_rps = {_below(fits_rps):g} fits, or "
        f"processes = {math.ceil(needed)} on a machine with as many free cores"
    )
    raise ScenarioError([problem])


def requests_per_s_max(schedule: pa.Table) -> float:
    """The most requests that are due within any second that begins with one of them."""
    due_s = schedule["intended_s"].to_numpy()
    return float((np.searchsorted(due_s, due_s + 1.0) - np.arange(len(due_s))).max(initial=0))


def tokens_per_s_max(schedule: pa.Table, traffic: Traffic) -> float:
    """Tokens a second while the most answers come at a time.

    An answer is taken to begin when it is asked for: what prefill adds moves all alike.
    """
    begin_s = schedule["intended_s"].to_numpy()
    end_s = np.sort(begin_s + schedule["output_tokens"].to_numpy() / traffic.tokens_per_s)
    # Just after each one's begin: those that have begun, less those that have ended.
    streams = np.arange(1, len(begin_s) + 1) - np.searchsorted(end_s, begin_s, side="right")
    return float(min(streams.max(initial=0), traffic.in_flight_max) * traffic.tokens_per_s)


def _processes(count: int) -> str:
    """A number of processes in words."""
    return "1 process" if count == 1 else f"{count} processes"


def _below(rate: float) -> float:
    """A rate in two digits, none of them too much."""
    digit = 10.0 ** (math.floor(math.log10(rate)) - 1)
    return math.floor(rate / digit) * digit
