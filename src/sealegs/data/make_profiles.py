"""Makes the packaged profiles: ``python -m sealegs.data.make_profiles FOLDER``, a folder of published traces.

The same folder gives the same bytes. LICENSES.md says where each trace is from and what is changed here.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from sealegs.data.chains import chains_of, prefixes_of
from sealegs.data.rows import cut, refuse, sessions_by_time, table, turns
from sealegs.data.trace_files import Columns, read_traces
from sealegs.errors import ScenarioError

Array: TypeAlias = npt.NDArray[Any]

BLOCK_TOKENS = 512
# A leading part of a system prompt counts as shared text when this many requests have it.
SHARERS_MIN = 10
ARXIV = "arxiv_summarization_stats_llama2_tokenizer_filtered_v2.csv"
LEVELS = 20_000
SEED = 20_250_102
# The shares of a marginal are rounded; beyond this their sum says that some are missing.
SHARE_ERROR_MAX = 1e-4


def main(folder: Path, to: Path = Path(__file__).parent) -> int:
    """Write all files into `to`; returns the exit code."""
    try:
        traces = read_traces(folder)
        tables = tables_of(traces)
    except ScenarioError as error:
        sys.stderr.write(f"{error}\n")
        return 4
    (to / "shapes").mkdir(exist_ok=True)
    for name, rows in tables.items():
        pq.write_table(rows, to / f"{name}.parquet", compression="zstd", compression_level=19)
    return 0


def tables_of(traces: Mapping[str, Columns]) -> dict[str, pa.Table]:
    """Each file to write, by its name without the suffix.

    Raises:
        ScenarioError: columns that are each in order contradict each other; all problems.
    """
    pooled = traces["servegen_pooled_lengths.csv.gz"]
    makers: dict[str, Callable[[], pa.Table]] = {
        "chat": lambda: azure(traces["azure_llm_2023_conv.csv.gz"], "conv"),
        "code": lambda: azure(traces["azure_llm_2023_code.csv.gz"], "code"),
        "rag": lambda: ragpulse(
            traces["ragpulse_trace.jsonl.gz"], traces["ragpulse_sys_prompt_lengths.jsonl.gz"]
        ),
        "long-context": lambda: mooncake(traces["mooncake_conversation_trace.jsonl.gz"]),
        "reasoning": lambda: servegen(pooled, "deepseek-r1"),
        "agents": lambda: coding_agents(traces["cc_agentic_requests.csv.gz"]),
        "batch": lambda: servegen(pooled, "m-mid"),
        "summarisation": lambda: arxiv(traces["arxiv_summarization_lengths.csv.gz"]),
        "shapes/azure_2024": lambda: day_shapes(traces["azure_llm_2024_hourly_shape.csv.gz"]),
    }
    tables: dict[str, pa.Table] = {}
    problems: list[str] = []
    for name, make in makers.items():
        try:
            tables[name] = make()
        except ScenarioError as error:
            problems += error.problems
    if problems:
        raise ScenarioError(problems)
    return tables


def azure(trace: Columns, service: str) -> pa.Table:
    """Azure's trace of 2023: rows and times as they are."""
    return table(
        {
            "prompt_tokens": trace["ContextTokens"],
            "output_tokens": trace["GeneratedTokens"],
            "t_s": trace["TIMESTAMP"] - trace["TIMESTAMP"][0],
        },
        source=f"Azure/AzurePublicDataset b469a11 data/AzureLLMInferenceTrace_{service}.csv",
        licence="CC-BY-4.0",
    )


