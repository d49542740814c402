"""What is measured of a client.

How much it carries (A), how true its numbers are (B), how punctual it is (C), and what it calls the ways in
which a stream goes wrong (D).
"""

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import trial
from harness import Request, Server
from job import Job, Peer, Told
from peers.tools import perf_own_lag_ms

TTFT_S, GAP_S = 0.05, 0.02
TOKENS, TOKENS_SHORT, TOKENS_BAD = 100, 5, 10
STREAM_S = TTFT_S + (TOKENS - 1) * GAP_S
SETTLE_S = 0.3
ERROR_MS_P99_MAX = 5.0
SERVED_SHARE_MIN, NEAR = 0.9, 3
STREAMS_FIRST, STREAMS_LEAST, STREAMS_MOST = 150, 18, 2_000
STREAMS_FEW = 20
RATES_RPS = (50, 200)
LAG_S = 5.0
STALL_S, GAP_S_MAX = 5.0, 2.0
Say = Callable[[str], None]


@dataclass(frozen=True)
class Bench:
    """One peer at the server: how often each measurement is repeated and how long it lasts."""

    peer: Peer
    server: Server
    bin_dir: Path
    folder: Path
    repeats: int
    measure_s: float
    refinements: int
    say: Say

    def streams(self, count: int, read: Callable[[trial.Trial], dict[str, Any]]) -> dict[str, Any]:
        """One trial of so many streams at a time."""
        job = Job(
            url=self.server.url,
            folder=self.folder,
            tokens=TOKENS,
            streams=count,
            rate_rps=count / STREAM_S,
            seconds=STREAM_S + self.measure_s,
        )
        return read(self._run(job, skip_s=STREAM_S + SETTLE_S))

    def lag(self, rate_rps: int) -> dict[str, Any]:
        """One trial of short answers at a rate."""
        job = Job(
            url=self.server.url,
            folder=self.folder,
            tokens=TOKENS_SHORT,
            streams=rate_rps,
            rate_rps=rate_rps,
            seconds=LAG_S,
            paced=True,
        )
        return lag_of(self._run(job)) | {"rate_rps": rate_rps}

    def bad(self) -> dict[str, Any]:
        """One trial in which the server misbehaves in every manner by turns."""
        job = Job(
            url=self.server.url,
            folder=self.folder,
            tokens=TOKENS_BAD,
            streams=6,
            rate_rps=12,
            seconds=2,
            gap_s_max=GAP_S_MAX,
        )
        return words_of(self._run(job, manner="mix", stall_ms=STALL_S * 1e3, after=TOKENS_BAD // 2))

    def _run(self, job: Job, *, skip_s: float = 0.0, **conduct: object) -> trial.Trial:
        pace = {"ttft_ms": TTFT_S * 1e3, "gap_ms": GAP_S * 1e3}
        return trial.run(self.peer, job, self.server, self.bin_dir, skip_s=skip_s, **pace, **conduct)


def capacity(bench: Bench) -> dict[str, Any]:
    """Part A: double the streams until the receive error's p99 is above the limit, then refine."""
    tried: dict[int, dict[str, Any]] = {}

    def try_once(count: int) -> bool:
        try:
            tried[count] = bench.streams(count, trial.streams_of)
        except trial.PeerError as error:
            # So many that it never came to its end: one more way of not holding.
            bench.say(f"A {count} streams: {error}")
            return False
        bench.say(f"A {count} streams: {_brief(tried[count])}")
        return good(tried[count])

    def holds(count: int) -> bool:
        # A near miss may be the machine's: it is believed when it comes twice.
        return try_once(count) or (near(tried.get(count)) and try_once(count))

    best, worst = _bracket(holds)
    usual = [tried[STREAMS_FIRST]] if STREAMS_FIRST in tried else []
    usual += [bench.streams(STREAMS_FIRST, trial.streams_of) for _ in range(bench.repeats - len(usual))]
    for _ in range(bench.refinements if best and worst else 0):
        middle = (best + worst) // 2
        best, worst = (middle, worst) if holds(middle) else (best, middle)
    runs = _confirmed(bench, tried, best, holds)
    return {
        "usual": usual,
        "best": middle_of(runs) if runs else None,
        "runs": runs,
        "at_most": bool(runs) and runs[0]["streams"] >= STREAMS_MOST,
        "tried": [tried[count] for count in sorted(tried)],
    }


def _confirmed(
    bench: Bench, tried: dict[int, dict[str, Any]], best: int, holds: Callable[[int], bool]
) -> list[dict[str, Any]]:
    """Trials at the most streams whose median holds: one lucky trial is no capacity."""
    while best:
        again = [bench.streams(best, trial.streams_of) for _ in range(bench.repeats - 1)]
        runs = [tried[best], *again]
        bench.say(f"A {best} streams, {len(runs)} runs: {_brief(middle_of(runs))}")
        if good(middle_of(runs)):
            return runs
        best = best * 3 // 4
        while best >= STREAMS_LEAST and not holds(best):
            best = best * 3 // 4
        best = best if best >= STREAMS_LEAST else 0
    return []


def _bracket(holds: Callable[[int], bool]) -> tuple[int, int]:
    """The most streams known to hold and the fewest known not to; 0 for none."""
    count = STREAMS_FIRST
    if holds(count):
        while count < STREAMS_MOST:
            best, count = count, min(2 * count, STREAMS_MOST)
            if not holds(count):
                return best, count
        return count, 0
    while count > STREAMS_LEAST:
        worst, count = count, max(count // 3, STREAMS_LEAST)
        if holds(count):
            return count, worst
    return 0, count


def good(seen: dict[str, Any]) -> bool:
    """Whether a trial counts: in time, served, and every answer whole."""
    p99 = seen["error_ms"]["p99"]
    served = seen["events_per_s"] >= SERVED_SHARE_MIN * seen["events_per_s_offered"]
    return p99 is not None and p99 <= ERROR_MS_P99_MAX and served and not seen["wrong_counts"]


def near(seen: dict[str, Any] | None) -> bool:
    """Whether a trial missed by so little that another may not."""
    return seen is not None and (seen["error_ms"]["p99"] or 0.0) <= NEAR * ERROR_MS_P99_MAX


def middle_of(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Medians of several trials of one kind, number by number; of words, the first trial's."""
    first = runs[0]
    return {key: _middle([run[key] for run in runs]) for key in first}


def _middle(values: list[Any]) -> object:
    if isinstance(values[0], dict):
        return middle_of(values) if all(value.keys() == values[0].keys() for value in values) else values[0]
    known = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return statistics.median(known) if known else values[0]


def _brief(seen: dict[str, Any]) -> str:
    p99 = seen["error_ms"]["p99"]
    late = "no stamps" if p99 is None else f"p99 {p99:.2f} ms"
    cost = f"{seen['cpu_us_per_event']:.1f} us/event, load {seen['loadavg']:.1f}"
    return f"{seen['events_per_s']:,.0f} events/s, {late}, {cost}"


def accuracy(bench: Bench) -> dict[str, Any]:
    """Part B: few streams, so that the client has nothing to excuse itself with."""
    runs = []
    for _ in range(bench.repeats):
        runs.append(bench.streams(STREAMS_FEW, accuracy_of))
        p99_ms, wrong = runs[-1]["ttft_error_ms"]["p99"], runs[-1]["wrong_counts"]
        bench.say(f"B: TTFT error p99 {p99_ms} ms, wrong counts {wrong}")
    return {"median": middle_of(runs), "runs": runs}


def accuracy_of(seen: trial.Trial) -> dict[str, Any]:
    """How far TTFT, gaps and token counts are from what the server did, request by request."""
    truth = {one.request_id: one for one in seen.truth}
    gaps_ms = [
        abs(said_ms - was_ms)
        for one in seen.told
        if one.request_id in truth
        for said_ms, was_ms in zip(one.gaps_ms, _true_gaps_ms(truth[one.request_id], one), strict=False)
    ]
    return {
        "ttft_error_ms": trial.quantiles([abs(error) for error in trial.ttft_errors_ms(seen)]),
        "gap_error_ms": trial.quantiles(gaps_ms),
        "wrong_counts": sum(one.tokens != TOKENS for one in seen.told),
        "requests": len(seen.told),
        "served": len(seen.truth),
        "loadavg": seen.loadavg,
    }


def _true_gaps_ms(was: Request, said: Told) -> list[float]:
    """The server's gaps, or their mean where the client keeps no more."""
    gaps_ms = [(later - earlier) / 1e6 for earlier, later in pairwise(was.sent_ns)]
    return [statistics.fmean(gaps_ms)] if len(said.gaps_ms) == 1 and len(gaps_ms) > 1 else gaps_ms


def punctuality(bench: Bench) -> dict[str, Any]:
    """Part C: when the server received each request, against when it was planned."""
    found: dict[str, Any] = {}
    for rate_rps in RATES_RPS:
        runs = [bench.lag(rate_rps) for _ in range(bench.repeats)]
        found[str(rate_rps)] = {"median": middle_of(runs), "runs": runs}
        bench.say(f"C {rate_rps}/s: lag p99 {found[str(rate_rps)]['median']['lag_ms']['p99']} ms")
    return found


def lag_of(seen: trial.Trial) -> dict[str, Any]:
    """Received minus planned, where the client says what it planned."""
    truth = {one.request_id: one for one in seen.truth}
    lags_ms = [
        (truth[one.request_id].received_ns - one.planned_ns) / 1e6
        for one in seen.told
        if one.planned_ns is not None and one.request_id in truth
    ]
    own = None if lags_ms else perf_own_lag_ms(seen.job.folder)
    return {
        "lag_ms": {"count": len(seen.truth), **own} if own else trial.quantiles(lags_ms),
        "own_account": bool(own),
        "served": len(seen.truth),
        "loadavg": seen.loadavg,
    }


def classes(bench: Bench) -> dict[str, Any]:
    """Part D: what each way of going wrong is called."""
    found = bench.bad()
    bench.say(f"D: {found['words']}")
    return found


def words_of(seen: trial.Trial) -> dict[str, Any]:
    """Outcome words by the server's manner; a request that the client cannot name is found by its time."""
    by_id = {one.request_id: one for one in seen.truth}
    named = {one.request_id for one in seen.told if one.request_id in by_id}
    left = [one for one in seen.truth if one.request_id not in named]
    pairs = [(by_id[one.request_id or ""], one) for one in seen.told if one.request_id in by_id]
    for said in seen.told:
        if said.request_id not in by_id and left:
            was = min(left, key=lambda one: abs(one.received_ns - said.started_ns))
            left.remove(was)
            pairs.append((was, said))
    words_by: dict[str, Counter[str]] = defaultdict(Counter)
    for was, said in pairs:
        words_by[was.manner][said.outcome] += 1
    for was in left:
        words_by[was.manner]["not in its output"] += 1
    words = {manner: dict(counts.most_common()) for manner, counts in words_by.items()}
    return {"words": words, "loadavg": seen.loadavg}


PARTS: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "A": capacity,
    "B": accuracy,
    "C": punctuality,
    "D": classes,
}
