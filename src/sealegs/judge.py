"""Judging a run folder: read what is there, decide, write ``verdict.json``. Needs no cluster and no clock."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sealegs import evidence, tables
from sealegs.errors import ScenarioError
from sealegs.judgement import mesh
from sealegs.judgement.facts import Facts
from sealegs.judgement.verdict import Verdict, decide
from sealegs.mutant import asked_of
from sealegs.record_shape import IDENTITY, IDENTITY_KNOWN, SUMMARY, fits, is_sample, is_timeline
from sealegs.scenario.workload import ANSWERED
from sealegs.truth import read_truth

# Several processes stamp what they write before they write it, and may be kept from running in between.
BACK_S_MAX = 5.0


def judge(run_dir: Path) -> Verdict:
    """Judge the evidence in a run folder and write its ``verdict.json``: same evidence, same bytes.

    Raises:
        ScenarioError: the folder holds no readable ``run.json`` or ``scenario.toml``: it is not a run. Or the
            verdict cannot be written into it.
    """
    verdict = decide(read_facts(run_dir))
    path = run_dir / "verdict.json"
    try:
        evidence.write_json(path, verdict.document)
    except OSError as error:
        raise ScenarioError([f"{path}:1: cannot be written: {error.strerror}"]) from error
    return verdict


def read_facts(run_dir: Path) -> Facts:
    """Everything in a run folder that judgement needs. What is absent or torn is noted as damage, not raised.

    Raises:
        ScenarioError: as `judge`.
    """
    # Arrow's own allocator keeps what it once had: a third of the memory that a long run takes.
    pa.set_memory_pool(pa.system_memory_pool())
    run = _identity(run_dir / "run.json")
    if not (run_dir / "scenario.toml").is_file():
        raise ScenarioError([f"{run_dir / 'scenario.toml'}:1: absent or no file: not a run's folder"])
    scenario = asked_of(run_dir, run)
    with ThreadPoolExecutor(1) as beside:
        # The engines' logs are most of what is read, and parsing them leaves Python to the rest.
        reading = beside.submit(read_truth, _logs(run_dir, "*.log"))
        timeline, timeline_damage = _records(run_dir / "timeline.jsonl", is_whole=is_timeline)
        samples, samples_damage = _records(run_dir / "samples.jsonl", is_whole=is_sample)
        summary, summary_damage = _summary(run_dir / "load-summary.json")
        schedule, schedule_damage = tables.read_table(run_dir, "schedule", tables.SCHEDULE)
        requests, requests_damage = tables.read_table(run_dir, "requests", tables.REQUESTS)
        attempts, attempts_damage = tables.read_table(run_dir, "attempts", tables.ATTEMPTS)
        gateway = tuple(_mesh(_logs(run_dir, f"*{mesh.LOG}"), _lost(schedule, requests)))
        truth, truth_damage = reading.result()
    return Facts(
        run=run,
        scenario=scenario,
        schedule=schedule,
        requests=requests,
        attempts=attempts,
        timeline=timeline,
        samples=samples,
        truth=truth,
        mesh=gateway,
        load_summary=summary,
        damage=(
            *timeline_damage,
            *samples_damage,
            *summary_damage,
            *schedule_damage,
            *requests_damage,
            *attempts_damage,
            *truth_damage,
        ),
    )


def _identity(path: Path) -> dict[str, Any]:
    """What ``run.json`` says. ScenarioError when that is not which run it is, or is of a later version."""
    run = evidence.read_json(path)
    if run is None or not fits(run, needed=IDENTITY, known=IDENTITY_KNOWN):
        raise ScenarioError(
            [f"{path}:1: absent, damaged or without {', '.join(sorted(IDENTITY))}: not a run's folder"]
        )
    if (run.get("schema") or evidence.SCHEMA) > evidence.SCHEMA:
        told = f"schema {run['schema']}, this one reads up to {evidence.SCHEMA}"
        raise ScenarioError([f"{path}:1: written by a later sealegs: {told}"])
    return run


def _summary(path: Path) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """What load says of itself, if it can be read; and what is wrong with it in words."""
    summary = evidence.read_json(path)
    if summary is None:
        return None, ()
    return (summary, ()) if fits(summary, known=SUMMARY) else (None, (f"{path.name} is damaged",))


def _logs(run_dir: Path, pattern: str) -> list[Path]:
    """The logs of a kind, in the order of their names."""
    return sorted(path for path in (run_dir / "logs").glob(pattern) if path.is_file())


def _records(
    path: Path, *, is_whole: Callable[[Mapping[str, Any]], bool]
) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...]]:
    """Records in time order, and in words which lines are torn, not what they should be, or there twice."""
    lines = evidence.read_lines(path)
    written = list(filter(is_whole, lines.records))
    whole = sorted(written, key=lambda one: one["t_s"])
    torn = lines.torn + len(lines.records) - len(whole)
    damage = [f"{torn} torn line{'s' * (torn > 1)} in {path.name}"] if torn else []
    # Clocks have microseconds, and a second process may write in the same one, but not the same.
    if twice := sum(one == next_one for one, next_one in pairwise(whole)):
        damage.append(f"{twice} line{'s' * (twice > 1)} of {path.name} stand there twice")
    back_s = max((a["t_s"] - b["t_s"] for a, b in pairwise(written)), default=0.0)
    if back_s > BACK_S_MAX:
        damage.append(f"time goes back by {back_s:.1f} s in {path.name}")
    return tuple(whole), tuple(damage)


def _lost(schedule: pa.Table, requests: pa.Table) -> set[str]:
    """Requests that were planned and not answered."""
    answered = requests["request_id"].filter(pc.is_in(requests["outcome"], pa.array(ANSWERED)))
    lost = pc.invert(pc.is_in(schedule["request_id"], answered.combine_chunks()))
    return {str(one) for one in schedule["request_id"].filter(lost).to_pylist()}


def _mesh(logs: Iterable[Path], request_ids: AbstractSet[str]) -> Iterator[mesh.Record]:
    """The gateway's lines about some requests."""
    for log in logs:
        yield from mesh.about(chain.from_iterable(evidence.lines_of(log)), request_ids)
