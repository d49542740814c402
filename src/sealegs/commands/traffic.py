"""The commands `sealegs traffic list` and `sealegs traffic show`: arguments in, a portrait out."""

from pathlib import Path

import click

from sealegs import portrait
from sealegs.errors import writing
from sealegs.scenario import load_scenario
from sealegs.scenario.arrivals import Arrivals
from sealegs.scenario.workload import PROFILES

EPILOG = """\b
Exit codes:
  0 shown  4 a problem in your file or arguments  5 a problem of the environment"""
POSITIVE = click.FloatRange(0, min_open=True)


@click.group()
def traffic() -> None:
    """Look at what scenarios send. Needs no cluster."""


@traffic.command("list")
def list_profiles() -> None:
    """List the profiles: the trace that each is drawn from, its size, and median lengths."""
    click.echo("\n".join(portrait.listed()))


@traffic.command("show", epilog=EPILOG)
@click.argument("profile", metavar="PROFILE", type=click.Choice(PROFILES))
@click.option(
    "--scenario",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Show PROFILE in what a run of this scenario sends. The scenario settles all that follows.",
)
@click.option("--rate-rps", type=POSITIVE, help="Requests a second.  [default: the trace's, or 5]")
@click.option(
    "--arrivals",
    type=click.Choice(("constant", "poisson", "gamma", "weibull", "trace", "day")),
    help="When they come; the others take a scenario.  [default: what is known of the trace]",
)
@click.option(
    "--cv", type=click.FloatRange(0.05, 50), help="Of gamma and weibull: 1 is Poisson, more bursty."
)
@click.option("--tokens-per-s", type=POSITIVE, help="Speed of one answer.  [default: 33]")
@click.option("--duration-s", type=POSITIVE, help="How long load lasts.  [default: 3600]")
@click.option("--seed", type=click.IntRange(0), help="Decides all that is random.  [default: 1]")
@click.option(
    "--output",
    metavar="FILE.svg",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to draw.  [default: PROFILE.svg in the folder you are in]",
)
def show_profile(
    profile: str,
    *,
    scenario: Path | None,
    rate_rps: float | None,
    arrivals: str | None,
    cv: float | None,
    tokens_per_s: float | None,
    duration_s: float | None,
    seed: int | None,
    output: Path | None,
) -> None:
    """Print and draw what a run would send of PROFILE, beside the trace that it is drawn from.

    Lengths, arrivals and service times, with the distance between the two and how much of it chance explains;
    and how many of the requests in flight a grace period of 30, 60 or 120 s would cut. `sealegs traffic list`
    names the profiles.
    """
    if scenario is not None and any((rate_rps, arrivals, cv, tokens_per_s, duration_s, seed is not None)):
        raise click.UsageError("a scenario settles its traffic: beside --scenario only --output is of use")
    if cv is not None and arrivals is None:
        raise click.UsageError("--cv goes with --arrivals gamma or weibull")
    shown = portrait.portrait_of(
        profile,
        load_scenario(scenario)
        if scenario is not None
        else portrait.scenario_of(
            profile,
            rate_rps=rate_rps,
            arrivals=Arrivals(kind=arrivals, cv=cv) if arrivals else None,
            tokens_per_s=tokens_per_s,
            duration_s=duration_s,
            seed=seed,
        ),
    )
    path = output or Path(f"{profile}.svg")
    with writing(path):
        path.write_text(portrait.picture(shown), encoding="utf-8")
    click.echo("\n".join(portrait.printed(shown)))
    click.echo(f"\npicture: {path}")
