"""Run folders made up from a few words, for tests of what reads them: a drain of one of three engines' nodes.

The same case and seed give the same bytes. Nothing here is how the suite records a run but the files' format.
"""

import json
import random
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.golden.case import (
    CASES,
    INJECTED_S,
    LOAD_S,
    LOADED_S,
    NODES,
    PODS,
    READY_AGAIN_S,
    REPLACEMENT,
    T0_S,
    VICTIM,
    Case,
)
from tests.golden.made_cluster import samples_of, timeline_of

from sealegs import evidence, tables
from sealegs.judge import read_facts
from sealegs.judgement.facts import Facts

HERE = Path(__file__).parent
BOOT_ID = "00000000-0000-0000-0000-000000000000"
WALL_ZERO_S = 1_795_521_600.0
# What the schedule says of a request that is a session of its own.
ALONE = {
    "profile": "chat",
    "model_type": "default",
    "turn": 0,
    "think_s": 0.0,
    "prefix_tokens": 0,
    "cancel": False,
}


def make_run(folder: Path, *, case: str, seed: int = 8) -> Path:
    """Write the evidence of one run into a new folder under `folder`; returns it, closed but not judged."""
    run_dir = _run_dir(folder, case=case, seed=seed)
    for name, content in _files(case, seed).items():
        (run_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (run_dir / name).write_bytes(content)
    return run_dir


@cache
def _files(case: str, seed: int) -> dict[str, bytes]:
    """Name → content of each file of a run; made once, for the many tests that want a copy."""
    with tempfile.TemporaryDirectory() as temporary:
        run_dir = _run_dir(Path(temporary), case=case, seed=seed)
        _record(run_dir, CASES[case], seed=seed)
        found = [path for path in run_dir.rglob("*") if path.is_file()]
        return {path.relative_to(run_dir).as_posix(): path.read_bytes() for path in found}


def _run_dir(folder: Path, *, case: str, seed: int) -> Path:
    """Where a run's files lie: the folder's name is the run's."""
    return folder / f"20261124T120000Z-{case}-s{seed}"


def _record(run_dir: Path, chosen: Case, *, seed: int) -> None:
    """Write every file of one run."""
    (run_dir / "logs").mkdir(parents=True)
    shutil.copy(HERE / "scenario.toml", run_dir / "scenario.toml")
    evidence.write_json(run_dir / "run.json", _identity(run_dir.name, seed=seed))
    if chosen.lacks:
        _end_early(run_dir, chosen.lacks)
        return
    requests = list(_requests(chosen, random.Random(seed)))  # noqa: S311 - a model's dice, not a secret
    planned = [{key: one[key] for key in tables.SCHEDULE.names if key in one} for one in requests]
    plan = [
        {**row, **ALONE, "output_tokens": one["tokens_asked"], "session": one["request_id"]}
        for row, one in zip(planned, requests, strict=True)
    ]
    tables.write_table(run_dir / "schedule.parquet", plan, tables.SCHEDULE)
    _write_lines(run_dir / "requests.jsonl", requests, by="end_s", until_s=chosen.killed_at_s)
    _write_lines(run_dir / "attempts.jsonl", (), by="sent_s", until_s=None)
    _write_lines(run_dir / "timeline.jsonl", timeline_of(chosen), by="t_s", until_s=chosen.killed_at_s)
    _write_lines(
        run_dir / "samples.jsonl", samples_of(chosen, requests), by="t_s", until_s=chosen.killed_at_s
    )
    _write_truth(run_dir / "logs", requests, until_s=chosen.killed_at_s)
    if chosen.killed_at_s is not None:
        with (run_dir / "requests.jsonl").open("a") as torn:
            torn.write('{"request_id":"r0009')
        return
    _write_lines(run_dir / "chunks.jsonl", _chunks(requests), by="request_id", until_s=None)
    tables.close_tables(run_dir)
    evidence.write_json(run_dir / "load-summary.json", _summary(requests))
    evidence.write_json(run_dir / "journal.json", {"status": "completed" if chosen.lands else "failed"})


def _end_early(run_dir: Path, lacks: str) -> None:
    """What is left of a run whose scenario needs what the cluster lacks."""
    text = (run_dir / "scenario.toml").read_text()
    (run_dir / "scenario.toml").write_text(f'needs = ["metrics"]\n{text}')
    looked = {"t_s": 9.0, "kind": "needs", "asked": ["metrics"], "missing": [lacks]}
    _write_lines(run_dir / "timeline.jsonl", [looked], by="t_s", until_s=None)


@cache
def made_facts(case: str) -> Facts:
    """What judgement reads from a made-up run; made once, for tests that change it and ask again."""
    with tempfile.TemporaryDirectory() as folder:
        return read_facts(make_run(Path(folder), case=case))


def _identity(run_id: str, *, seed: int) -> dict[str, Any]:
    """What run.json says."""
    return {
        "schema": 1,
        "run_id": run_id,
        "scenario": "gpu-node-drain",
        "seed": seed,
        "started_at": "2026-11-24T12:00:00Z",
        "started_monotonic_ns": int(T0_S * 1e9),
        "boot_id": BOOT_ID,
        "pid": 4242,
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": False,
        "versions": {"sealegs": "0.1.0", "kubernetes": "1.37.0", "istio": "1.31.0", "python": "3.11.7"},
        "nodes": [
            {"name": name, "zone": f"zone-{zone}", "gpus": 2, "kubelet": "v1.37.0"}
            for name, zone in zip(NODES, "abc", strict=True)
        ],
        "images": {"llm-inference": "sha256:1111", "llm-api": "sha256:2222"},
        "sidecar_mode": "native",
        "cluster": {
            "name": "sealegs",
            "context": "kind-sealegs",
            "gateway_url": "http://127.0.0.1:30080",
            "owned": True,
        },
        "command": "sealegs run scenarios/gpu-node-drain.toml --seed 8",
        "door": "run",
    }


def _requests(case: Case, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Each planned request and what became of it: Poisson arrivals, 5 ms a token, some answers long."""
    t_s = LOAD_S
    number = 0
    while (t_s := t_s + rng.expovariate(8.5)) < LOAD_S + LOADED_S:
        # A drained engine finishes what it has and gets nothing new; its successor starts later.
        gone = case.lands and t_s > INJECTED_S + 0.2
        pods = [PODS[0], PODS[2], *([REPLACEMENT] if t_s > READY_AGAIN_S else [])] if gone else PODS
        tokens = min(900, 20 + int(rng.expovariate(1 / 240)))
        slow_s = 0.25 if gone and t_s < READY_AGAIN_S else 0.0
        pod = rng.choice(pods)
        yield _request(case, rng, number=number, intended_s=t_s, pod=pod, tokens=tokens, slow_s=slow_s)
        number += 1


def _request(
    case: Case, rng: random.Random, *, number: int, intended_s: float, pod: str, tokens: int, slow_s: float
) -> dict[str, Any]:
    """One row of the requests table; times on a grid of microseconds."""
    sent_s = intended_s + 0.001 + rng.random() * 0.004
    first_s = sent_s + 0.06 + slow_s + rng.expovariate(1 / 0.05)
    row = {
        "request_id": f"r{number:06d}",
        "worker": 0,
        "intended_s": intended_s,
        "sent_s": sent_s,
        "headers_s": first_s - 0.01,
        "first_token_s": first_s,
        "last_token_s": first_s + 0.005 * (tokens - 1),
        "end_s": first_s + 0.005 * tokens,
        "status": 200,
        "outcome": "ok",
        "outcome_detail": "",
        "prompt_tokens": 50 + int(rng.random() * 900),
        "tokens_asked": tokens,
        "tokens_received": tokens,
        "finish_reason": "length",
        "pod": pod,
        "attempts": 1,
        "retry_after_s": None,
        "gap_s_max": 0.005,
    }
    if rng.random() < case.refused_share:
        row |= {"status": 503, "outcome": "http_5xx", "outcome_detail": "fault filter abort", "pod": None}
        row |= {"headers_s": sent_s + 0.004, "end_s": sent_s + 0.004}
        row |= {"first_token_s": None, "last_token_s": None}
        row |= {"tokens_received": 0, "finish_reason": None, "gap_s_max": None}
    elif case.aborts and pod == VICTIM and sent_s <= INJECTED_S < row["end_s"]:  # type: ignore[operator]
        kept = max(0, int((INJECTED_S + 0.3 - first_s) / 0.005))
        if kept < tokens:
            row |= {"outcome": "abort", "finish_reason": "abort", "tokens_received": kept}
            row |= {"last_token_s": first_s + 0.005 * kept, "end_s": max(first_s, INJECTED_S + 0.3)}
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in row.items()}


def _write_lines(path: Path, rows: Iterable[dict[str, Any]], *, by: str, until_s: float | None) -> None:
    """Write rows in order, up to when the run was killed."""
    with evidence.JsonLines(path) as lines:
        for row in sorted(rows, key=lambda row: row[by]):
            if until_s is None or row[by] <= until_s:
                lines.append(row)


def _write_truth(logs: Path, requests: list[dict[str, Any]], *, until_s: float | None) -> None:
    """The engines' logs of the same requests: received a millisecond after sent, admitted two later."""
    for one in sorted(requests, key=lambda one: one["end_s"]):
        if one["pod"] is None or (until_s is not None and one["end_s"] > until_s):
            continue
        line = {
            "truth": 1,
            "request_id": one["request_id"],
            "pod": one["pod"],
            "wall_s": round(WALL_ZERO_S + one["sent_s"] + 0.001, 6),
            "received_s": round(T0_S + one["sent_s"] + 0.001, 6),
            "admitted_s": round(T0_S + one["sent_s"] + 0.003, 6),
            "first_token_s": round(T0_S + one["first_token_s"] - 0.002, 6),
            "end_s": round(T0_S + one["end_s"] - 0.002, 6),
            "tokens": one["tokens_received"],
            "prompt_tokens": one["prompt_tokens"],
            "finish": one["finish_reason"],
            "phase_at_end": "done" if one["outcome"] == "ok" else "decode",
        }
        with (logs / f"{one['pod']}.log").open("a") as log:
            log.write(json.dumps(line, separators=(",", ":")) + "\n")


def _chunks(requests: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Stamps of each stream: the first, then what came between."""
    for one in requests:
        if one["tokens_received"]:
            first_us = round(one["first_token_s"] * 1e6)
            deltas_us = [5000] * (one["tokens_received"] - 1)
            yield {"request_id": one["request_id"], "t_us": [first_us, *deltas_us]}


def _summary(requests: list[dict[str, Any]]) -> dict[str, Any]:
    """What the load process says at its end."""
    counts = dict.fromkeys(("planned", "sent", "finished"), len(requests))
    lags = {"lag_s_p50": 0.003, "lag_s_p99": 0.005, "lag_s_max": 0.005}
    stalls = {"stall_s_p99": 0.0015, "stall_s_max": 0.012, "stalls_long": 0, "stalled_share": 0.0}
    errors_s = {"receive_error_s_p50": 3e-5, "receive_error_s_p99": 4e-4, "receive_error_s_max": 0.003}
    return {
        **counts,
        "sent_again": 0,
        "cap_refused": 0,
        "never_sent": 0,
        **lags,
        "cpu_share_max": 0.31,
        "cpu_hot_share": 0.0,
        **stalls,
        "receive_errors": 6000,
        **errors_s,
        "canaries_taken": True,
        "canary_s_p99_before": 6e-4,
        "canary_s_p99_after": 7e-4,
        "boot_id": BOOT_ID,
        "wall_zero_s_before": WALL_ZERO_S,
        "wall_zero_s_after": WALL_ZERO_S,
        "gc_frozen": True,
    }
