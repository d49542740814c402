"""The commands `sealegs nightly run` and `sealegs nightly page`: arguments in, exit code out."""

from datetime import UTC, date, datetime
from pathlib import Path

import click

from sealegs import nightly as nights
from sealegs.child_run import heal_killed, in_a_process
from sealegs.commands import context_option, root_option, say
from sealegs.errors import writing
from sealegs.judgement.verdict import EXIT_CODES
from sealegs.nightly.history import NIGHTS
from sealegs.report.words import SIGNS


@click.group()
def nightly() -> None:
    """Run every scenario in one night, and show the night beside those before it."""


@nightly.command()
@root_option
@context_option
def run(root: Path, context: str | None) -> int:
    """Run scenarios/*.toml, scenarios/negative/ and, without --context, every mutant; draw the night's page.

    What killed runs left on their clusters is undone first, as `sealegs heal` does it. Then one after the
    other; one that crashes does not stop the night, and an INVALID one is made once more. The exit code is
    the worst verdict's: 1 where a claim is refuted, or a control or mutant is not caught, then 3 for INVALID,
    2 for INCONCLUSIVE, 0. The night's folder is reports/nightly/<date>/, by UTC.
    """
    root = root.resolve()
    heal_killed(root, say=say)
    night = nights.play(
        root,
        started=datetime.now(UTC),
        start=in_a_process(root, context=context, say=say),
        now=lambda: datetime.now(UTC),
        say=say,
        # A defect is planted in the cluster made here only.
        with_mutants=context is None,
    )
    click.echo(f"{SIGNS[night.word]} {night.word}  night of {night.night}")
    click.echo(f"\npage: {_drawn(root, night=date.fromisoformat(night.night))}")
    return EXIT_CODES[night.word]


@nightly.command()
@root_option
@click.option(
    "--night",
    metavar="DATE",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The night to draw, by default the newest.",
)
@click.option(
    "--now",
    metavar="TIME",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"]),
    help="The moment to which ages count, in UTC, by default the night's own end.",
)
def page(root: Path, night: datetime | None, now: datetime | None) -> None:
    """Draw a night's page from the records in reports/nightly/, and the list of all nights.

    Needs no cluster. The same records give the same bytes.
    """
    drawn = _drawn(
        root.resolve(),
        night=night.date() if night else None,
        now=now.replace(tzinfo=UTC) if now else None,
    )
    click.echo(f"page: {drawn}")


def _drawn(root: Path, *, night: date | None, now: datetime | None = None) -> Path:
    """The page of a night.

    Raises:
        ClusterError: it cannot be written.
    """
    with writing(root / NIGHTS):
        return nights.render(root, night=night, now=now)
