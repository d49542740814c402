"""Measure our streaming client beside its peers on this machine, and write the table into docs/benchmarks.md.

One Go server that stamps every event just before it writes it (core 1), one client at a time (core 0). Parts:

  A  most token events a second with the 99th percentile of the receive error at 5 ms or less, and the
     processor time an event
  B  errors of TTFT, gaps and token counts at 20 streams
  C  lag of requests behind their plan at 50 and 200 requests a second
  D  what a clean cut, an end without finish, a reset, a stall of 5 s and an error event are called

Peers are installed on first use into $XDG_CACHE_HOME/sealegs/bench (GuideLLM takes 5.9 GB), pinned in
bench/peers.toml. Results go to bench/results/PEER.json; the table is made of all that lie there, so parts can
be measured at different times. Run it on a machine that does nothing else: the load average stands beside
each number.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import report
from harness import HERE, Server, built_server, cache_dir, drain, serving
from parts import PARTS, Bench
from peers import ours, tools
from trial import PeerError
from venvs import InstallError, bin_of, version_of

RESULTS = HERE / "results"
PEERS = {
    "sealegs": ours.SEALEGS,
    "aiohttp": ours.AIOHTTP,
    "fasthttp": ours.FAST_HTTP,
    "http": ours.HTTP,
    "guidellm": tools.GUIDELLM,
    "inference-perf": tools.INFERENCE_PERF,
    "aiperf": tools.AIPERF,
}
CORES_MIN = 2


def main() -> int:
    """Measure what was asked for, then write the table."""
    asked = arguments()
    if len(os.sched_getaffinity(0)) < CORES_MIN:
        print("bench: needs two cores, one for the client and one for the server", file=sys.stderr)
        return 5
    RESULTS.mkdir(exist_ok=True)
    began_s = time.monotonic()
    program = built_server()
    with serving(program) as server:
        drained = drain(program, server)
        say(f"the server alone: {drained:,.0f} events/s")
        (RESULTS / report.SERVER).write_text(json.dumps({"events_per_s": drained}))
        for name in asked.only:
            measure(name, asked, server)
    if asked.docs:
        report.write(RESULTS, list(PEERS))
    say(f"done in {(time.monotonic() - began_s) / 60:.1f} min")
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="bench/run.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", type=_several, metavar="A,B", default=list(PEERS), help=_known("peers", PEERS)
    )
    parser.add_argument(
        "--parts", type=_several, metavar="A,B", default=list(PARTS), help=_known("parts", PARTS)
    )
    parser.add_argument("--repeats", type=int, default=3, help="runs of which the median stands (default: 3)")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long a run is measured (default: 3)")
    parser.add_argument("--rehearse", action="store_true", help="each thing once and short: does it work?")
    parser.add_argument(
        "--no-docs", dest="docs", action="store_false", help="leave docs/benchmarks.md as it is"
    )
    asked = parser.parse_args()
    for what, given, known in (("peer", asked.only, PEERS), ("part", asked.parts, PARTS)):
        if unknown := [one for one in given if one not in known]:
            parser.error(f"no such {what}: {', '.join(unknown)}; known are {', '.join(known)}")
    return asked


def _several(text: str) -> list[str]:
    """Names with commas between them."""
    return text.split(",")


def _known(what: str, names: Iterable[str]) -> str:
    """What can be asked for."""
    return f"{what} to measure (default: all), of: {', '.join(names)}"


def measure(name: str, asked: argparse.Namespace, server: Server) -> None:
    """Measure one peer and keep each part as soon as it is there."""
    peer = PEERS[name]
    path = RESULTS / f"{name}.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    kept |= {"name": peer.name, "setting": peer.setting, "keeps": peer.keeps, "missing": None}
    try:
        bin_dir = bin_of(peer.package)
        kept["version"] = version_of(peer.package, bin_dir)
    except InstallError as error:
        say(f"{name}: {error}")
        path.write_text(json.dumps(kept | {"missing": str(error)}, indent=1))
        return
    bench = Bench(
        peer=peer,
        server=server,
        bin_dir=bin_dir,
        folder=cache_dir() / "runs" / name,
        repeats=1 if asked.rehearse else asked.repeats,
        measure_s=2.0 if asked.rehearse else asked.seconds,
        refinements=0 if asked.rehearse else 2,
        say=lambda what: say(f"{name}: {what}"),
    )
    for part in asked.parts:
        kept[part] = one_part(part, bench, rehearsal=asked.rehearse)
        path.write_text(json.dumps(kept, indent=1))


def one_part(part: str, bench: Bench, *, rehearsal: bool) -> dict[str, Any]:
    """A part's numbers, or why there are none."""
    stamp = {"rehearsal": rehearsal, "measured": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}
    try:
        return PARTS[part](bench) | stamp
    except PeerError as error:
        bench.say(f"{part}: {error}")
        return {"failed": str(error).replace(str(Path.home()), "~")} | stamp


def say(what: str) -> None:
    """Progress, for whoever waits."""
    print(f"bench {time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
