"""The section of docs/benchmarks.md, made of the results that lie in bench/results."""

import json
import os
import platform
import re
import statistics
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness import HERE
from parts import ERROR_MS_P99_MAX, GAP_S_MAX, RATES_RPS, STREAMS_FEW, STREAMS_FIRST, TOKENS, middle_of

DOCS = HERE.parent / "docs" / "benchmarks.md"
SERVER = "server.json"
TITLE = "## The client beside its peers"
Result = dict[str, Any]
NONE = "\N{EN DASH}"
_HOW = f"""\
One server for all (bench/server): it keeps a CLOCK_MONOTONIC stamp taken just before it writes an event of
some 225 bytes; the first token after 50 ms, then one each 20 ms, {TOKENS} an answer.
The server has core 1, the client with all its processes core 0. Medians of three runs, their spread in
brackets, and the machine's load average over the last minute beside.
`bench/run.py --help` tells how to measure a part of it."""
MANNERS = {
    "cut": "connection closed after 5 of 10 tokens",
    "ends": "HTTP ends well after 5, no finish, no `[DONE]`",
    "reset": "connection reset after 5",
    "stall": "5 s of silence after 5, then whole",
    "error": "error event after 5, inside a 200",
}


def write(results: Path, order: Sequence[str]) -> None:
    """Put the section in the place of the one before, or at the end; the rest of the page stays."""
    found = [json.loads(path.read_text()) for name in order if (path := results / f"{name}.json").exists()]
    server = json.loads((results / SERVER).read_text())
    section = f"{TITLE}\n\n" + "\n\n".join(_section(found, server)) + "\n"
    page = DOCS.read_text()
    before, heading, old = page.partition(TITLE)
    after = old[old.index("\n## ") :] if heading and "\n## " in old else ""
    DOCS.write_text(f"{before.rstrip()}\n\n{section}{after}")


def _section(found: list[Result], server: Result) -> list[str]:
    """Paragraphs and tables."""
    here = [one for one in found if not one["missing"]]
    blocks = [_conditions(here, server), _table(["client", "version", "set up as"], map(_setting, here))]
    blocks += [_part(here, *part) for part in _PARTS if any(part[0] in one for one in here)]
    blocks += [f"Not measured: {one['name']}: {one['missing']}." for one in found if one["missing"]]
    return blocks


def _conditions(found: list[Result], server: Result) -> str:
    """Where, how and when; and a warning over what is no measurement."""
    parts = [one[part] for one in found for part in "ABCD" if part in one]
    days = sorted({part["measured"][:10] for part in parts})
    go = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout.strip()
    here = f"{os.cpu_count()} cores of {_processor()}, Linux {platform.release()}"
    lines = [
        f"`make bench-load`, {' and '.join(days)}: {here}, Python {platform.python_version()}, {go}.",
        *_HOW.splitlines(),
        f"The server alone, to a client that reads and forgets: {server['events_per_s']:,.0f} events/s.",
    ]
    if any(part["rehearsal"] for part in parts):
        lines.append(
            "**Some of this is a rehearsal: short single runs, on a busy machine. Not to be quoted.**"
        )
    return "\n".join(lines)


