"""Profiles are made from whole traces: what a row becomes, and how a damaged trace is refused."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealegs.data.chains import chains_of, prefixes_of
from sealegs.data.make_profiles import main

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
2023-11-16 18:16:01.0000000,20,9
"""
AGENTS = """\
session,depth,turn,t_s,input_tokens,output_tokens,cached_prefix_tokens,api_time_s,think_time_s,stop
0,0,0,0.00,1000,100,0,2.00,0.00,tool_use
0,1,1,0.00,300,10,0,1.00,0.00,tool_use
0,1,2,4.00,400,10,256,1.00,3.00,end_turn
0,1,3,0.00,310,10,256,1.00,0.00,end_turn
0,0,4,12.00,1200,100,960,2.00,10.00,tool_use
0,0,5,20.00,1300,0,1152,,6.00,
0,0,6,30.00,1400,100,1152,,,tool_use
0,0,7,90.00,1500,100,640,2.00,60.00,tool_use
0,0,8,992.01,1600,100,1472,2.00,900.01,end_turn
1,0,0,0.00,2000,1,0,2.00,0.00,end_turn
"""
SERVEGEN = "model,field,value,prob\n" + "".join(
    f"{model},{field},{value},0.5\n"
    for model in ("deepseek-r1", "m-mid")
    for field in ("input_tokens", "output_tokens")
    for value in (10, 20)
)


def lines(rows: list[dict[str, Any]]) -> str:
    """Rows as a JSON-lines file."""
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def mooncake(t_ms: int, tokens: int, ids: list[int]) -> dict[str, Any]:
    """A row of Mooncake's trace."""
    return {"timestamp": t_ms, "input_length": tokens, "output_length": 5, "hash_ids": ids}


def ragpulse(t_s: int, user: str, parts: list[int]) -> dict[str, Any]:
    """A row of RAGPulse's trace."""
    return {
        "timestamp": str(t_s),
        "input_length": 2_000,
        "output_length": 5,
        "hash_ids": {"sys_prompt": parts, "user_input": [9]},
        "session_id": user,
    }


