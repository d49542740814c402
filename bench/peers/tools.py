"""Benchmark tools of others, each told to do what the rest do, and its own output files read back."""

import json
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness import Request, cache_dir
from job import Job, Peer, Told

PROMPT_TOKENS = 8
FILES_LIMIT = 10_000


def tokenizer_dir() -> Path:
    """A tokenizer of words: each event of the server is one token of it, so that counting cannot err."""
    folder = cache_dir() / "tokenizer"
    folder.mkdir(parents=True, exist_ok=True)
    words = ["[UNK]", "[BOS]", "[EOS]", "[PAD]", *(f"w{number:03d}" for number in range(1000))]
    special = [
        {"id": number, "content": words[number], "special": True, "normalized": False}
        | dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
        for number in range(4)
    ]
    model = {
        "type": "WordLevel",
        "vocab": {word: number for number, word in enumerate(words)},
        "unk_token": "[UNK]",
    }
    parts = {"normalizer": None, "post_processor": None, "decoder": None, "truncation": None, "padding": None}
    tokenizer = {
        "version": "1.0",
        "added_tokens": special,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": model,
    }
    (folder / "tokenizer.json").write_text(json.dumps(parts | tokenizer))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 1_000_000}
    names = {"unk_token": "[UNK]", "bos_token": "[BOS]", "eos_token": "[EOS]", "pad_token": "[PAD]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config | names))
    return folder


def _monotonic_ns(wall_ns: float) -> int:
    """A stamp of the wall clock on CLOCK_MONOTONIC; their distance is steady but for NTP's corrections."""
    return round(wall_ns) - (time.time_ns() - time.monotonic_ns())


def _aiperf_command(job: Job) -> list[str]:
    """AIPerf at a constant rate."""
    return [
        *(
            "{bin}/aiperf",
            "profile",
            "--model",
            "bench",
            "--url",
            job.url,
            "--endpoint-type",
            "chat",
            "--streaming",
        ),
        *("--tokenizer", str(tokenizer_dir()), "--isl", str(PROMPT_TOKENS), "--osl", str(job.tokens)),
        *("--request-rate", f"{job.rate_rps:.6f}", "--arrival-pattern", "constant"),
        *("--request-count", str(job.requests), "--num-conversations", str(job.requests)),
        *("--workers-max", "1", "--record-processors", "1", "--ui", "none", "--no-gpu-telemetry"),
        *("--no-server-metrics", "--export-level", "records", "--artifact-dir", str(job.folder / "aiperf")),
    ]


def _aiperf_read(job: Job, _: list[Request]) -> list[Told]:
    """Its records: TTFT and every gap between chunks, from which the receive times follow."""
    lines = (job.folder / "aiperf" / "profile_export.jsonl").read_text().splitlines()
    records = sorted(map(json.loads, lines), key=lambda one: one["metadata"]["credit_issued_ns"])
    first_ns = _monotonic_ns(records[0]["metadata"]["credit_issued_ns"])
    return [
        _aiperf_told(record, first_ns + round(number / job.rate_rps * 1e9))
        for number, record in enumerate(records)
    ]


def _aiperf_told(record: dict[str, Any], planned_ns: int) -> Told:
    """One record. Planned times count from the first request, which is taken to be in time."""
    said, metrics = record["metadata"], record["metrics"]
    ttft_ms = metrics.get("time_to_first_token", {}).get("value")
    gaps_ms = metrics.get("inter_chunk_latency", {}).get("value", [])
    received_ns: list[int] = []
    if ttft_ms is not None:
        received_ns = [_monotonic_ns(said["request_start_ns"]) + round(ttft_ms * 1e6)]
        for gap_ms in gaps_ms:
            received_ns.append(received_ns[-1] + round(gap_ms * 1e6))
    error = record.get("error")
    return Told(
        request_id=said["x_request_id"],
        started_ns=_monotonic_ns(said["request_start_ns"]),
        outcome=f"{error.get('type') or error.get('code')}" if error else "success",
        tokens=metrics.get("output_sequence_length", {}).get("value", 0),
        ttft_ms=ttft_ms,
        gaps_ms=gaps_ms,
        received_ns=received_ns,
        planned_ns=planned_ns,
    )


def _perf_command(job: Job) -> list[str]:
    """inference-perf reads a file; YAML takes JSON."""
    count = {"total_count": job.requests + 10, "std_dev": 0}
    lengths = {
        name: {"min": size, "max": size, "mean": size} | count
        for name, size in (("input_distribution", PROMPT_TOKENS), ("output_distribution", job.tokens))
    }
    stage = {"rate": job.rate_rps, "duration": max(1, round(job.seconds))}
    config = {
        "api": {"type": "completion", "streaming": True},
        "data": {"type": "random", **lengths},
        "load": {
            "type": "constant",
            "stages": [stage],
            "interval": 0,
            "num_workers": 1,
            "worker_max_concurrency": FILES_LIMIT,
            "worker_max_tcp_connections": FILES_LIMIT,
        },
        "server": {"type": "vllm", "model_name": "bench", "base_url": job.url, "ignore_eos": True},
        "tokenizer": {"pretrained_model_name_or_path": str(tokenizer_dir())},
        "report": {"request_lifecycle": {"per_request": True}},
        "storage": {"local_storage": {"path": str(job.folder / "perf")}},
    }
    path = job.folder / "config.yaml"
    path.write_text(json.dumps(config))
    return ["{bin}/inference-perf", "--config_file", str(path)]


def _perf_read(job: Job, truth: list[Request]) -> list[Told]:
    """Its requests; the answers it keeps tell which of the server's requests each was."""
    rows = json.loads((job.folder / "perf" / "per_request_lifecycle_metrics.json").read_text())
    return [_perf_told(row, truth) for row in rows]


def _perf_told(row: dict[str, Any], truth: list[Request]) -> Told:
    """One request; its clock is CLOCK_MONOTONIC in seconds."""
    metrics = (row["info"] or {}).get("response_metrics") or {}
    received_ns = [round(at_s * 1e9) for at_s in metrics.get("chunk_times") or []]
    error = row["error"]
    return Told(
        request_id=_served_as(row.get("response") or "", truth),
        outcome=str(error.get("error_type", error)) if error else "success",
        started_ns=round(row["start_time"] * 1e9),
        tokens=metrics.get("output_tokens") or 0,
        ttft_ms=received_ns[0] / 1e6 - row["start_time"] * 1e3 if received_ns else None,
        gaps_ms=[(later - earlier) / 1e6 for earlier, later in pairwise(received_ns)],
        received_ns=received_ns,
    )


def _served_as(answer: str, truth: list[Request]) -> str | None:
    """The server's name of a request, from the number in an answer's own id."""
    found = answer.partition("bench-")[2][:7]
    return truth[int(found) - 1].request_id if found.isdecimal() and int(found) <= len(truth) else None


def perf_own_lag_ms(folder: Path) -> dict[str, float] | None:
    """What inference-perf says of its own schedule: its plan is in no file, its delay is."""
    path = folder / "perf" / "summary_lifecycle_metrics.json"
    said = json.loads(path.read_text())["load_summary"]["schedule_delay"] if path.exists() else None
    return said and {"p50": said["median"] * 1e3, "p99": said["p99"] * 1e3, "max": said["max"] * 1e3}


def _guide_command(job: Job) -> list[str]:
    """GuideLLM at a constant rate."""
    return [
        *("{bin}/guidellm", "run", "--backend", f"kind=openai_http,target={job.url},model=bench"),
        *("--profile", f"kind=constant,rate={job.rate_rps:.6f}"),
        *("--constraint", f"kind=max_requests,count={job.requests}"),
        *("--tokenizer", f"kind=huggingface_auto,model={tokenizer_dir()}"),
        *("--data", f"kind=synthetic_text,prompt_tokens={PROMPT_TOKENS},output_tokens={job.tokens}"),
        *("--output", f"kind=json,path={job.folder / 'guide.json'}", "--disable-console"),
    ]


def _guide_read(job: Job, truth: list[Request]) -> list[Told]:
    """Its requests, of which it keeps the first token's time, the last one's and their number."""
    requests = json.loads((job.folder / "guide.json").read_text())["benchmarks"][0]["requests"]
    return [_guide_told(one, kind, truth) for kind, one in _each(requests)]


def _each(requests: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every request with the list it stands in."""
    for kind in ("successful", "errored", "incomplete"):
        for one in requests.get(kind) or []:
            yield kind, one


def _guide_told(one: dict[str, Any], kind: str, truth: list[Request]) -> Told:
    """One request; wall clock in seconds."""
    timings = one["info"]["timings"]
    gap_ms = one.get("inter_token_latency_ms")
    error = one["info"].get("error")
    return Told(
        request_id=_served_as(one.get("response_id") or "", truth),
        started_ns=_monotonic_ns((timings.get("request_start") or 0) * 1e9),
        outcome="success" if kind == "successful" else f"{kind}: {str(error).split('(')[0][:60]}",
        tokens=(one.get("output_metrics") or {}).get("text_tokens") or 0,
        ttft_ms=one.get("time_to_first_token_ms"),
        gaps_ms=[] if gap_ms is None else [gap_ms],
        planned_ns=_monotonic_ns(timings["targeted_start"] * 1e9) if timings.get("targeted_start") else None,
    )


AIPERF = Peer(
    name="AIPerf",
    package="aiperf",
    command=_aiperf_command,
    read=_aiperf_read,
    setting="--request-rate constant, one worker, one record processor, records exported, local tokenizer",
)
INFERENCE_PERF = Peer(
    name="inference-perf",
    package="inference-perf",
    command=_perf_command,
    read=_perf_read,
    setting="constant load, one worker, completion API with random data, per-request report, local tokenizer",
    env={"HF_HUB_OFFLINE": "1"},
)
GUIDELLM = Peer(
    name="GuideLLM",
    package="guidellm",
    command=_guide_command,
    read=_guide_read,
    setting="constant profile, one worker process, JSON output, local tokenizer; keeps no stamps of tokens",
    keeps="means",
    env={"HF_HUB_OFFLINE": "1", "GUIDELLM__MAX_WORKER_PROCESSES": "1"},
)
