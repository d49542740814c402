"""The commands of `sealegs` that are long enough for a module: arguments in, an exit code out.

Here stands what several of them take and do.
"""

from pathlib import Path

import click

context_option = click.option(
    "--context",
    metavar="NAME",
    help="Use the cluster of this kubeconfig context instead of the one made here. "
    "The stack's namespace (llm-production, unless its stack.toml says otherwise) must carry the label "
    "sealegs/allow-faults=true.",
)
root_option = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The folder that holds stack/, scenarios/ and reports/; by default the one you are in.",
)


def say(text: str) -> None:
    """Tell what is no result, on standard error."""
    click.echo(f"sealegs: {text}", err=True)
