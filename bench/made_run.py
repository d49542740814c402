"""The files around the tables of a made-up run: engines' and gateways' logs, timeline, samples, documents."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from made_rows import PODS, REPLACEMENT, VICTIM, Ints, Rows, Times, either, rows_of, texts, write_tables

from sealegs import evidence
from sealegs.judgement.facts import MARKS

SEED = 8
RATE_RPS = 1_000.0
LOADED_S_MIN = 200.0
LOAD_S = 20.0
T0_S = 5_000.0
WALL_ZERO_S = 1_795_521_600.0
BOOT_ID = "00000000-0000-0000-0000-000000000000"
STAMPS = 512
ROWS_AT_ONCE = 50_000
NODES = [f"worker{number}" for number in range(len(PODS))]
SCENARIO = f"""\
title = "Made up"
claim = "Draining one of eight engines' nodes cuts no stream."
seed = {SEED}
invariants = ["no-truncated-stream", "no-foreign-token", "pdb-honoured"]

[stack]
overlay = "kind"

[traffic]
locustfile = "locustfiles/chat.py"
profiles = {{ chat = 1 }}
arrivals = {{ kind = "poisson" }}
rate_rps = {RATE_RPS}
in_flight_max = 4000
context_tokens_max = 4096
tokens_per_s = 100

[traffic.deadlines]
connect_s = 2
first_token_s = 10
gap_s = 5
total_s = 60

[experiment]
file = "experiments/gpu-node-drain.json"

[recovery]
limit_s = 60
ttft_limit_s = 1.0
""" + "".join(
    f"""
[[objectives]]
name = "{sli}-{phase}"
sli = "{sli}"
phase = "{phase}"
target = 0.95
"""
    + ("limit_s = 1.0\n" if sli == "ttft" else "")
    for sli in ("success", "ttft")
    for phase in ("baseline", "fault", "recovery", "run")
)


def make_run(run_dir: Path, *, requests: int) -> None:
    """Write what judgement reads of a run of so many requests. Every log holds other lines too."""
    (run_dir / "logs").mkdir(parents=True)
    rng = np.random.default_rng(SEED)
    loaded_s = max(LOADED_S_MIN, requests / RATE_RPS)
    times = Times(
        load_s=LOAD_S,
        baseline_s=LOAD_S + 0.05 * loaded_s,
        fault_s=LOAD_S + 0.4 * loaded_s,
        recovery_s=LOAD_S + 0.6 * loaded_s,
        loaded_until_s=LOAD_S + loaded_s,
        end_s=LOAD_S + loaded_s + 20.0,
    )
    rows = rows_of(rng, times, count=requests)
    write_tables(run_dir, rows, rng)
    _write_engines(run_dir / "logs", rows, rng)
    _write_gateways(run_dir / "logs", rows)
    _write_lines(run_dir / "timeline.jsonl", _timeline(times))
    _write_lines(run_dir / "samples.jsonl", _samples(times))
    _write_documents(run_dir, rows, loaded_s=loaded_s)


def _write_engines(logs: Path, rows: Rows, rng: np.random.Generator) -> None:
    """Each engine's log: its start, a truth line for each answer as it ended, and what else it prints."""
    stamps = [rng.integers(3_000, 7_000, 900).tolist() for _ in range(STAMPS)]
    longest = [",".join(map(str, one)) + "," for one in stamps]
    order = np.argsort(rows.end_s, kind="stable")
    order = order[~rows.refused[order]]
    for number, pod in enumerate([*PODS, REPLACEMENT]):
        its = order[rows.pod[order] == number]
        with (logs / f"{pod}.log").open("wb") as log:
            log.write(b'{"listening":1,"http_port":8000,"grpc_port":8001,"pod":"%s"}\n' % pod.encode())
            log.write(b'{"loaded":1,"model_bytes":67108864,"pod":"%s"}\n' % pod.encode())
            for start in range(0, len(its), ROWS_AT_ONCE):
                log.write(_truth_lines(rows, its[start : start + ROWS_AT_ONCE], pod=pod, stamps=longest))
                log.write(b"INFO: a line that is about no request\n")


