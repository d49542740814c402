"""Profiles are their traces: the packaged rows, and those drawn from them, keep the numbers of the source."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sealegs import data
from sealegs.data import TRACE, read_day_shape, read_trace
from sealegs.profiles import (
    Trace,
    draw_sessions,
    fitting,
    sessions_of,
    trace_of,
    turns_mean,
)

DATA = Path(data.__file__).parent
KNOWN: dict[str, Any] = json.loads(Path(__file__).with_name("profile_quantiles.json").read_text())
PROFILES = sorted(KNOWN["profiles"])
LEVELS = np.array(KNOWN["levels_percent"]) / 100
TIMED = {"chat": 3_502.8, "code": 3_436, "rag": 604_603, "long-context": 3_537}
WITH_SESSIONS = ["agents", "long-context", "rag"]
# Lengths are whole numbers, and the levels lie between two rows; the last level hangs on a few dozen rows.
PACKAGED = np.array([0.01] * 9 + [0.03])
# Of 200,000 drawn requests: where a session has one, and where the tail hangs on few long sessions.
DRAWN = {1: np.array([0.04] * 9 + [0.12]), 2: np.array([0.1] * 9 + [0.15])}


@pytest.fixture(scope="module")
def traces() -> dict[str, Trace]:
    """Every packaged profile."""
    return {name: trace_of(read_trace(name)) for name in PROFILES}


def drawn_from(trace: Trace, *, requests: int, seed: int = 11) -> Trace:
    """About so many requests, drawn by whole sessions."""
    return draw_sessions(trace, count=round(requests / turns_mean(trace)), rng=np.random.default_rng(seed))


def far_off(found: npt.NDArray[Any], known: list[float], bounds: npt.NDArray[Any]) -> list[tuple[float, ...]]:
    """Level, value and known value wherever they differ by more than the bound and one unit."""
    values = np.quantile(found, LEVELS)
    far = np.abs(values - known) > bounds * np.array(known) + 1
    return [
        (float(level), float(value), float(told))
        for level, value, told in zip(LEVELS[far], values[far], np.array(known)[far], strict=True)
    ]


def hit_ratio(trace: Trace) -> float:
    """Share of prompt tokens that a cache which forgets nothing has when requests come one after another."""
    sessions = sessions_of(trace)
    began_s = np.repeat(np.nan_to_num(trace.t_s[sessions.start]), sessions.length)
    paused_s = np.cumsum(trace.think_s)
    paused_s -= np.repeat(paused_s[sessions.start], sessions.length)
    # Without times of its own, a trace's sessions come one after another.
    order = np.argsort(began_s + paused_s, kind="stable") if began_s.any() else np.arange(len(trace))
    cached: dict[int, int] = {}
    hit = 0
    for prefix, tokens in zip(trace.prefix[order].tolist(), trace.prefix_tokens[order].tolist(), strict=True):
        hit += min(cached.get(prefix, 0), tokens)
        cached[prefix] = max(cached.get(prefix, 0), tokens)
    return hit / int(trace.prompt_tokens.sum(dtype=np.int64))


@pytest.mark.parametrize("name", PROFILES)
def test_packaged_lengths_are_the_traces(traces: dict[str, Trace], name: str) -> None:
    """From p1 to p99.9, prompts and answers are as long as in the trace as released."""
    trace, known = traces[name], KNOWN["profiles"][name]

    assert len(trace) == known["rows"]
    assert far_off(trace.prompt_tokens, known["prompt_tokens"], PACKAGED) == []
    assert far_off(trace.output_tokens, known["output_tokens"], PACKAGED) == []


@pytest.mark.parametrize("name", PROFILES)
def test_drawn_lengths_are_the_traces(traces: dict[str, Trace], name: str) -> None:
    """Of 200,000 requests drawn by sessions, middle and tail are the trace's, within sampling error."""
    trace, known = traces[name], KNOWN["profiles"][name]
    drawn, bounds = drawn_from(trace, requests=200_000), DRAWN[2 if name in WITH_SESSIONS else 1]

    assert len(drawn) == pytest.approx(200_000, rel=0.03)
    assert far_off(drawn.prompt_tokens, known["prompt_tokens"], bounds) == []
    assert far_off(drawn.output_tokens, known["output_tokens"], bounds) == []


