"""The command `sealegs capacity`: arguments in, a table and an exit code out."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click
from rich.console import Console
from rich.text import Text

from sealegs import cluster as clusters
from sealegs import preflight
from sealegs.child_run import heal_killed
from sealegs.commands import context_option, say
from sealegs.doors import aligned
from sealegs.heal import require_nothing_left
from sealegs.judgement.verdict import EXIT_CODES, Word
from sealegs.knee import Ending, Knee, Step
from sealegs.knee_files import knee_rps
from sealegs.knee_search import Searched, search
from sealegs.report.words import seconds, share
from sealegs.scenario import Scenario, root_of

Say = Callable[[str], None]

# Where a search begins that nothing tells where to: a rate that few stacks break at.
START_RPS = 2.0
# What each ending of a search is worth, as a verdict's word is worth an exit code.
ENDINGS: dict[Ending, Word] = {
    "found": "PASS",
    "client": "INCONCLUSIVE",
    "time": "INCONCLUSIVE",
    "none": "FAIL",
}
WORDS = {"holds": "holds", "breaks": "breaks", "client": "client busy"}
HEAD = ("requests/s", "", "sent/s", "good", "at least", "at most", "good/s", "TTFT p95", "429", "tokens/s")


@click.command(
    epilog="""\b
Exit codes:
  0 the knee was found  1 no rate holds  2 only a rate that the knee is above
  3 the client was the limit at every rate
  4 a problem in your file or arguments  5 a problem of the environment"""
)
@click.argument("scenario", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--from-rps",
    type=click.FloatRange(0, min_open=True),
    help="The rate to begin with.  [default: the scenario's, or the last knee that was found]",
)
@context_option
def capacity(scenario: Path, from_rps: float | None, context: str | None) -> int:
    """Find the knee: the highest rate of SCENARIO's traffic at which its stack keeps its promises.

    The stack of SCENARIO is applied and nothing in it is broken: what killed runs left is undone first, as
    `sealegs heal` does it. One rate after the other is sent for 25 seconds as a run would send it, and looked
    at for the last 20: twice as much until a rate breaks, then between the highest that held and the lowest
    that broke, until these are within 15 % of each other or four minutes are over.

    A rate holds when the share of good requests reaches the target of every objective that SCENARIO has for
    its baseline. Where a rate does not hold and the client was too busy to be trusted, the search ends: the
    knee is then at least the highest rate that held.

    What was found is kept in reports/capacity/, a file and a folder with every request. Scenarios with
    `knee_share = 0.6` in [traffic] run at that share of it, with this stack on this cluster.
    """
    asked = preflight.read(scenario)
    preflight.require_stack(asked)
    root = root_of(asked.path)
    heal_killed(root, say=say)
    where = clusters.connect(context)
    # The knee of a stack with a fault on it would be every later scenario's rate.
    require_nothing_left(root, context=where.context)
    with shown(sys.stderr) as (now, tell):
        tell(f"searching the knee of {asked.stack_overlay} under {asked.name}'s traffic")
        found = search(
            asked,
            where,
            start_rps=from_rps or _start_rps(asked, where.context),
            now=now,
            tried=lambda step: tell(_line(step)),
        )
    click.echo("\n".join(told(found)))
    return EXIT_CODES[_worth(found.knee)]


def told(found: Searched) -> Iterator[str]:
    """A search in lines: each rate that was tried, from low to high, and where the knee is."""
    steps = sorted(found.steps, key=lambda one: one.rate_rps)
    yield ""
    yield from aligned([HEAD, *map(_row, steps)], words=0)
    yield ""
    yield f"  {_sentence(found.knee)}"
    for step in steps:
        if step.word == "client":
            yield from (f"  - at {step.rate_rps:g} requests/s {doubt}" for doubt in step.doubts)
    yield f"\nresult: {found.path}"


def _start_rps(scenario: Scenario, context: str) -> float:
    """Where to begin: at the scenario's own rate, or where its knee was last."""
    if scenario.traffic.knee_share is None:
        return scenario.traffic.rate_rps
    return knee_rps(scenario, context=context) or START_RPS


def _worth(knee: Knee) -> Word:
    """The verdict's word whose exit code a search has."""
    return "INVALID" if knee.ending == "client" and knee.rate_rps is None else ENDINGS[knee.ending]


@contextmanager
def shown(out: TextIO) -> Iterator[tuple[Say, Say]]:
    """What tells what goes on just now, which only a terminal shows, and what tells a line that stays."""
    console = Console(file=out, highlight=False)
    if not (out.isatty() and console.is_interactive):
        yield (lambda _: None), lambda text: print(f"sealegs: {text}", file=out, flush=True)
        return
    with console.status("") as status:
        yield status.update, lambda text: console.print(Text(f"sealegs: {text}"), soft_wrap=True)


def _line(step: Step) -> str:
    """One step in a sentence, when it is over."""
    why = f" ({', '.join(step.missed)})" if step.missed else ""
    return f"{step.rate_rps:g} requests/s: {WORDS[step.word]}{why}, {step.good} of {step.due} good"


def _row(step: Step) -> tuple[str, ...]:
    """One step in a row of the table."""
    return (
        f"{step.rate_rps:g}",
        WORDS[step.word],
        f"{step.sent_rps:.3g}",
        share(step.good / step.due if step.due else None),
        share(step.bound_low),
        share(step.bound_high),
        f"{step.goodput_rps:.3g}",
        seconds(step.ttft_s_p95),
        f"{step.refused}",
        f"{step.tokens_per_s:.0f}",
    )


def _sentence(knee: Knee) -> str:
    """Where the knee is, in words."""
    if knee.rate_rps is None:
        if knee.above_rps is None:
            return "no knee: time was up before a rate was tried"
        lowest = f"{knee.above_rps:g} requests/s"
        if knee.ending == "client":
            return f"no knee: the client was too busy to be trusted at {lowest}"
        return f"no knee: not even {lowest} holds"
    good = f"with {knee.goodput_rps:.3g} good requests/s"
    if knee.ending == "found":
        return f"knee: {knee.rate_rps:g} requests/s, {good}; {knee.above_rps:g} breaks"
    limit = (
        "time was up"
        if knee.ending == "time"
        else f"beyond it, at {knee.above_rps:g}, the client is the limit"
    )
    return f"knee: at least {knee.rate_rps:g} requests/s, {good}; {limit}"