def ragpulse(trace: Columns, lengths: Columns) -> pa.Table:
    """RAGPulse: its sessions, and as prefix the part of the system prompt that others have too."""
    tokens = dict(zip(lengths["sys_prompt_id"].tolist(), lengths["token_length"].tolist(), strict=True))
    prompts = [tuple(ids.get("sys_prompt", ())) for ids in trace["hash_ids"]]
    refuse(
        "ragpulse_trace.jsonl.gz: hash_ids: a system prompt without its length",
        [any(part not in tokens for part in prompt) for prompt in prompts],
    )
    leads = [[prompt[:parts] for parts in range(len(prompt) + 1)] for prompt in prompts]
    sharers: dict[tuple[int, ...], int] = {}
    for lead in (lead for row in leads for lead in row):
        sharers[lead] = sharers.get(lead, 0) + 1
    shared = [
        max((lead for lead in row if sharers[lead] >= SHARERS_MIN), key=len, default=()) for row in leads
    ]
    ids = {lead: number for number, lead in enumerate(dict.fromkeys(shared))}
    _, user = np.unique(trace["session_id"].astype(str), return_inverse=True)
    order, when = sessions_by_time(user, trace["timestamp"])
    return table(
        {
            **when,
            "prompt_tokens": trace["input_length"][order],
            "output_tokens": trace["output_length"][order],
            "prefix": np.array([ids[lead] for lead in shared])[order],
            "prefix_tokens": np.array([sum(tokens[part] for part in lead) for lead in shared])[order],
        },
        source="flashserve/RAGPulse 3672232 data/0_trace.jsonl, data/1_sys_prompt.jsonl",
        licence="MIT",
    )


