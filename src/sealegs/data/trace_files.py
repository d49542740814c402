"""Files of published traces, read whole and checked: a damaged one is refused with every problem it has.

Each file is gzip; the table `FILES` says which columns are used and what may stand in them. Columns that
nobody uses are not looked at.
"""

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from sealegs.errors import ScenarioError

Columns: TypeAlias = dict[str, npt.NDArray[Any]]

# Four times the longest prompt of any of the traces: beyond it a number is a slip, not a length.
TOKENS_MAX = 4_000_000
LINES_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Number:
    """A column of numbers.

    Attributes:
        low, high: what is believed.
        whole: whether a fraction is damage.
        may_be_empty: an empty field reads as NaN, and is no damage.
        steps_back: how often the next row may have the lower number; None: any order.
    """

    low: float = 0.0
    high: float = np.inf
    whole: bool = False
    may_be_empty: bool = False
    steps_back: int | None = None


TOKENS = Number(low=1, high=TOKENS_MAX, whole=True)
COUNT = Number(high=TOKENS_MAX, whole=True)
# A wall clock's time, read as seconds since 1970; it never goes back.
WHEN: Final = "when"

# What is neither number nor time is a value of the type, taken as it stands.
Kind: TypeAlias = Number | Literal["when"] | type
AZURE: dict[str, Kind] = {"TIMESTAMP": WHEN, "ContextTokens": TOKENS, "GeneratedTokens": TOKENS}
FILES: dict[str, dict[str, Kind]] = {
    "azure_llm_2023_conv.csv.gz": AZURE,
    "azure_llm_2023_code.csv.gz": AZURE,
    "azure_llm_2024_hourly_shape.csv.gz": {
        "service": str,
        "start_utc": WHEN,
        "hour_index": Number(high=167, whole=True),
        "rate_relative_to_week_mean": Number(high=100),
    },
    # The trace's week was cut in two and joined the other way round: once its clock goes back.
    "ragpulse_trace.jsonl.gz": {
        "timestamp": Number(steps_back=1),
        "input_length": TOKENS,
        "output_length": TOKENS,
        "hash_ids": dict,
        "session_id": str,
    },
    "ragpulse_sys_prompt_lengths.jsonl.gz": {"sys_prompt_id": COUNT, "token_length": TOKENS},
    "mooncake_conversation_trace.jsonl.gz": {
        "timestamp": Number(steps_back=0),
        "input_length": TOKENS,
        "output_length": TOKENS,
        "hash_ids": list,
    },
    # A call that failed has 0 output tokens; times that the source could not tell are empty.
    "cc_agentic_requests.csv.gz": {
        "session": Number(whole=True, steps_back=0),
        "depth": COUNT,
        "turn": COUNT,
        "t_s": Number(),
        "input_tokens": TOKENS,
        "output_tokens": COUNT,
        "cached_prefix_tokens": COUNT,
        "think_time_s": Number(may_be_empty=True),
    },
    "servegen_pooled_lengths.csv.gz": {
        "model": str,
        "field": str,
        "value": Number(high=TOKENS_MAX),
        "prob": Number(high=1),
    },
    "arxiv_summarization_lengths.csv.gz": {"num_prefill_tokens": TOKENS, "num_decode_tokens": TOKENS},
}


def read_traces(folder: Path) -> dict[str, Columns]:
    """The used columns of every file in `FILES`: file name to column name to array.

    Raises:
        ScenarioError: a file is not there, not whole, or holds what cannot be; all problems of all files.
    """
    problems: list[str] = []
    traces = {name: _read(folder / name, kinds, problems) for name, kinds in FILES.items()}
    if problems:
        raise ScenarioError(problems)
    return traces


def _read(path: Path, kinds: dict[str, Kind], problems: list[str]) -> Columns:
    """One file's columns; what is wrong with it is added to `problems`."""
    found: dict[str, list[Any]] = {name: [] for name in kinds}
    lines, short = [], []
    try:
        for line, row in _rows(path):
            if any(name not in row for name in kinds):
                short.append((line, ", ".join(name for name in kinds if name not in row)))
                continue
            lines.append(line)
            for name in kinds:
                found[name].append(row[name])
    except FileNotFoundError:
        problems.append(f"{path}: there is no such file")
        return {}
    except (OSError, EOFError, zlib.error, TypeError, ValueError, csv.Error) as error:
        problems.append(f"{path}: cannot be read after row {len(lines)}: {error}")
        return {}
    for missing in sorted({names for _, names in short}):
        where = [line for line, names in short if names == missing]
        problems.append(f"{path}: {missing}: missing in {_places(where, len(lines) + len(short))}")
    if not lines and not short:
        problems.append(f"{path}: no rows")
    columns = {}
    for name, kind in kinds.items():
        columns[name], damage = _column(found[name], kind)
        problems += [
            f"{path}: {name}: {what} in {_places([lines[at] for at in where], len(lines))}"
            for what, where in damage
        ]
    return columns


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and fields of each row; an empty last line is none."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        if path.name.endswith(".csv.gz"):
            # A line with too few fields lacks the last columns instead of holding None in them.
            for row in (reader := csv.DictReader(file)):
                yield reader.line_num, {name: text for name, text in row.items() if text is not None}
        else:
            for line, text in enumerate(file, 1):
                if text.strip():
                    yield line, dict(json.loads(text))


def _column(values: list[Any], kind: Kind) -> tuple[npt.NDArray[Any], list[tuple[str, list[int]]]]:
    """A column as an array, and each kind of damage in it with the rows that have it."""
    empty = [at for at, value in enumerate(values) if value is None or value in ("", [], {})]
    number = kind if isinstance(kind, Number) else Number(low=-np.inf, steps_back=0 if kind == WHEN else None)
    is_float = isinstance(kind, Number) or kind == WHEN
    array = np.full(len(values), np.nan, float if is_float else object)
    wrong = []
    for at in sorted(set(range(len(values))) - set(empty)):
        try:
            array[at] = _read_value(values[at], kind)
        except (TypeError, ValueError):
            wrong.append(at)
    damage = [("not what belongs there", wrong)]
    if not number.may_be_empty:
        damage.append(("empty", empty))
    if is_float:
        read = ~np.isin(np.arange(len(values)), [*wrong, *empty])
        outside = read & ~((array >= number.low) & (array <= number.high))
        damage.append((f"not within {number.low:g} to {number.high:g}", np.flatnonzero(outside).tolist()))
        broken = read & ~outside & (array != np.floor(array))
        damage.append(("not whole", np.flatnonzero(broken).tolist() if number.whole else []))
        back = (np.flatnonzero(np.diff(array) < 0) + 1).tolist()
        if number.steps_back is not None and len(back) > number.steps_back:
            damage.append(("out of order", back))
    return array, [(what, where) for what, where in damage if where]


def _read_value(value: Any, kind: Kind) -> Any:  # noqa: ANN401 - a value as JSON or CSV has it
    """One field as its column has it: a float, or what it is. Raises TypeError or ValueError."""
    if isinstance(kind, Number):
        return float(value)
    if kind == WHEN:
        clock = value.removesuffix("Z").replace(" ", "T")
        return float(np.datetime64(clock, "us").astype(np.int64)) / 1e6
    if not isinstance(value, kind):
        raise TypeError
    return value


def _places(lines: list[int], rows: int) -> str:
    """How many rows, and the first of their lines."""
    shown = ", ".join(str(line) for line in lines[:LINES_SHOWN])
    more = ", ..." if len(lines) > LINES_SHOWN else ""
    return f"{len(lines)} of {rows} rows (line {shown}{more})"
