"""The command `sealegs`: arguments in, exit code out."""

import os
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from sealegs import cluster as clusters
from sealegs import preflight
from sealegs.cluster import up as making
from sealegs.cluster.progress import lasted
from sealegs.commands import context_option, root_option, say
from sealegs.commands.capacity import capacity
from sealegs.commands.mutants import mutants
from sealegs.commands.nightly import nightly
from sealegs.commands.traffic import traffic
from sealegs.compare import comparison, side_of
from sealegs.doors import present
from sealegs.errors import ClusterError, ScenarioError
from sealegs.evidence import RUNS, open_undos, read_json, run_dirs
from sealegs.heal import heal as heal_runs
from sealegs.judge import judge as judge_run
from sealegs.judge import read_facts
from sealegs.judgement.verdict import Verdict
from sealegs.mutant import planted
from sealegs.outputs import deliver, without_commands
from sealegs.progress import shown
from sealegs.report import words
from sealegs.run import execute, plan
from sealegs.scenario import root_of
from sealegs.traffic.schedule import dropped_of

EXIT_USAGE, EXIT_ENVIRONMENT = 4, 5
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STDERR = 2
EXIT_CODES = """\b
Exit codes:
  0 PASS  1 FAIL  2 INCONCLUSIVE  3 INVALID
  4 a problem in your file or arguments  5 a problem of the environment"""

outputs_option = click.option(
    "--outputs",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write what machines read into this folder: JUnit, Markdown, OpenMetrics, OpenSLO, a Chrome trace.",
)


class Group(click.Group):
    """Commands whose errors are sentences, and whose exit codes are those of the help."""

    def main(self, *args: object, **options: object) -> NoReturn:
        """Run the command line; ends the process."""
        for number in ENDING:
            # What `nohup`, or a shell that starts it beside itself, has it not hear stays unheard.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _interrupt)
        try:
            code = super().main(*args, **options | {"standalone_mode": False})  # type: ignore[call-overload]
        except click.ClickException as error:
            error.show()
            code = EXIT_USAGE
        except (click.Abort, KeyboardInterrupt):
            say("interrupted")
            code = 130
        except ScenarioError as error:
            for problem in error.problems:
                say(problem)
            code = EXIT_USAGE
        except (ClusterError, TimeoutError) as error:
            say(str(error))
            code = EXIT_ENVIRONMENT
        sys.exit(code)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    """End what goes on, once: a terminal that goes sends SIGHUP twice, and the second must cut no undo."""
    for number in ENDING:
        signal.signal(number, _go_on)
    raise KeyboardInterrupt


def _go_on(number: int, _frame: FrameType | None) -> None:
    """Nothing ends a second time; who presses Ctrl-C again is told why."""
    if number == signal.SIGINT:
        told = f"sealegs: it is ending, and what it did is being undone; `kill -9 {os.getpid()}` would leave "
        # Not by Python's own buffers: whoever is interrupted here may be writing to them.
        with suppress(OSError):
            os.write(STDERR, f"{told}that to `sealegs heal`\n".encode())


@click.group(
    cls=Group,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="sealegs")
def main() -> None:
    """Find out what breaks for the users of an LLM service on Kubernetes, before they do."""


@main.command(epilog=EXIT_CODES)
@click.argument("scenario", type=click.Path(path_type=Path, dir_okay=False))
@outputs_option
@click.option(
    "--mutant",
    metavar="NAME",
    help="Plant the defect of stack/mutants/NAME: the run must FAIL. `sealegs mutants` runs them all.",
)
@context_option
def run(scenario: Path, context: str | None, outputs: Path | None, mutant: str | None) -> int:
    """Test the claim of SCENARIO (scenarios/NAME.toml) on a cluster, and judge it.

    The run's folder is reports/runs/<run_id>/; the exit code is the verdict.
    """
    asked = preflight.read(scenario)
    if mutant is not None and context is not None:
        raise click.UsageError(
            "a defect is planted in the cluster made here only: no --mutant with --context"
        )
    if mutant is not None:
        asked = planted(asked, mutant, root=root_of(asked.path))
    plan(asked, context=context or clusters.own().context)
    root = root_of(asked.path)
    try:
        verdict = execute(asked, clusters.connect(context), watch=partial(shown, out=sys.stderr))
        _show(root / RUNS / verdict.run_id, verdict, outputs)
    finally:
        _tell_left(root)
    return verdict.exit_code


@main.command(epilog=EXIT_CODES)
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path, exists=True, file_okay=False))
@outputs_option
def judge(run_dir: Path, outputs: Path | None) -> int:
    """Judge the folder of a run again and draw its page. Needs no cluster; same evidence, same bytes."""
    verdict = judge_run(run_dir)
    _show(run_dir, verdict, outputs)
    return verdict.exit_code


