"""The engines' own lines about each request, out of logs that hold other lines too."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json

from sealegs.evidence import parsed, whole_lines
from sealegs.tables import TRUTH, table_of

PREFIX = b'{"truth":1'
# When each token was sent: most of a line, and nothing that judgement looks at.
STAMPS = re.compile(rb'"sent_us":\[[^\]]*\],')
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


def _read_log(log: Path) -> tuple[pa.Table, int]:
    """One log's lines, and how many of them are torn or lack what judgement needs."""
    tables, torn = [TRUTH.empty_table()], 0
    try:
        for block in whole_lines(log):
            text, count = _truth_lines(block)
            table, misfits = _parsed(text, count)
            tables.append(table)
            torn += misfits if block.endswith(b"\n") else 0
    except OSError:
        torn += 1
    return pa.concat_tables(tables), torn


def _truth_lines(block: bytes) -> tuple[bytes, int]:
    """The truth lines of a block of whole lines, without their stamps, and how many they are."""
    bare = STAMPS.sub(b"", block)
    if bare.count(b"\n") != block.count(b"\n"):
        # Of a torn line the stamps have no end, and would take the next line with them.
        bare = b"\n".join(STAMPS.sub(b"", line) for line in block.split(b"\n"))
    count = bare.count(b"\n" + PREFIX) + bare.startswith(PREFIX)
    if count == bare.count(b"\n"):
        # Nothing else is there, as in most blocks of a long log: no need to take it apart.
        return bare, count
    lines = [line for line in bare.split(b"\n") if line.startswith(PREFIX)]
    return b"\n".join(lines), len(lines)


def _parsed(text: bytes, count: int) -> tuple[pa.Table, int]:
    """So many lines as a table, and how many do not fit it."""
    if not count:
        return TRUTH.empty_table(), 0
    try:
        table = arrow_json.read_json(
            BytesIO(text),
            parse_options=arrow_json.ParseOptions(
                explicit_schema=TRUTH, unexpected_field_behavior="ignore", newlines_in_values=False
            ),
        )
        misfits = count - len(table)
    except pa.ArrowInvalid:
        # One by one is slow, and only needed where a line is torn.
        records = [record for line in text.splitlines() if (record := parsed(line)) is not None]
        table, misfits = table_of(records, TRUTH)
        misfits += count - len(records)
    known = table
    for name in NEEDED:
        if known[name].null_count:
            known = known.filter(pc.is_valid(known[name]))
    return known, misfits + len(table) - len(known)


def _repeated(table: pa.Table) -> int:
    """How many lines are there again: an engine receives a request once at a time."""
    received_s = np.sort(table["received_s"].to_numpy())
    again_s = received_s[1:][received_s[1:] == received_s[:-1]]
    # Two requests may come in one microsecond: only there is it worth to look whose they are.
    suspects = table.filter(pc.is_in(table["received_s"], pa.array(np.unique(again_s))))
    groups = suspects.group_by(["request_id", "received_s"]).aggregate([])
    return len(suspects) - len(groups)