WHOLE = {
    "azure_llm_2023_conv.csv.gz": AZURE,
    "azure_llm_2023_code.csv.gz": AZURE,
    "azure_llm_2024_hourly_shape.csv.gz": "service,start_utc,hour_index,rate_relative_to_week_mean\n"
    + "".join(f"code,2024-05-10T00:00Z,{hour},1.5\n" for hour in range(168)),
    # Joined the other way round: the week begins at b's request. Part 3 is b's alone.
    "ragpulse_trace.jsonl.gz": lines(
        [
            ragpulse(500, "a", [1, 2]),
            *[ragpulse(600, "a", [1, 2])] * 10,
            ragpulse(7, "b", [1, 3]),
            ragpulse(8, "c", [1, 2]),
            ragpulse(907, "b", [1, 3]),
            ragpulse(1_808, "b", [1, 3]),
        ]
    )
    + "\n",
    "ragpulse_sys_prompt_lengths.jsonl.gz": lines(
        [{"sys_prompt_id": part, "token_length": 100 * part} for part in (1, 2, 3)]
    ),
    "mooncake_conversation_trace.jsonl.gz": lines(
        [
            mooncake(0, 1_540, [0, 1, 2, 6]),
            mooncake(3_000, 600, [0, 3]),
            mooncake(9_000, 2_100, [0, 1, 2, 4, 5]),
        ]
    ),
    "cc_agentic_requests.csv.gz": AGENTS,
    "servegen_pooled_lengths.csv.gz": SERVEGEN,
    "arxiv_summarization_lengths.csv.gz": "num_prefill_tokens,num_decode_tokens\n3772,54\n7,3000\n54,54\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of small whole traces."""
    (tmp_path / "traces").mkdir()
    for name, text in WHOLE.items():
        (tmp_path / "traces" / name).write_bytes(gzip.compress(text.encode()))
    return tmp_path / "traces"


def made(folder: Path) -> Callable[[str], dict[str, list[Any]]]:
    """The columns of a profile that is made of a folder of traces."""
    assert main(folder, folder.parent) == 0
    return lambda name: pq.read_table(folder.parent / f"{name}.parquet").to_pydict()


def test_the_same_traces_give_the_same_bytes(folder: Path) -> None:
    """Made twice, every file is the same."""
    made(folder)
    first = {path: path.read_bytes() for path in folder.parent.rglob("*.parquet")}
    made(folder)

    assert len(first) == 9
    assert {path: path.read_bytes() for path in first} == first


def test_times_count_from_the_first_row(folder: Path) -> None:
    """To the microsecond; a request of a trace without sessions is a session of its own."""
    chat = made(folder)("chat")

    assert chat["t_s"] == [0.0, 4.314579, 14.31941]
    assert (chat["session"], chat["turn"], chat["prompt_tokens"]) == ([0, 1, 2], [0, 0, 0], [374, 396, 20])


def test_users_are_sessions_until_they_pause_too_long(folder: Path) -> None:
    """RAGPulse in the order of time: 900 s are a pause in a session, 901 s begin another."""
    rag = made(folder)("rag")

    assert rag["session"] == [0, 0, 1] + [2] * 11 + [3]
    assert rag["think_s"] == [0, 900, 0, 0, 100] + [0] * 9 + [0]
    assert [t_s for t_s in rag["t_s"] if t_s is not None] == [0, 1, 493, 1_801]
    # Parts 1 and 2 together have 12 requests; after part 1, b's have nothing that ten others have.
    assert rag["prefix_tokens"] == [100, 100, 300] + [300] * 11 + [100]


def test_agents_are_sessions_with_stretches_of_shared_text(folder: Path) -> None:
    """Sub-agents stand alone, failed calls are gone, a lost cache begins a prefix, a long pause a session."""
    agents = made(folder)("agents")

    assert agents["prompt_tokens"] == [1000, 1200, 1400, 1500, 1600, 2000, 300, 400, 310]
    assert agents["session"] == [0, 0, 0, 0, 1, 2, 3, 3, 4]
    # The third call's pause is empty in the trace: it counts from the start of the call before.
    assert agents["think_s"] == [0, 10, 10, 60, 0, 0, 0, 3, 0]
    assert agents["prefix"] == [0, 0, 0, 1, 2, 3, 4, 4, 5]
    assert agents["prefix_tokens"] == agents["prompt_tokens"]
    assert agents["t_s"] == [None] * 9


def test_marginals_become_quantile_tables(folder: Path) -> None:
    """Each value as often as its share says, prompt and answer apart."""
    reasoning = made(folder)("reasoning")

    for field in ("prompt_tokens", "output_tokens"):
        assert sorted(reasoning[field]) == [10] * 10_000 + [20] * 10_000
    both = sum(
        pair == (10, 10) for pair in zip(reasoning["prompt_tokens"], reasoning["output_tokens"], strict=True)
    )
    assert both == pytest.approx(5_000, abs=200)


def test_answers_longer_than_prompts_are_no_summaries(folder: Path) -> None:
    """They are left out, and the file says how many."""
    assert made(folder)("summarisation")["prompt_tokens"] == [3772, 54]
    assert pq.read_schema(folder.parent / "summarisation.parquet").metadata[b"rows_left_out"] == b"1"


def test_conversations_and_prefixes_come_from_blocks(folder: Path) -> None:
    """Mooncake's third request continues the first; the second shares the head of all."""
    found = made(folder)("long-context")

    assert (found["session"], found["turn"]) == ([0, 0, 1], [0, 1, 0])
    assert found["think_s"] == [0, 9, 0]
    assert (found["prefix"][0], found["prefix_tokens"]) == (found["prefix"][1], [1_536, 2_048, 512])


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("azure_llm_2023_conv", "396,109", "396,", "GeneratedTokens: empty in 1 of 3 rows (line 3)"),
        ("azure_llm_2023_conv", ",396,109", "", "GeneratedTokens: missing in 1 of 3 rows (line 3)"),
        ("azure_llm_2023_conv", "396,109", "396,0", "GeneratedTokens: not within 1 to 4e+06 in 1 of 3 rows"),
        ("azure_llm_2023_conv", "396,109", "9396000,1", "ContextTokens: not within 1 to 4e+06 in 1 of 3"),
        (
            "azure_llm_2023_conv",
            "396,109",
            "many,109",
            "ContextTokens: not what belongs there in 1 of 3 rows",
        ),
        ("azure_llm_2023_conv", "396,109", "396,1.5", "GeneratedTokens: not whole in 1 of 3 rows (line 3)"),
        ("azure_llm_2023_conv", "18:16:01", "18:15:01", "TIMESTAMP: out of order in 1 of 3 rows (line 4)"),
        ("azure_llm_2023_conv", "GeneratedTokens", "Tokens", "GeneratedTokens: missing in 3 of 3 rows"),
        ("azure_llm_2024_hourly_shape", "Z,7,", "Z,8,", "code: not a week's hours in order"),
        ("ragpulse_trace", '"1808"', '"5"', "timestamp: out of order in 2 of 15 rows (line 12, 15)"),
        (
            "ragpulse_sys_prompt_lengths",
            '"sys_prompt_id": 3',
            '"sys_prompt_id": 4',
            "without its length: 3 of",
        ),
        ("mooncake_conversation_trace", "[0, 3]", "[0]", "not one id for each block of the prompt: 1 of 3"),
        ("mooncake_conversation_trace", "[0, 3]", "7", "hash_ids: not what belongs there in 1 of 3 rows"),
        ("mooncake_conversation_trace", "[0, 3]}", "[0, 3", "cannot be read after row 1"),
        ("mooncake_conversation_trace", ": 3000", ": 9999", "timestamp: out of order in 1 of 3 rows"),
        ("cc_agentic_requests", "0,0,4,", "0,0,5,", "turn: not 0, 1, 2 ... within its session: 1 of 10 rows"),
        (
            "cc_agentic_requests",
            ",1200,100,960",
            ",1200,100,1960",
            "cached_prefix_tokens: over the prompt: 1",
        ),
        ("cc_agentic_requests", ",90.00,", ",9.00,", "t_s: out of order within one agent: 1 of 10 rows"),
        (
            "servegen_pooled_lengths",
            "m-mid,input_tokens,10,0.5\n",
            "",
            "m-mid input_tokens: shares do not sum",
        ),
        ("servegen_pooled_lengths", "m-mid,input_tokens,10", "m-mid,input_tokens,21", "values do not ascend"),
        ("arxiv_summarization_lengths", "54,54", "54", "num_decode_tokens: missing in 1 of 3 rows (line 4)"),
    ],
)
def test_a_damaged_trace_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], *, name: str, old: str, new: str, told: str
) -> None:
    """Exit code 4, the file and what is wrong in it, and nothing written."""
    (path,) = folder.glob(f"{name}.*")
    text = gzip.decompress(path.read_bytes()).decode()
    assert old in text
    path.write_bytes(gzip.compress(text.replace(old, new, 1).encode()))

    assert main(folder, folder.parent) == 4
    error = capsys.readouterr().err
    # A length's table is damaged where the trace that uses it says so.
    assert told in error
    assert (path.name if "sys_prompt" not in name else "ragpulse_trace") in error
    assert len(error.splitlines()) == 1
    assert list(folder.parent.glob("*.parquet")) == []