@main.command()
@click.argument("a", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("b", type=click.Path(path_type=Path, exists=True, file_okay=False))
def compare(a: Path, b: Path) -> None:
    """Show the folders of two runs beside each other, and where B differs from A by more than chance.

    Ends with 0 whatever it shows, and with 4 when one of them is not a run. Writes nothing.
    """
    click.echo("\n".join(comparison(side_of(read_facts(a)), side_of(read_facts(b)))))


@main.command(epilog=EXIT_CODES)
@click.argument("scenarios", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
def check(scenarios: tuple[Path, ...]) -> None:
    """Read SCENARIOS and list everything that is wrong with them, with lines. Needs no cluster."""
    problems: list[str] = []
    for path in scenarios:
        try:
            scenario = preflight.read(path)
            planned = plan(scenario)
        except ScenarioError as error:
            problems += error.problems
        else:
            takes = f"{planned.num_rows:,} requests in {lasted(scenario.phases.duration_s)}"
            click.echo(f"{path}: fine, {takes}; {dropped_of(planned):,} more cannot fit and are left out")
    if problems:
        raise ScenarioError(problems)


@main.command(epilog=EXIT_CODES)
@root_option
def heal(root: Path) -> None:
    """Undo what killed runs left behind on their clusters, and judge what they recorded."""
    count, left = 0, 0
    for healed in heal_runs(root):
        count += 1
        if healed.undone or healed.left is None:
            click.echo(f"{healed.run_dir}: {'; '.join(healed.undone) or 'nothing to undo'}")
        if healed.left is not None:
            left += 1
            say(f"{healed.run_dir}: not undone: {healed.left}")
        if healed.verdict is not None:
            present(healed.run_dir, healed.verdict, out=sys.stdout)
        for problem in healed.problems:
            say(f"it cannot be judged, delete it when you have looked: {problem}")
    told = f"no killed run in {(root / RUNS).resolve()}, nothing to heal"
    if count:
        told = f"{words.count(count - left, 'killed run')} healed"
    click.echo(f"sealegs: {told}")
    if left:
        raise ClusterError(
            f"{left} left something on a cluster that could not be undone: `sealegs heal` again when it can; "
            "where the cluster is no more, delete the run's folder"
        )


@main.group()
def cluster() -> None:
    """Make, look at and delete the kind cluster that scenarios run on."""


@cluster.command(epilog=EXIT_CODES)
@click.option("--node-image", metavar="REF", help="A stock kindest/node image, instead of making one here.")
@context_option
def up(node_image: str | None, context: str | None) -> None:
    """Make the cluster: Docker where there is none, the node image, nodes, Istio, GPUs.

    Built things are cached under $XDG_CACHE_HOME/sealegs: about 18 minutes on two cores the first time,
    90 seconds from the cache, one when it stands. With --context nothing is made: the cluster is looked at.
    """
    if context is not None:
        found = clusters.connect(context)
        click.echo(f"cluster {found.name} answers, its gateway is {found.gateway_url or 'not found'}")
        return
    made, took_s = making.up(stock_image=node_image)
    click.echo(f"cluster {made.name} is up after {lasted(took_s)}, its gateway is {made.gateway_url}")


@cluster.command(epilog=EXIT_CODES)
def down() -> None:
    """Delete the cluster, and stop Docker if it was started here. The cache stays."""
    making.down()
    click.echo("cluster is gone, the cache stays")


@cluster.command(epilog=EXIT_CODES)
def status() -> None:
    """Say what there is of the cluster. Exits with 5 when it is not there or does not answer."""
    for name, value in making.status():
        click.echo(f"{name:8} {value}")


main.add_command(mutants)
main.add_command(capacity)
main.add_command(nightly)
main.add_command(traffic)


def _tell_left(root: Path) -> None:
    """Say what undoes what a run of this process has left on its cluster, if it has left anything."""
    for run_dir in run_dirs(root):
        if open_undos(run_dir) and (read_json(run_dir / "run.json") or {}).get("pid") == os.getpid():
            say(f"{run_dir}: its fault may still be on: `sealegs heal --root {root}`")


def _show(run_dir: Path, verdict: Verdict, outputs: Path | None) -> None:
    """Present a judged run to people, then to machines."""
    with without_commands(environment=os.environ, out=sys.stdout):
        present(run_dir, verdict, out=sys.stdout)
    deliver(run_dir, outputs, environment=os.environ, out=sys.stdout)