def _truth_lines(rows: Rows, chosen: Ints, *, pod: str, stamps: Sequence[str]) -> bytes:
    """The lines of some answers, as the reference engine writes them."""
    tokens = rows.tokens[chosen]
    sent_us = [
        stamps[int(one) % STAMPS][: int(length) * 5 - 1]
        for one, length in zip(chosen.tolist(), tokens.tolist(), strict=True)
    ]
    sent_s, first_s, end_s = rows.sent_s[chosen], rows.first_token_s[chosen], rows.end_s[chosen]
    return _joined(
        '{"truth":1,"request_id":"',
        rows.request_id.take(pa.array(chosen)),
        f'","pod":"{pod}","wall_s":',
        texts((WALL_ZERO_S + sent_s + 0.0002).round(6)),
        ',"received_s":',
        texts((T0_S + sent_s + 0.0002).round(6)),
        ',"admitted_s":',
        texts((T0_S + sent_s + 0.0005).round(6)),
        ',"first_token_s":',
        texts((T0_S + first_s - 0.0002).round(6)),
        ',"end_s":',
        texts((T0_S + end_s - 0.0002).round(6)),
        ',"sent_us":[',
        pa.array(sent_us),
        '],"tokens":',
        texts(tokens),
        ',"prompt_tokens":',
        texts(rows.prompt_tokens[chosen]),
        ',"finish":"length","phase_at_end":"done"}\n',
    )


def _write_gateways(logs: Path, rows: Rows) -> None:
    """Two gateways' access logs: a line an attempt, in the order in which they ended."""
    order = np.argsort(rows.end_s, kind="stable")
    for number in range(2):
        its = order[order % 2 == number]
        with (logs / f"istio-ingressgateway-{number}.access.jsonl").open("wb") as log:
            for start in range(0, len(its), ROWS_AT_ONCE):
                chosen = its[start : start + ROWS_AT_ONCE]
                log.write(_access_lines(rows, chosen[rows.again[chosen]], ended=False))
                log.write(_access_lines(rows, chosen, ended=True))
                log.write(b'{"request_id":"4590cf5e-3521-47f6-a31f-f3ea6e2501de","response_code":200}\n')


def _access_lines(rows: Rows, chosen: Ints, *, ended: bool) -> bytes:
    """The lines of some requests; `ended` says whether of their last attempt."""
    good = ~rows.refused[chosen] if ended else np.zeros(len(chosen), bool)
    at = np.datetime64("2026-11-24T12:00:00.000") + (rows.sent_s[chosen] * 1e3).astype("timedelta64[ms]")
    return _joined(
        '{"request_id":"',
        rows.request_id.take(pa.array(chosen)),
        '","start_time":"',
        pa.array(np.datetime_as_string(at).tolist()),
        'Z","response_code":',
        either(good, "200", "503"),
        ',"response_flags":"',
        either(good, "-", "UH"),
        '","response_code_details":"',
        either(good, "via_upstream", "no_healthy_upstream"),
        '","upstream_host":"198.18.1.3:8080","duration":17}\n',
    )


def _joined(*parts: str | pa.Array) -> bytes:
    """Lines made of parts, each the same in all lines or one a line."""
    lines = pc.binary_join_element_wise(*parts, "")
    _, _, content = lines.buffers()
    return b"" if content is None else content.to_pybytes()


def _timeline(times: Times) -> Iterator[dict[str, Any]]:
    """Marks, pods, budgets, the fault's states and one eviction, in time order."""
    for number, pod in enumerate(PODS):
        yield {"t_s": 2.0, "kind": "pod", **_pod(pod, number, ready=True), "event": "added"}
    yield _budget(2.0, healthy=len(PODS))
    for name, t_s in zip(MARKS[:3], (times.load_s, times.baseline_s, times.fault_s), strict=True):
        yield {"t_s": t_s, "kind": "phase", "name": name}
    at_s = times.injected_s
    fault = {"kind": "fault", "fault": "node_drain", "target": {"node": NODES[1], "pods": [VICTIM]}}
    witness = {"source": "recorder"}
    yield {"t_s": at_s - 1.0, **fault, "state": "armed", "witness": {}}
    yield {"t_s": at_s, **fault, "state": "injected", "witness": {}}
    yield {"t_s": at_s + 0.1, "kind": "eviction", "pod": VICTIM, "uid": f"uid-{VICTIM}", "status": 201}
    yield _budget(at_s + 0.1, healthy=len(PODS) - 1)
    yield {"t_s": at_s + 0.2, "kind": "pod", **_pod(REPLACEMENT, 2, ready=False), "event": "added"}
    gone = {**_pod(VICTIM, 1, ready=False), "reason": "EvictionByEvictionAPI"}
    yield {"t_s": at_s + 6.0, "kind": "pod", **gone, "event": "deleted"}
    yield {"t_s": at_s + 6.5, **fault, "state": "landed", "witness": witness}
    yield {"t_s": at_s + 11.0, "kind": "pod", **_pod(REPLACEMENT, 2, ready=True), "event": "modified"}
    yield _budget(at_s + 11.0, healthy=len(PODS))
    yield {"t_s": times.recovery_s - 2.0, **fault, "state": "undone", "witness": {}}
    yield {"t_s": times.recovery_s - 1.0, **fault, "state": "gone", "witness": witness}
    for name, t_s in zip(MARKS[3:], (times.recovery_s, times.end_s), strict=True):
        yield {"t_s": t_s, "kind": "phase", "name": name}


