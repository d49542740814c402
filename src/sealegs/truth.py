"""The engines' own lines about each request, out of logs that hold other lines too."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json

from sealegs.evidence import lines_of, parsed
from sealegs.tables import TRUTH, table_of

PREFIX = b'{"truth":1'
# When each token was sent: most of a line, and nothing that judgement looks at.
STAMPS = b'"sent_us":['
NEEDED = ("request_id", "pod", "received_s", "end_s", "tokens")
# Logs are read side by side: one is parsed while another is cut into lines.
AT_ONCE = 2


def read_truth(logs: Sequence[Path]) -> tuple[pa.Table, tuple[str, ...]]:
    """The lines of all logs as one table of `tables.TRUTH`, and in words what of them cannot be used.

    A torn line that ends its log is what a killed engine leaves, and no damage.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(_read_log, logs))
    table = pa.concat_tables([TRUTH.empty_table(), *(its for its, _ in found)])
    damage = [
        f"{torn} torn line{'s' * (torn > 1)} in {log.name}"
        for log, (_, torn) in zip(logs, found, strict=True)
        if torn
    ]
    if repeated := _repeated(table):
        damage.append(f"{repeated} line{'s' * (repeated > 1)} of the engines' logs stand there twice")
    return table, tuple(damage)


def bare(line: bytes) -> bytes:
    """A line without its stamps."""
    at = line.find(STAMPS)
    # Stamps that have no end are those of a torn line, and leave one.
    return line[: at + len(STAMPS)] + line[line.find(b"]", at) :] if at >= 0 else line


def _read_log(log: Path) -> tuple[pa.Table, int]:
    """One log's lines, and how many of them are torn or lack what judgement needs."""
    tables, torn = [TRUTH.empty_table()], 0
    try:
        for lines in lines_of(log):
            table, misfits = _parsed([bare(line) for line in lines if line.startswith(PREFIX)])
            tables.append(table)
            torn += misfits if lines[-1].endswith(b"\n") else 0
    except OSError:
        torn += 1
    return pa.concat_tables(tables), torn


def _parsed(lines: Sequence[bytes]) -> tuple[pa.Table, int]:
    """Lines as a table, and how many do not fit it."""
    if not lines:
        return TRUTH.empty_table(), 0
    try:
        table = arrow_json.read_json(
            BytesIO(b"".join(lines)),
            parse_options=arrow_json.ParseOptions(
                explicit_schema=TRUTH, unexpected_field_behavior="ignore", newlines_in_values=False
            ),
        )
    except pa.ArrowInvalid:
        # One by one is slow, and only needed where a line is torn.
        table, _ = table_of([record for line in lines if (record := parsed(line)) is not None], TRUTH)
    known = table
    for name in NEEDED:
        if known[name].null_count:
            known = known.filter(pc.is_valid(known[name]))
    return known, len(lines) - len(known)


def _repeated(table: pa.Table) -> int:
    """How many lines are there again: an engine receives a request once at a time."""
    received_s = np.sort(table["received_s"].to_numpy())
    again_s = received_s[1:][received_s[1:] == received_s[:-1]]
    # Two requests may come in one microsecond: only there is it worth to look whose they are.
    suspects = table.filter(pc.is_in(table["received_s"], pa.array(np.unique(again_s))))
    groups = suspects.group_by(["request_id", "received_s"]).aggregate([])
    return len(suspects) - len(groups)