def _processor() -> str:
    """The processor's name."""
    named = re.search(r"^model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return named[1] if named else platform.machine()


def _setting(one: Result) -> list[str]:
    return [one["name"], one["version"], one["setting"]]


def _part(
    found: list[Result], part: str, text: str, heads: list[str], row: Callable[[Result, Result], list[str]]
) -> str:
    """One part's text and table; a client that failed says why."""
    rows = []
    for one in found:
        numbers = one.get(part)
        if numbers is None:
            continue
        if "failed" in numbers:
            rows.append([one["name"], f"failed: {numbers['failed']}", *[""] * (len(heads) - 2)])
        else:
            rows.append([one["name"], *row(one, numbers)])
    return f"{text}\n\n{_table(heads, rows)}"


def _table(heads: Sequence[str], rows: Any) -> str:  # noqa: ANN401  any iterable of lists of cells
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _ms(value: float | None) -> str:
    """Milliseconds with as many digits as mean something."""
    return NONE if value is None else f"{value:.2f}" if value < 10 else f"{value:,.0f}"  # noqa: PLR2004


def _pair(numbers: dict[str, Any]) -> str:
    return f"{_ms(numbers['p50'])} / {_ms(numbers['p99'])}"


def _spread(values: list[float], form: Callable[[float | None], str]) -> str:
    """The median, and in brackets the least and the most where there are several."""
    middle = form(statistics.median(values))
    return f"{middle} ({form(min(values))} to {form(max(values))})" if len(values) > 1 else middle


def _load(runs: list[Result]) -> str:
    return _spread([run["loadavg"] for run in runs], lambda value: f"{value:.1f}")


def _row_a(_: Result, numbers: Result) -> list[str]:
    best, runs = numbers["best"], numbers["runs"]
    plain = middle_of(numbers["usual"])
    p99 = _spread([run["error_ms"]["p99"] for run in numbers["usual"]], _ms)
    usual = [f"{_ms(plain['error_ms']['p50'])} / {p99}", f"{plain['cpu_us_per_event']:.1f}"]
    if best is None:
        least = numbers["tried"][0]
        return [
            f"none: {_ms(least['error_ms']['p99'])} ms at {least['streams']} streams",
            NONE,
            NONE,
            NONE,
            *usual,
        ]
    most = _spread([run["events_per_s"] for run in runs], lambda value: f"{value:,.0f}")
    return [
        f"{'≥ ' if numbers['at_most'] else ''}{most}, {best['streams']:,} streams",
        _spread([run["error_ms"]["p99"] for run in runs], _ms),
        _spread([run["cpu_us_per_event"] for run in runs], lambda value: f"{value:.1f}"),
        _load(runs),
        *usual,
    ]


def _row_b(one: Result, numbers: Result) -> list[str]:
    middle = numbers["median"]
    gaps = _pair(middle["gap_error_ms"]) + (" (of means)" if one["keeps"] == "means" else "")
    wrong = f"{middle['wrong_counts']:.0f} of {middle['requests']:.0f}"
    return [_pair(middle["ttft_error_ms"]), gaps, wrong, _load(numbers["runs"])]


def _row_c(_: Result, numbers: Result) -> list[str]:
    cells = []
    for rate_rps in RATES_RPS:
        at_rate = numbers[str(rate_rps)]
        middle = at_rate["median"]["lag_ms"]
        own = " (own account)" if at_rate["median"]["own_account"] else ""
        p99 = _spread(
            [run["lag_ms"]["p99"] for run in at_rate["runs"] if run["lag_ms"]["p99"] is not None] or [0], _ms
        )
        cells.append(
            "no plan"
            if middle["p99"] is None
            else f"{_ms(middle['p50'])} / {p99} / {_ms(middle['max'])}{own}"
        )
    return [*cells, _load(numbers[str(RATES_RPS[-1])]["runs"])]


def _row_d(_: Result, numbers: Result) -> list[str]:
    return [
        ", ".join(_word(word) for word in numbers["words"].get(manner, {"not asked": 1}))
        for manner in MANNERS
    ]


def _word(word: str) -> str:
    """An outcome's word; what is called a success, or leaves no trace, stands out."""
    return f"**{word}**" if word.startswith(("success", "not in", "no event")) else word


_A_TEXT = f"""\
A. The most token events a second with the 99th percentile of the receive error at {ERROR_MS_P99_MAX:.0f} ms
or less (streams doubled, then halved in between), and the client's processor time an event there; then error
and time at {STREAMS_FIRST} streams. Receive error is the client's stamp of a token minus the server's; of a
client that keeps no stamps it is its TTFT minus the true one."""
_B_TEXT = f"""\
B. At {STREAMS_FEW} streams: how far TTFT and gaps are from what the server did, request by request, and how
many answers have a wrong token count."""
_C_TEXT = """\
C. Lag: when the server received a request minus when it was planned, p50 / p99 / max. sealegs and aiohttp
follow a Poisson schedule; AIPerf's plan counts from its first request, Locust's from each user's second
(`constant_throughput(1)`); inference-perf writes no plan down, so it is its own account of when it began to
send."""
_D_TEXT = f"""\
D. What a client calls it. What is taken for a success, or leaves no trace, stands out. Patience for silence
is {GAP_S_MAX:.0f} s where the client has a setting for it (sealegs, aiohttp's sock_read). The scripts for
aiohttp and Locust (bench/clients) say what their library raises, and look at nothing else."""
_A_HEADS = [
    "client",
    "events/s",
    "error ms p99",
    "CPU µs an event",
    "load",
    f"{STREAMS_FIRST} streams: error ms p50 / p99",
    "CPU µs",
]
_B_HEADS = ["client", "TTFT error ms p50 / p99", "gap error ms p50 / p99", "wrong counts", "load"]
_C_HEADS = ["client", *(f"{rate_rps} requests/s: ms" for rate_rps in RATES_RPS), "load"]
_PARTS = (
    ("A", _A_TEXT, _A_HEADS, _row_a),
    ("B", _B_TEXT, _B_HEADS, _row_b),
    ("C", _C_TEXT, _C_HEADS, _row_c),
    ("D", _D_TEXT, ["client", *MANNERS.values()], _row_d),
)
