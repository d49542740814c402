"""Whatever a field, a number or a column of evidence holds: a verdict or a sentence, never a traceback."""

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.golden.bad import HOSTILE, LINES, TABLES, command, refused
from tests.golden.case import CASES
from tests.golden.made_cluster import timeline_of
from tests.golden.make_run import make_run

BAD_NUMBERS = ("NaN", "-1", "1e300", "1e999", "[]", '"text"', "null")


@pytest.mark.parametrize("value", BAD_NUMBERS)
@pytest.mark.parametrize("name", LINES)
def test_a_time_that_cannot_be_is_not_one(name: str, value: str, tmp_path: Path) -> None:
    """Not in the first of many lines either."""
    run_dir = make_run(tmp_path, case="pass")
    first, *others = (run_dir / name).read_text().splitlines()
    record = json.loads(first) | {"t_s": "HERE"}
    text = json.dumps(record).replace('"HERE"', value)
    (run_dir / name).write_text("\n".join([text, *others]) + "\n")

    refused(run_dir, because=f"1 torn line in {name}")


def kinds_and_keys() -> list[tuple[str, str]]:
    """Each field of each kind of record of a made-up timeline."""
    return sorted({(one["kind"], key) for one in timeline_of(CASES["pass"]) for key in one if key != "t_s"})


@pytest.mark.parametrize("value", [None, [1], {"a": 1}, HOSTILE, -1])
@pytest.mark.parametrize(("kind", "key"), kinds_and_keys())
def test_a_field_may_hold_anything(kind: str, key: str, value: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """Each field of each kind of timeline record, in the last of its kind: a verdict or a sentence."""
    run_dir = make_run(tmp_path, case="pass")
    records = [json.loads(line) for line in (run_dir / "timeline.jsonl").read_text().splitlines()]
    place = max(index for index, one in enumerate(records) if one["kind"] == kind)
    records[place][key] = value
    (run_dir / "timeline.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))

    assert command("judge", run_dir).exit_code in {0, 1, 2, 3}


@pytest.mark.parametrize("value", BAD_NUMBERS)
@pytest.mark.parametrize(
    "key", ["planned", "sent", "canary_s_p99_before", "stall_s_p99", "boot_id", "wall_zero_s_after"]
)
def test_what_load_says_of_itself_may_be_anything(key: str, value: str, tmp_path: Path) -> None:
    """What it measured has to be numbers within limits, whoever wrote them."""
    run_dir = make_run(tmp_path, case="pass")
    path = run_dir / "load-summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: "HERE"}).replace('"HERE"', value))
    if key == "wall_zero_s_after" and value == "null":
        assert command("judge", run_dir).exit_code == 0, "on this machine's own nodes one clock is enough"
    elif (key, value) in {("stall_s_p99", "-1"), ("canary_s_p99_before", "-1")}:
        assert command("judge", run_dir).exit_code in {0, 3}
    else:
        refused(run_dir)


@pytest.mark.parametrize("value", BAD_NUMBERS)
@pytest.mark.parametrize(
    "key", ["run_id", "scenario", "started_monotonic_ns", "schema", "cluster", "boot_id", "nodes"]
)
def test_what_run_json_says_may_be_anything(key: str, value: str, tmp_path: Path) -> None:
    """Who it is must be readable, or it is no run."""
    run_dir = make_run(tmp_path, case="pass")
    path = run_dir / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: "HERE"}).replace('"HERE"', value))

    assert command("judge", run_dir).exit_code in {0, 3, 4}
    assert (key, value) in FINE or command("judge", run_dir).exit_code != 0


# Absent is what evidence of before knew as little, and names may be any.
FINE = {
    ("run_id", '"text"'),
    ("scenario", '"text"'),
    ("schema", "null"),
    ("schema", "-1"),
    ("cluster", "null"),
    ("nodes", "null"),
    ("nodes", "[]"),
}


@pytest.mark.parametrize(
    "column", ["intended_s", "sent_s", "first_token_s", "end_s", "tokens_received", "attempts"]
)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, -1e300, 1e300])
def test_a_number_of_a_table_that_cannot_be_is_damage(column: str, value: float, tmp_path: Path) -> None:
    """In one row of the requests' table."""
    run_dir = make_run(tmp_path, case="pass")
    table = pq.read_table(run_dir / "requests.parquet")
    numbers = table[column].to_numpy().astype(float)
    numbers[700] = value
    index = table.schema.get_field_index(column)
    pq.write_table(table.set_column(index, column, pa.array(numbers)), run_dir / "requests.parquet")

    refused(run_dir)


@pytest.mark.parametrize("name", ["schedule.parquet", "requests.parquet"])
@pytest.mark.parametrize("column", ["request_id", "intended_s"])
def test_a_row_without_what_every_row_has_is_damage(name: str, column: str, tmp_path: Path) -> None:
    """It cannot be joined, or has no time."""
    run_dir = make_run(tmp_path, case="pass")
    table = pq.read_table(run_dir / name)
    holed = pa.array([None, *table[column].to_pylist()[1:]], table.schema.field(column).type)
    index = table.schema.get_field_index(column)
    pq.write_table(table.set_column(index, column, holed), run_dir / name)

    refused(run_dir)


def without_a_column(table: pa.Table) -> pa.Table:
    """The first column is gone."""
    return table.remove_column(0)


def of_another_type(table: pa.Table) -> pa.Table:
    """Ids are lists."""
    return table.set_column(0, "request_id", pa.array([["a"]] * len(table)))


def not_utf8(table: pa.Table) -> pa.Table:
    """Ids are bytes that are no text."""
    return table.set_column(
        0, "request_id", pa.array([b"\xff\xfe"] * len(table), pa.binary()).view(pa.string())
    )


# Attempts have no row, and so no value of whatever type.
@pytest.mark.parametrize(
    ("name", "change"),
    [
        (name, change)
        for name, change in product(TABLES, (without_a_column, of_another_type, not_utf8))
        if change is without_a_column or name != "attempts.parquet"
    ],
)
def test_a_table_of_another_shape_cannot_be_read(
    name: str, change: Callable[[pa.Table], pa.Table], tmp_path: Path
) -> None:
    """Nor is it taken for an empty one."""
    run_dir = make_run(tmp_path, case="pass")
    table = pq.read_table(run_dir / name)
    pq.write_table(change(table), run_dir / name)

    refused(run_dir, because=f"{name} cannot be read")


def test_columns_that_nobody_knows_do_no_harm(tmp_path: Path) -> None:
    """A later version may write more."""
    run_dir = make_run(tmp_path, case="pass")
    for name in TABLES:
        table = pq.read_table(run_dir / name)
        pq.write_table(table.append_column("later", pa.array([HOSTILE] * len(table))), run_dir / name)

    assert command("judge", run_dir).exit_code == 0