@pytest.mark.parametrize("name", ["agents", "rag"])
def test_pauses_and_turns_are_the_traces(traces: dict[str, Trace], name: str) -> None:
    """Users pause and go on as in the trace, in the packaged rows and in what is drawn from them."""
    trace, known = traces[name], KNOWN["profiles"][name]
    drawn = drawn_from(trace, requests=200_000)

    assert len(sessions_of(trace)) == known["sessions"]
    for found, bounds in ((trace, PACKAGED), (drawn, DRAWN[2])):
        assert far_off(found.think_s[found.turn > 0], known["think_s"], bounds) == []
        assert far_off(sessions_of(found).length, known["turns"], bounds) == []


def test_what_summaries_leave_out_is_their_tail(traces: dict[str, Trace]) -> None:
    """Against all rows of the trace as released, the middle stays: only an artefact of the ends is gone."""
    trace = traces["summarisation"]

    assert np.quantile(trace.prompt_tokens, [0.5, 0.75, 0.9]) == pytest.approx([2730, 3370, 3702], rel=0.03)
    assert np.quantile(trace.output_tokens, [0.05, 0.25, 0.5]) == pytest.approx([60, 115, 167], rel=0.04)


@pytest.mark.parametrize(
    ("name", "known", "lost_max"),
    [("long-context", 0.374, 0.02), ("agents", 0.963, 0.03), ("rag", 0.33, 0.02)],
)
def test_replayed_prefixes_hit_as_in_the_trace(
    traces: dict[str, Trace], name: str, known: float, lost_max: float
) -> None:
    """A cache that forgets nothing hits nearly as often as with the trace's own blocks, and never more often.

    What is lost: a request names one shared text only, and a session after a long pause finds nothing.
    """
    assert known - lost_max <= hit_ratio(traces[name]) <= known


@pytest.mark.parametrize("requests", [2_000, 100_000])
def test_a_conversation_drawn_twice_is_two_conversations(traces: dict[str, Trace], requests: int) -> None:
    """The agents' hit ratio stays however much is drawn: nobody finds another one's conversation cached."""
    drawn = drawn_from(traces["agents"], requests=requests)

    assert hit_ratio(drawn) == pytest.approx(hit_ratio(traces["agents"]), abs=0.015)


def test_what_sessions_share_stays_shared(traces: dict[str, Trace]) -> None:
    """Drawn sessions have the system prompts of the trace, and no more of them."""
    drawn = drawn_from(traces["rag"], requests=50_000)

    assert len(set(drawn.prefix.tolist())) == len(set(traces["rag"].prefix.tolist()))
    assert hit_ratio(drawn) == pytest.approx(hit_ratio(traces["rag"]), abs=0.01)


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("is_drawn", [False, True])
def test_sessions_are_well_formed(traces: dict[str, Trace], name: str, *, is_drawn: bool) -> None:
    """Rows of a session are adjacent, turns count from 0, the first has no pause, and none is too long."""
    trace = drawn_from(traces[name], requests=3_000) if is_drawn else traces[name]
    sessions = sessions_of(trace)

    assert trace.session.tolist() == np.repeat(np.arange(len(sessions)), sessions.length).tolist()
    assert trace.turn.tolist() == [turn for length in sessions.length for turn in range(length)]
    assert not trace.think_s[trace.turn == 0].any()
    assert trace.think_s.min() >= 0
    assert trace.think_s.max() <= 900
    assert min(trace.prompt_tokens.min(), trace.output_tokens.min()) >= 1
    assert np.all(trace.prefix_tokens <= trace.prompt_tokens)


