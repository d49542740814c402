"""The page of one run: a single file that needs no network, no script and no other file."""

from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from sealegs.errors import writing
from sealegs.judgement import mesh
from sealegs.report import losses, numbers, rows
from sealegs.report.happened import happened
from sealegs.report.interval import budget_bar, budget_end, floor_of
from sealegs.report.ladder import ladder_of
from sealegs.report.reading import Reading, read
from sealegs.report.timeline import timeline
from sealegs.report.words import MISSING, SIGNS, allowed, duration, figure, part, plain, seconds, share

# What a reader finds in each file, in the order to open them.
FILES = {
    "verdict.json": "the judgement this page draws",
    "run.json": "identity: commit, versions, nodes, images",
    "scenario.toml": "what was claimed",
    "mutant.toml": "the defect that was planted, and which claims must see it",
    "experiment.json": "the fault's gate, injection, landed check, hold and undo",
    "schedule.parquet": "each request as it was planned",
    "requests.parquet": "each request as it went",
    "requests.jsonl": "each request as it went, from a run that was not closed",
    "attempts.parquet": "what clients tried before a request's last attempt",
    "chunks.parquet": "when each token arrived",
    "chunks.jsonl": "when each token arrived, from a run that was not closed",
    "timeline.jsonl": "phases, fault states, evictions, and every change of pods, nodes and budgets",
    "samples.jsonl": "replicas, load and queues once a second",
    "undo.jsonl": "how to undo the fault, written before it",
    "journal.json": "Chaos Toolkit's own journal",
    "load.json": "what the load processes were told",
    "load-summary.json": "what the load processes say they did",
}
GATEWAY_LOG = "what the mesh's gateway says of each request"


def render(run_dir: Path) -> Path:
    """Draw a judged run into its ``report.html``; the same evidence and verdict give the same bytes.

    Raises:
        ScenarioError: the folder is not a run, or was not judged.
        ClusterError: the page cannot be written.
    """
    page, drawn = run_dir / "report.html", draw(read(run_dir))
    with writing(page):
        page.write_text(drawn, encoding="utf-8")
    return page


def draw(reading: Reading) -> str:
    """The whole page as HTML."""
    here = files(__package__)
    templates = [one for one in here.iterdir() if one.name.endswith(".j2")]
    environment = Environment(
        loader=DictLoader({one.name: one.read_text(encoding="utf-8") for one in templates}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        allowed=allowed, figure=figure, part=part, plain=plain, seconds=seconds, share=share
    )
    style = (here / "page.css").read_text(encoding="utf-8")
    return environment.get_template("page.html.j2").render(_shown(reading), style=Markup(style))  # noqa: S704  our own file


def _shown(reading: Reading) -> dict[str, Any]:
    """Everything the template prints."""
    verdict = reading.verdict
    low_s, high_s = reading.span_s
    lost, lost_count = losses.lost(reading)
    checks = verdict["validity"]["checks"]
    budget = verdict.get("budget")
    drawn = timeline(reading)
    return {
        "run": _identity(reading.facts.run),
        "scenario": reading.facts.scenario,
        "verdict": {"budget": None, **verdict},
        "signs": SIGNS,
        "checks_ok": sum(check["ok"] for check in checks),
        "lasted": duration(high_s - low_s),
        "figures": _figures(verdict),
        "objectives": rows.objectives(reading),
        "bar_floor": floor_of(verdict["objectives"]),
        "timeline": replace(drawn, drawing=Markup(drawn.drawing)),  # noqa: S704  drawn here, labels escaped
        "phases": rows.phases(reading),
        "percentiles": numbers.percentiles(reading),
        "changes": numbers.changes(reading),
        "ladder": ladder_of((verdict["fault"] or {}).get("ladder", ())),
        "happened": happened(reading),
        "causes": losses.causes(verdict),
        "lost": lost,
        "lost_count": lost_count,
        "flags": losses.flags(reading),
        "budget_bar": Markup(budget_bar(budget)) if budget else "",  # noqa: S704  drawn here
        "budget_until": budget_end(budget) if budget else None,
        "files": _files(reading.run_dir),
    }


def _identity(run: Mapping[str, Any]) -> dict[str, Any]:
    """What ``run.json`` says, with a word or nothing for what it does not know."""
    known = {name: value for name, value in run.items() if value is not None}
    texts = dict.fromkeys(("seed", "started_at", "command", "sidecar_mode"), MISSING)
    lists: dict[str, Any] = {"versions": {}, "images": {}, "nodes": [], "cluster": {"name": MISSING}}
    return {**texts, **lists, "commit": "none", "dirty": False, **known}


def _figures(verdict: dict[str, Any]) -> list[tuple[str, str]]:
    """The run in a handful of numbers, each with what it counts."""
    counts, fault, recovery = verdict["counts"], verdict["fault"], verdict["recovery"]
    figures = [
        (f"{counts['planned']:,}", "requests planned"),
        (f"{counts['ok']:,}", "answered whole and right"),
    ]
    if fault:
        figures.append(
            (f"{sum(fault['in_flight_at_injection'].values())}", "in flight where the fault struck")
        )
    figures.append((f"{counts.get('truncated', 0):,}", "streams cut short"))
    if losses_seen := verdict.get("losses"):
        what = f"lost, {losses_seen['unexplained']:,} of them unexplained"
        figures.append((f"{losses_seen['lost']:,}", what))
    if counts.get("retried"):
        figures.append((f"{counts['attempts'] / counts['sent']:.2f}", "attempts for each request sent"))
    if counts.get("tokens_wasted"):
        figures.append((f"{counts['tokens_wasted']:,}", "tokens received that belong to no answer"))
    if recovery:
        recovery_s = recovery["recovery_s"]
        took = "not seen" if recovery_s is None else seconds(recovery_s)
        figures.append((took, f"to recover, at most {seconds(recovery['limit_s'])}"))
    return figures


def _files(run_dir: Path) -> list[tuple[str, str]]:
    """The evidence that is there, and what each file holds."""
    logs = sorted(
        path.relative_to(run_dir).as_posix() for path in (run_dir / "logs").glob("*") if path.is_file()
    )
    found = [(name, what) for name, what in FILES.items() if (run_dir / name).is_file()]
    return [*found, *((name, GATEWAY_LOG if name.endswith(mesh.LOG) else "log") for name in logs)]
