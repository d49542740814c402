"""Judging a run folder: read what is there, decide, write ``verdict.json``. Needs no cluster and no clock."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import pyarrow as pa

from sealegs import evidence, mesh, tables
from sealegs.errors import ScenarioError
from sealegs.facts import Facts
from sealegs.scenario import load_scenario
from sealegs.verdict import Verdict, decide
from sealegs.workload import ANSWERED

TRUTH_PREFIX = b'{"truth":1'
# What judgement reads of each kind of timeline record, without which a line counts as torn.
TIMELINE_KEYS = {
    "phase": {"name"},
    "fault": {"state"},
    "pod": {"name"},
    "pdb": {"app", "current_healthy", "desired_healthy"},
    "node": {"name"},
}
RUN_KEYS = {"run_id", "scenario", "started_monotonic_ns"}
TRUTH_KEYS = {"request_id", "pod", "received_s", "end_s", "tokens"}


def judge(run_dir: Path) -> Verdict:
    """Judge the evidence in a run folder and write its ``verdict.json``: same evidence, same bytes.

    Raises:
        ScenarioError: the folder holds no readable ``run.json`` or ``scenario.toml``: it is not a run.
    """
    verdict = decide(read_facts(run_dir))
    evidence.write_json(run_dir / "verdict.json", verdict.document)
    return verdict


def read_facts(run_dir: Path) -> Facts:
    """Everything in a run folder that judgement needs. What is absent or torn is noted as damage, not raised.

    Raises:
        ScenarioError: as `judge`.
    """
    run = evidence.read_json(run_dir / "run.json")
    if run is None or not run.keys() >= RUN_KEYS:
        raise ScenarioError(
            [f"{run_dir / 'run.json'}:1: absent or without {', '.join(sorted(RUN_KEYS))}: not a run's folder"]
        )
    scenario = load_scenario(run_dir / "scenario.toml", name=run["scenario"], files_exist=False)
    timeline, timeline_torn = _records(run_dir / "timeline.jsonl", is_whole=_is_whole)
    samples, samples_torn = _records(run_dir / "samples.jsonl", is_whole=lambda _: True)
    schedule, schedule_damage = tables.read_table(run_dir, "schedule", tables.SCHEDULE)
    requests, requests_damage = tables.read_table(run_dir, "requests", tables.REQUESTS)
    attempts, attempts_damage = tables.read_table(run_dir, "attempts", tables.ATTEMPTS)
    torn = {"timeline.jsonl": timeline_torn, "samples.jsonl": samples_torn}
    damage = [
        *(f"{count} torn line{'s' * (count > 1)} in {name}" for name, count in torn.items() if count),
        *filter(None, (schedule_damage, requests_damage, attempts_damage)),
    ]
    return Facts(
        run=run,
        scenario=scenario,
        schedule=schedule,
        requests=requests,
        attempts=attempts,
        timeline=timeline,
        samples=samples,
        truth=tuple(_truth(sorted((run_dir / "logs").glob("*.log")))),
        mesh=tuple(_mesh(sorted((run_dir / "logs").glob(f"*{mesh.LOG}")), _lost(schedule, requests))),
        load_summary=evidence.read_json(run_dir / "load-summary.json"),
        damage=tuple(damage),
    )


def _records(
    path: Path, *, is_whole: Callable[[Mapping[str, Any]], bool]
) -> tuple[tuple[dict[str, Any], ...], int]:
    """Records in time order, and how many lines were torn, or lacked a time or what else makes them whole."""
    lines = evidence.read_lines(path)
    whole = [one for one in lines.records if isinstance(one.get("t_s"), int | float) and is_whole(one)]
    return tuple(sorted(whole, key=lambda one: one["t_s"])), lines.torn + len(lines.records) - len(whole)


def _is_whole(record: Mapping[str, Any]) -> bool:
    """Whether a timeline record has what judgement reads of its kind."""
    return "kind" in record and record.keys() >= TIMELINE_KEYS.get(str(record["kind"]), set())


def _truth(logs: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """The engines' lines about requests, out of logs that hold other lines too."""
    for log in logs:
        lines = [line for line in log.read_bytes().splitlines() if line.startswith(TRUTH_PREFIX)]
        try:
            # Parsed in one call, which is half the cost of judging a run that is whole.
            records = json.loads(b"[" + b",".join(lines) + b"]")
        except ValueError:
            records = [record for line in lines if (record := _parsed(line)) is not None]
        yield from (record for record in records if record.keys() >= TRUTH_KEYS)


def _lost(schedule: pa.Table, requests: pa.Table) -> set[str]:
    """Requests that were planned and not answered."""
    outcomes = zip(requests["request_id"].to_pylist(), requests["outcome"].to_pylist(), strict=True)
    answered = {request_id for request_id, outcome in outcomes if outcome in ANSWERED}
    return {str(request_id) for request_id in schedule["request_id"].to_pylist()} - answered


def _mesh(logs: Iterable[Path], request_ids: AbstractSet[str]) -> Iterator[mesh.Record]:
    """The gateway's lines about some requests."""
    for log in logs:
        with log.open("rb") as lines:
            yield from mesh.about(lines, request_ids)


def _parsed(line: bytes) -> dict[str, Any] | None:
    """One line of a log; None when it is torn."""
    try:
        record: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return record
