"""What a run wrote can be read again, whenever and however it was interrupted."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.golden.make_run import make_run

from sealegs import evidence, tables
from sealegs.errors import ScenarioError
from sealegs.judge import judge, read_facts


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run in which all was well."""
    return make_run(tmp_path_factory.mktemp("runs"), case="pass")


def test_a_run_id_sorts_by_time_whatever_the_time_zone() -> None:
    """It is UTC, and says scenario and seed."""
    started = datetime(2026, 11, 24, 1, 30, 5, tzinfo=timezone(timedelta(hours=2)))

    assert evidence.run_id_of("gpu-node-drain", started=started, seed=7) == (
        "20261123T233005Z-gpu-node-drain-s7"
    )
    assert started.astimezone(UTC).day == 23


def test_two_runs_never_share_a_folder(tmp_path: Path) -> None:
    """A second run of the same second is refused, not mixed in."""
    run_dir = evidence.make_run_dir(tmp_path, run_id="x")
    (run_dir / "run.json").touch()

    with pytest.raises(FileExistsError):
        evidence.make_run_dir(tmp_path, run_id="x")
    assert list(evidence.run_dirs(tmp_path)) == [run_dir]


def test_lines_from_many_threads_stay_whole(tmp_path: Path) -> None:
    """Nothing is lost and nothing interleaved, whoever writes."""
    wanted = [(who, number) for who in range(8) for number in range(50)]

    with evidence.JsonLines(tmp_path / "x.jsonl") as lines, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: lines.append({"who": one[0], "n": one[1], "x": "y" * 300}), wanted))
    read = evidence.read_lines(tmp_path / "x.jsonl")

    assert read.torn == 0
    assert sorted((one["who"], one["n"]) for one in read.records) == wanted


def test_a_torn_last_line_is_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    """A killed process leaves half a line at most."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a":1}\n{"a":2}\n{"a":\xff')

    assert evidence.read_lines(path) == evidence.Lines(({"a": 1}, {"a": 2}), torn=1)
    assert evidence.read_lines(tmp_path / "absent.jsonl") == evidence.Lines(())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_hold_is_refused(tmp_path: Path, value: float) -> None:
    """NaN on disk would be read by some tools and not by others; unknown is null."""
    with evidence.JsonLines(tmp_path / "x.jsonl") as lines, pytest.raises(ValueError, match="JSON compliant"):
        lines.append({"a": value})


def test_a_json_file_is_replaced_whole(tmp_path: Path) -> None:
    """A document that cannot be written leaves the old one, and nothing beside it."""
    path = tmp_path / "x.json"
    evidence.write_json(path, {"a": "ü"})

    with pytest.raises(ValueError, match="JSON compliant"):
        evidence.write_json(path, {"a": float("nan")})

    assert evidence.read_json(path) == {"a": "ü"}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b'{"a":', b"[1]", b"\xff"])
def test_a_json_file_that_is_none_reads_as_absent(tmp_path: Path, content: bytes) -> None:
    """So a killed run can still be judged."""
    (tmp_path / "x.json").write_bytes(content)

    assert evidence.read_json(tmp_path / "x.json") is None
    assert evidence.read_json(tmp_path / "absent.json") is None


def test_undos_are_open_until_done_and_come_newest_first(tmp_path: Path) -> None:
    """Taken back in the opposite order of how they were done; a torn line does not hide the others."""
    first = evidence.record_undo(tmp_path, fault="node_drain", action="uncordon", args={"node": "a"})
    second = evidence.record_undo(tmp_path, fault="node_drain", action="uncordon", args={"node": "b"})
    with (tmp_path / "undo.jsonl").open("a") as torn:
        torn.write('{"id":"2-no')

    assert [one.args["node"] for one in evidence.open_undos(tmp_path)] == ["b", "a"]

    evidence.mark_undone(tmp_path, second)

    assert [one.id for one in evidence.open_undos(tmp_path)] == [first]
    assert evidence.open_undos(tmp_path / "elsewhere") == ()


def test_closing_tables_keeps_every_row_and_can_be_repeated(tmp_path: Path) -> None:
    """Parquet holds what the lines held; the lines are gone only then."""
    rows = [{"request_id": f"r{n}", "t_us": [n, 1, 2]} for n in range(3)]
    with evidence.JsonLines(tmp_path / "chunks.jsonl") as lines:
        for row in rows:
            lines.append(row)

    tables.close_tables(tmp_path)
    tables.close_tables(tmp_path)

    assert pq.read_table(tmp_path / "chunks.parquet").to_pylist() == rows
    assert not (tmp_path / "chunks.jsonl").exists()


def test_a_torn_table_stays_as_lines(tmp_path: Path) -> None:
    """That it is torn is evidence, and would be lost in Parquet."""
    (tmp_path / "chunks.jsonl").write_text('{"request_id":"r0","t_us":[1]}\n{"request')

    tables.close_tables(tmp_path)
    table, damage = tables.read_table(tmp_path, "chunks", tables.CHUNKS)

    assert (len(table), damage) == (1, ("1 torn line in chunks.jsonl",))


def test_a_column_nobody_knows_is_refused(tmp_path: Path) -> None:
    """Arrow would drop it without a word."""
    with pytest.raises(ValueError, match="no column for pods"):
        tables.write_table(tmp_path / "x.parquet", [{"request_id": "r0", "pods": "a"}], tables.CHUNKS)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("requests.parquet", b"not parquet", "requests.parquet cannot be read"),
        ("requests.parquet", None, "no requests.parquet"),
        ("schedule.parquet", None, "no schedule.parquet"),
        ("timeline.jsonl", b"", "run did not finish: last phase none"),
        ("timeline.jsonl", b'{"kind":"phase"}\n[]\n', "2 torn lines in timeline.jsonl"),
        ("samples.jsonl", None, "stack was not ready at the baseline: never seen before it"),
        ("load-summary.json", None, "load process died"),
    ],
)
def test_missing_and_damaged_files_make_a_run_invalid(
    tmp_path: Path, passed: Path, name: str, content: bytes | None, reason: str
) -> None:
    """Never a traceback, never a pass: the verdict says what could not be read."""
    run_dir = tmp_path / "run"
    shutil.copytree(passed, run_dir)
    (run_dir / name).unlink()
    if content is not None:
        (run_dir / name).write_bytes(content)

    verdict = judge(run_dir)

    assert verdict.verdict == "INVALID"
    assert any(reason in one for one in verdict.reasons), verdict.reasons


def test_a_folder_that_is_no_run_is_said_to_be_none(tmp_path: Path) -> None:
    """Judging a mistyped path tells so."""
    with pytest.raises(ScenarioError, match="not a run's folder"):
        judge(tmp_path)


def test_engine_lines_are_found_among_others(tmp_path: Path) -> None:
    """A log holds what an engine prints; only whole truth lines count."""
    run_dir = make_run(tmp_path, case="killed")
    before = len(read_facts(run_dir).truth)
    line = {"truth": 1, "request_id": "r", "pod": "p", "received_s": 1, "end_s": 2, "tokens": 3}
    (run_dir / "logs" / "more.log").write_text(
        "starting\n"
        + json.dumps(line, separators=(",", ":"))
        + '\n{"truth":1,"request_id":"half\n{"truth":1}\n'
    )

    assert len(read_facts(run_dir).truth) == before + 1
