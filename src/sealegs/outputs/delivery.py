"""Where machine outputs go: files in a folder that was asked for, and GitHub where a job runs there."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from sealegs.errors import writing
from sealegs.outputs.github import annotations, summary
from sealegs.outputs.junit import junit
from sealegs.outputs.openmetrics import openmetrics
from sealegs.outputs.openslo import openslo
from sealegs.outputs.trace import trace
from sealegs.report.reading import Reading, read

GITHUB = "GITHUB_STEP_SUMMARY"


def deliver(run_dir: Path, folder: Path | None, *, environment: Mapping[str, str], out: TextIO) -> None:
    """Write a judged run's outputs into a folder, if one is asked for; on GitHub, tell it of the run.

    Raises:
        ScenarioError: the run's folder is not one, or was not judged.
        ClusterError: an output cannot be written.
    """
    job_summary = environment.get(GITHUB)
    if folder is None and not job_summary:
        return
    reading = read(run_dir)
    if folder is not None:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in outputs(reading).items():
                (folder / name).write_text(text, encoding="utf-8")
        print(f"outputs: {folder}", file=out)
    if job_summary:
        with writing(Path(job_summary)), Path(job_summary).open("a", encoding="utf-8") as file:
            file.write(summary(reading.verdict) + "\n")
        # Commands count only at the start of a line of standard output.
        for command in annotations(reading.verdict):
            print(command, file=out, flush=True)


@contextmanager
def without_commands(*, environment: Mapping[str, str], out: TextIO) -> Iterator[None]:
    """What is printed in the block is text to GitHub, also where it looks like a workflow command.

    A claim or a reason may hold anything, and the runner takes commands from indented lines too.
    """
    if not environment.get(GITHUB):
        yield
        return
    token = secrets.token_hex(16)
    print(f"::stop-commands::{token}", file=out, flush=True)
    try:
        yield
    finally:
        print(f"::{token}::", file=out, flush=True)


def outputs(reading: Reading) -> dict[str, str]:
    """File name → text of each output."""
    document, run = reading.verdict, reading.facts.run
    return {
        "junit.xml": junit(document, run),
        "summary.md": summary(document),
        "metrics.prom": openmetrics(document, run),
        "openslo.yaml": openslo(reading.facts.scenario),
        "trace.json": trace(reading),
    }