def test_every_problem_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file cut short, one that is no gzip, one that is gone, one without rows: one line each."""
    cut, foreign, gone, empty = sorted(WHOLE)[:4]
    (folder / cut).write_bytes((folder / cut).read_bytes()[:-20])
    (folder / foreign).write_text(WHOLE[foreign])
    (folder / gone).unlink()
    (folder / empty).write_bytes(gzip.compress(b""))

    assert main(folder, folder.parent) == 4
    told = capsys.readouterr().err.splitlines()
    assert [Path(line.split(":")[0]).name for line in sorted(told)] == [cut, foreign, gone, empty]


TREES = st.lists(st.lists(st.integers(0, 2), max_size=6), min_size=1, max_size=30)


def blocks_of(paths: list[list[int]]) -> list[list[int]]:
    """Prompts as block ids: equal ids where everything up to there is equal."""
    ids: dict[tuple[int, ...], int] = {}
    return [[ids.setdefault(tuple(path[: at + 1]), len(ids)) for at in range(len(path))] for path in paths]


@given(TREES)
def test_a_shared_prefix_is_never_made_up(paths: list[list[int]]) -> None:
    """What two requests of one prefix are said to have in common, their prompts have in common."""
    prompts = blocks_of(paths)
    prefixes, depths = prefixes_of(prompts)

    for one, prefix, depth in zip(prompts, prefixes, depths, strict=True):
        for other, its_prefix, its_depth in zip(prompts, prefixes, depths, strict=True):
            common = min(depth, its_depth)
            assert prefix != its_prefix or (one[:common] == other[:common] and len(one) >= common)


def test_a_conversation_goes_on_once() -> None:
    """Asked again or with more, it goes on; a second time, or with the head of all alone, it does not."""
    assert chains_of([[0, 1], [0, 1], [0, 2], [0, 1, 3], [0], [0, 1, 4]]).tolist() == [0, 0, 2, 0, 4, 5]


@given(TREES)
def test_a_conversation_only_grows(paths: list[list[int]]) -> None:
    """All blocks of a turn lead the next turn of its conversation."""
    prompts = blocks_of(paths)
    chains = chains_of(prompts).tolist()

    for number, chain in enumerate(chains):
        before = [at for at in range(number) if chains[at] == chain]
        if before:
            assert prompts[number][: len(prompts[before[-1]])] == prompts[before[-1]]
