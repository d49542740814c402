"""The tables of a run: written as Parquet, read from Parquet or from the lines that a killed run left."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sealegs.evidence import read_lines
from sealegs.record_shape import TIME_S_MAX


def _schema(**columns: pa.DataType) -> pa.Schema:
    """Columns in the order in which they are written."""
    return pa.schema(list(columns.items()))


SCHEDULE = _schema(
    request_id=pa.string(),
    intended_s=pa.float64(),
    prompt_tokens=pa.int32(),
    output_tokens=pa.int32(),
    profile=pa.string(),
    model_type=pa.string(),
    session=pa.string(),
    turn=pa.int32(),
    think_s=pa.float64(),
    prefix=pa.string(),
    prefix_tokens=pa.int32(),
    cancel=pa.bool_(),
)
REQUESTS = _schema(
    request_id=pa.string(),
    worker=pa.int32(),
    intended_s=pa.float64(),
    sent_s=pa.float64(),
    headers_s=pa.float64(),
    first_token_s=pa.float64(),
    last_token_s=pa.float64(),
    end_s=pa.float64(),
    status=pa.int32(),
    outcome=pa.string(),
    outcome_detail=pa.string(),
    prompt_tokens=pa.int32(),
    tokens_asked=pa.int32(),
    tokens_received=pa.int32(),
    finish_reason=pa.string(),
    pod=pa.string(),
    attempts=pa.int32(),
    retry_after_s=pa.float64(),
    gap_s_max=pa.float64(),
    reused=pa.bool_(),
)
# What a client tried before the attempt that the request's row tells of.
ATTEMPTS = _schema(
    request_id=pa.string(),
    attempt=pa.int32(),
    sent_s=pa.float64(),
    end_s=pa.float64(),
    status=pa.int32(),
    outcome=pa.string(),
    outcome_detail=pa.string(),
    tokens_received=pa.int32(),
    pod=pa.string(),
)
# What judgement looks at of the engines' lines about requests; times of theirs, on their clocks.
TRUTH = _schema(
    request_id=pa.string(),
    pod=pa.string(),
    wall_s=pa.float64(),
    received_s=pa.float64(),
    admitted_s=pa.float64(),
    first_token_s=pa.float64(),
    end_s=pa.float64(),
    tokens=pa.int64(),
    finish=pa.string(),
    phase_at_end=pa.string(),
)
CHUNKS = _schema(request_id=pa.string(), t_us=pa.list_(pa.int64()))
# What every row has, of whatever table that has it.
ALWAYS = ("request_id", "intended_s", "outcome")
TABLES = {"requests": REQUESTS, "chunks": CHUNKS, "attempts": ATTEMPTS}


def write_table(path: Path, rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> None:
    """Write rows as Parquet, whole or not at all. ValueError when a row has a key that is no column."""
    rows = list(rows)
    if unknown := {key for row in rows for key in row} - set(schema.names):
        raise ValueError(f"{path.name}: no column for {', '.join(sorted(unknown))}")
    part = path.with_name(f".{path.name}.part")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), part, compression="zstd")
    part.replace(path)


def close_tables(run_dir: Path) -> None:
    """Turn the lines of a run's tables into Parquet. Safe to repeat: lines go only when their table is there.

    A table with torn lines stays as lines: that it is torn is evidence.
    """
    for name, schema in TABLES.items():
        lines = run_dir / f"{name}.jsonl"
        read = read_lines(lines)
        if lines.exists() and not read.torn:
            write_table(run_dir / f"{name}.parquet", read.records, schema)
            lines.unlink()


def read_table(run_dir: Path, name: str, schema: pa.Schema) -> tuple[pa.Table, tuple[str, ...]]:
    """A table of a run, from Parquet or else from lines, and in words what of it cannot be used."""
    parquet = run_dir / f"{name}.parquet"
    lines = run_dir / f"{name}.jsonl"
    if parquet.exists():
        try:
            with pq.ParquetFile(parquet) as file:
                table = file.read(columns=schema.names).select(schema.names).cast(schema)
            # Nothing before this has looked whether texts are any.
            table.validate(full=True)
        except (pa.ArrowException, KeyError, OSError, UnicodeDecodeError) as error:
            why, *_ = str(error).splitlines() or [type(error).__name__]
            return schema.empty_table(), (f"{parquet.name} cannot be read: {why}",)
        return _sane(table.combine_chunks(), parquet.name)
    if not lines.exists():
        return schema.empty_table(), (f"no {parquet.name}",)
    read = read_lines(lines)
    table, misfits = table_of(read.records, schema)
    table, damage = _sane(table, lines.name)
    torn = read.torn + misfits
    return table, (*((f"{torn} torn line{'s' * (torn > 1)} in {lines.name}",) if torn else ()), *damage)


def _sane(table: pa.Table, name: str) -> tuple[pa.Table, tuple[str, ...]]:
    """A table without what cannot be, and in words how much of that it had.

    That is a time that no run's clock shows, a negative count, and a row without what every row has.
    """
    wrong = 0
    for index, field in enumerate(table.schema):
        values = table.column(index)
        if field.name in ALWAYS and values.null_count:
            wrong += values.null_count
            table = table.filter(pc.is_valid(values))
            values = table.column(index)
        if not pa.types.is_floating(field.type) and not pa.types.is_integer(field.type):
            continue
        # Of NaN neither comparison holds.
        numbers = values.to_numpy()
        sane = (numbers >= 0) & (numbers <= TIME_S_MAX)
        if bad := len(table) - values.null_count - int(sane.sum()):
            wrong += bad
            table = table.set_column(index, field, pc.if_else(pa.array(sane), values, None))
    return table, (f"{wrong} value{'s' * (wrong > 1)} in {name} cannot be",) if wrong else ()


def table_of(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> tuple[pa.Table, int]:
    """Rows as a table, and how many did not fit it."""
    try:
        return pa.Table.from_pylist(list(rows), schema=schema), 0
    except pa.ArrowException:
        # One by one is slow, and only needed for evidence that was edited or damaged.
        fitting = [row for row in rows if _fits(row, schema)]
        return pa.Table.from_pylist(fitting, schema=schema), len(rows) - len(fitting)


def _fits(row: Mapping[str, Any], schema: pa.Schema) -> bool:
    """Whether one row can be a row of the table."""
    try:
        pa.Table.from_pylist([dict(row)], schema=schema)
    except pa.ArrowException:
        return False
    return True