@pytest.mark.parametrize("name", PROFILES)
def test_times_are_the_traces_or_none(traces: dict[str, Trace], name: str) -> None:
    """Sessions of a trace with times ascend from 0 to its span; the others have no time at all."""
    trace = traces[name]
    began_s = trace.t_s[trace.turn == 0]

    assert np.isnan(trace.t_s[trace.turn > 0]).all()
    if name not in TIMED:
        assert np.isnan(began_s).all()
        return
    assert began_s[0] == 0
    assert np.all(np.diff(began_s) >= 0)
    assert began_s[-1] == pytest.approx(TIMED[name], rel=0.01)


@pytest.mark.parametrize("path", sorted(DATA.rglob("*.parquet")), ids=lambda path: path.stem)
def test_every_file_says_whose_it_is(path: Path) -> None:
    """Source and licence are in the file itself and the file is in LICENSES.md."""
    name = path.relative_to(DATA).as_posix()
    table = data.read_trace(name.removesuffix(".parquet"))

    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    entry = next(line for line in (DATA / "LICENSES.md").read_text().splitlines() if f"`{name}`" in line)
    assert metadata["source"].split(" ")[0].rstrip(",") in entry
    assert metadata["licence"] in entry
    assert f"{table.num_rows:,}" in entry


def test_one_schema_and_no_profile_without_its_numbers() -> None:
    """Each packaged profile has the schema, and is held to its trace here."""
    packaged = sorted(path.stem for path in DATA.glob("*.parquet"))

    assert packaged == PROFILES
    assert [name for name in packaged if not read_trace(name).schema.equals(TRACE)] == []


def test_rows_are_drawn_whole(traces: dict[str, Trace]) -> None:
    """What a drawn request is, one row of the trace is: no length is drawn apart from the others."""
    columns = ("turn", "think_s", "prompt_tokens", "output_tokens", "prefix_tokens")
    trace, drawn = (
        {tuple(row) for row in np.column_stack([getattr(one, column) for column in columns]).tolist()}
        for one in (traces["rag"], drawn_from(traces["rag"], requests=5_000))
    )

    assert drawn <= trace


def test_same_seed_same_sessions(traces: dict[str, Trace]) -> None:
    """The seed decides, and only the seed."""
    first, again, other = (drawn_from(traces["rag"], requests=50, seed=seed) for seed in (1, 1, 2))

    assert first.prompt_tokens.tolist() == again.prompt_tokens.tolist()
    assert first.prompt_tokens.tolist() != other.prompt_tokens.tolist()


def test_none_can_be_drawn(traces: dict[str, Trace]) -> None:
    """A profile with a small share of few sessions may get none."""
    assert len(draw_sessions(traces["agents"], count=0, rng=np.random.default_rng(1))) == 0


def test_what_fits_is_prompt_and_answer_together(traces: dict[str, Trace]) -> None:
    """A request fits up to the last token of the context; a sum too long for 32 bits does not wrap round."""
    prompts, outputs = np.array([60, 60, 2**31 - 1], np.int32), np.array([40, 41, 2**31 - 1], np.int32)
    trace = replace(traces["chat"], prompt_tokens=prompts, output_tokens=outputs)

    assert fitting(trace, context_tokens_max=100).tolist() == [True, False, False]


def test_a_working_day_is_azures() -> None:
    """The mean is 1, and code swings from about a quarter of it by night to more than twice by day."""
    code, conv = read_day_shape("code"), read_day_shape("conv")

    assert (code.shape, code.mean(), conv.mean()) == ((24,), pytest.approx(1), pytest.approx(1))
    # Hours 8, 14, 19 UTC of the study, which are relative to the week: only their ratios count here.
    assert code[[8, 14, 19]] / code[14] == pytest.approx(np.array([0.29, 2.12, 2.77]) / 2.12, rel=0.03)
    assert conv[[8, 14, 19]] / conv[14] == pytest.approx(np.array([1.26, 1.53, 1.16]) / 1.53, rel=0.03)


def test_what_is_not_packaged_is_refused() -> None:
    """No file, no rows; no service, no day, and the message says which there are."""
    with pytest.raises(FileNotFoundError):
        read_trace("no-such-profile")
    with pytest.raises(ValueError, match="there are code, conv"):
        read_day_shape("mail")