def _pod(name: str, number: int, *, ready: bool) -> dict[str, Any]:
    """State of a pod."""
    who = {"name": name, "uid": f"uid-{name}", "app": "llm-inference", "node": NODES[number]}
    return {**who, "phase": "Running", "ready": ready, "deleting": False, "reason": None}


def _budget(t_s: float, *, healthy: int) -> dict[str, Any]:
    """State of the disruption budget."""
    counts = {"current_healthy": healthy, "desired_healthy": len(PODS) - 1, "expected_pods": len(PODS)}
    return {"t_s": t_s, "kind": "pdb", "name": "llm-inference", "app": "llm-inference", **counts}


def _samples(times: Times) -> Iterator[dict[str, Any]]:
    """One look a second."""
    for second in range(1, int(times.end_s) + 1):
        away = times.injected_s + 0.1 <= second < times.injected_s + 11.0
        yield {
            "t_s": second + 0.02,
            "ready": {"llm-inference": len(PODS) - away},
            "desired": {"llm-inference": len(PODS)},
            "pending": {"llm-inference": int(away)},
            "in_flight": dict.fromkeys(PODS, 140),
            "queue": dict.fromkeys(PODS, 0),
            **dict.fromkeys(("ejections_active", "pending_overflow", "retries"), 0),
            "load_in_flight": 1_100,
            "load_sent": int(max(0.0, second - LOAD_S) * RATE_RPS),
        }


def _write_lines(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write records as lines, in their order."""
    path.write_text("".join(json.dumps(one, separators=(",", ":")) + "\n" for one in records))


def _write_documents(run_dir: Path, rows: Rows, *, loaded_s: float) -> None:
    """Identity, scenario, and what the load says of itself."""
    identity = {
        "schema": 1,
        "run_id": run_dir.name,
        "scenario": "made-up",
        "seed": SEED,
        "started_at": "2026-11-24T12:00:00Z",
        "started_monotonic_ns": int(T0_S * 1e9),
        "boot_id": BOOT_ID,
        "cluster": {"name": "sealegs", "owned": True},
    }
    count = len(rows.tokens)
    measured = dict.fromkeys(
        (
            "cpu_hot_share",
            "stall_s_p99",
            "stalled_share",
            "receive_error_s_p99",
            "canary_s_p99_before",
            "canary_s_p99_after",
        ),
        0.0,
    )
    summary = {
        **dict.fromkeys(("planned", "sent", "finished"), count),
        **dict.fromkeys(("cap_refused", "never_sent"), 0),
        "sent_again": int(rows.again.sum()),
        **measured,
        "canaries_taken": True,
        "boot_id": BOOT_ID,
        "wall_zero_s_before": WALL_ZERO_S,
        "wall_zero_s_after": WALL_ZERO_S,
    }
    evidence.write_json(run_dir / "run.json", identity)
    evidence.write_json(run_dir / "load-summary.json", summary)
    phases = {"warmup_s": 0.05, "baseline_s": 0.35, "fault_s_max": 0.2, "recovery_s": 0.4}
    lengths = "\n".join(f"{name} = {share * loaded_s}" for name, share in phases.items())
    (run_dir / "scenario.toml").write_text(f"{SCENARIO}\n[phases]\n{lengths}\n")