def mooncake(trace: Columns) -> pa.Table:
    """Mooncake's conversation trace: sessions and prefixes as its block hashes tell them."""
    covered = [len(ids) for ids in trace["hash_ids"]]
    refuse(
        "mooncake_conversation_trace.jsonl.gz: hash_ids: not one id for each block of the prompt",
        np.asarray(covered) != -(-trace["input_length"] // BLOCK_TOKENS),
    )
    full = (trace["input_length"] // BLOCK_TOKENS).astype(int)
    prompts = [ids[:blocks] for ids, blocks in zip(trace["hash_ids"], full, strict=True)]
    prefix, depth = prefixes_of(prompts)
    order, when = sessions_by_time(chains_of(prompts), trace["timestamp"] / 1e3)
    return table(
        {
            **when,
            "prompt_tokens": trace["input_length"][order],
            "output_tokens": trace["output_length"][order],
            "prefix": prefix[order],
            "prefix_tokens": depth[order] * BLOCK_TOKENS,
        },
        source="kvcache-ai/Mooncake 3b5a594 FAST25-release/traces/conversation_trace.jsonl",
        licence="Apache-2.0",
    )


def coding_agents(trace: Columns) -> pa.Table:
    """Coding agents' calls: whole sessions with their pauses, and a prefix for each stretch of shared text.

    A sub-agent's calls are a session of their own: they share no prompt with the agent that waits for them,
    and its next pause in the trace holds their time already. A call whose cached part is under half of its
    prompt shares too little with the call before to be its continuation (the context was compacted, or is
    new): it begins another prefix, as a new session does. Calls without output failed and are left out.
    """
    name = "cc_agentic_requests.csv.gz"
    session, depth, turn = trace["session"], trace["depth"], trace["turn"]
    first = np.diff(session, prepend=-1) != 0
    refuse(f"{name}: turn: not 0, 1, 2 ... within its session", turn != turns(first))
    refuse(
        f"{name}: cached_prefix_tokens: over the prompt",
        trace["cached_prefix_tokens"] > trace["input_tokens"],
    )
    # A sub-agent's clock starts at 0.
    begins = first | (np.diff(depth, prepend=0) != 0) | ((depth > 0) & (trace["t_s"] == 0))
    agent = np.where(depth > 0, session.max() + 1 + np.cumsum(begins), session)
    order = np.argsort(agent, kind="stable")
    agent, t_s, think_s = agent[order], trace["t_s"][order], trace["think_time_s"][order]
    same = np.diff(agent, prepend=-1) == 0
    back = same & (np.diff(t_s, prepend=0) < 0)
    refuse(f"{name}: t_s: out of order within one agent", back[np.argsort(order)])
    # The pause is empty where the source lacks the end of the call before: then from its start.
    gap_s = np.where(np.isnan(think_s), np.diff(t_s, prepend=0), think_s)
    answered = trace["output_tokens"][order] > 0
    order, agent, gap_s = order[answered], agent[answered], gap_s[answered]
    rows = cut(agent, gap_s)
    prompt, cached = trace["input_tokens"][order], trace["cached_prefix_tokens"][order]
    return table(
        {
            **rows,
            "prompt_tokens": prompt,
            "output_tokens": trace["output_tokens"][order],
            "prefix": np.cumsum((rows["turn"] == 0) | (2 * cached < prompt)) - 1,
            "prefix_tokens": prompt,
        },
        source="callanjfox/kv-cache-tester 94f6046 traces/*.json",
        licence="Apache-2.0",
        rows_left_out=int(np.sum(~answered)),
    )


def servegen(pooled: Columns, model: str) -> pa.Table:
    """ServeGen publishes marginals only: a quantile table of each, paired by a permutation of fixed seed.

    Row lengths are the quantiles at (i + 1/2) / 20,000, so both marginals are the source's to a level of
    1 in 40,000, and prompt and output do not depend on each other: the source does not say how they do.
    """
    rng = np.random.default_rng(SEED)
    levels = (np.arange(LEVELS) + 0.5) / LEVELS
    lengths = {}
    for field in ("input_tokens", "output_tokens"):
        chosen = (pooled["model"] == model) & (pooled["field"] == field)
        value, share = pooled["value"][chosen], pooled["prob"][chosen]
        where = f"servegen_pooled_lengths.csv.gz: {model} {field}"
        refuse(f"{where}: shares do not sum to 1", [abs(share.sum() - 1) > SHARE_ERROR_MAX])
        refuse(f"{where}: values do not ascend", np.diff(value) <= 0)
        # Two answers in a million have no token: they failed.
        value, share = value[value >= 1], share[value >= 1]
        below = np.cumsum(share)
        lengths[field] = value[np.searchsorted(below / below[-1], levels)]
    return table(
        {
            "prompt_tokens": rng.permutation(lengths["input_tokens"]),
            "output_tokens": rng.permutation(lengths["output_tokens"]),
        },
        source=f"alibaba/ServeGen f891d11, {model}: lengths pooled over clients and windows",
        licence="Apache-2.0",
    )


def arxiv(trace: Columns) -> pa.Table:
    """Summaries of papers, as lengths; rows with an answer longer than its prompt are none, and left out.

    They are the source's artefact: tiny prompts with answers up to the limit of 4,096 on the sum.
    """
    prompt, output = trace["num_prefill_tokens"], trace["num_decode_tokens"]
    kept = output <= prompt
    return table(
        {"prompt_tokens": prompt[kept], "output_tokens": output[kept]},
        source=f"microsoft/vidur 7d47513 data/processed_traces/{ARXIV}",
        licence="MIT",
        rows_left_out=int(np.sum(~kept)),
    )


def day_shapes(trace: Columns) -> pa.Table:
    """Azure's week of 2024: each service's rate by the hour (UTC), relative to the mean of its week."""
    hour = trace["hour_index"].astype(np.int16)
    for service in dict.fromkeys(trace["service"]):
        refuse(
            f"azure_llm_2024_hourly_shape.csv.gz: hour_index: {service}: not a week's hours in order",
            [hour[trace["service"] == service].tolist() != list(range(168))],
        )
    # The first of January 1970 was a Thursday.
    weekday = ((trace["start_utc"] // 3600 + hour) // 24 + 3) % 7
    columns: dict[str, pa.Array[Any]] = {
        "service": pa.array(trace["service"].tolist(), pa.string()),
        "hour_index": pa.array(hour),
        "weekday": pa.array(weekday.astype(np.int8)),
        "rate_relative_to_week_mean": pa.array(trace["rate_relative_to_week_mean"]),
    }
    source = "Azure/AzurePublicDataset b469a11 analysis/AzureLLMInferenceDataset2024.ipynb"
    return pa.table(columns).replace_schema_metadata({"source": source, "licence": "CC-BY-4.0"})


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
