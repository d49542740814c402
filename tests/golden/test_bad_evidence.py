"""A run's folder may hold anything: whatever is wrong with it is a sentence, never a traceback, never a PASS.

Each file that judgement reads is damaged in each way, in a run in which all was well, and judged by command.
What no check could notice is not asked for: another number in the place of a number.
"""

import contextlib
import json
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.golden.bad import ENGINE_LOG, HOSTILE, LINES, TABLES, command, refused
from tests.golden.make_run import make_run

from sealegs.errors import ScenarioError
from sealegs.judge import judge

Damage = Callable[[Path], None]

DOCUMENTS = ("run.json", "load-summary.json")
NEEDED = (*DOCUMENTS, "scenario.toml", *LINES, *TABLES, ENGINE_LOG)
UNNEEDED = ("journal.json", "chunks.parquet", "report.html", "load-status.json")


def absent(path: Path) -> None:
    """It is not there."""
    path.unlink()


def becomes(content: bytes, path: Path) -> None:
    """It holds something else."""
    path.write_bytes(content)


def half(path: Path) -> None:
    """Its second half is lost."""
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def folder(path: Path) -> None:
    """A folder stands in its place."""
    path.unlink()
    path.mkdir()


def loop(path: Path) -> None:
    """It is a link to itself."""
    path.unlink()
    path.symlink_to(path.name)


def twice(path: Path) -> None:
    """All that it holds, it holds twice."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        pq.write_table(pa.concat_tables([table, table]), path)
    else:
        path.write_bytes(2 * path.read_bytes())


DAMAGES: dict[str, Damage] = {
    "absent": absent,
    "empty": partial(becomes, b""),
    "half": half,
    "garbage": partial(becomes, bytes(np.random.default_rng(8).bytes(5_000))),
    "page": partial(becomes, b"<!doctype html>\n<title>502 Bad Gateway</title>\n"),
    "not-utf8": partial(becomes, b'{"t_s":1.0,"kind":"\xff\xfe"}\n'),
    "list": partial(becomes, b"[1, 2, 3]\n"),
    "deep": partial(becomes, b"[" * 100_000 + b"\n"),
    "folder": folder,
    "loop": loop,
    "twice": twice,
}


# No attempt was made again: twice nothing is what it was.
@pytest.mark.parametrize(
    ("name", "damage"),
    [one for one in product(NEEDED, DAMAGES) if one != ("attempts.parquet", "twice")],
)
def test_a_file_that_is_damaged_is_never_a_pass(name: str, damage: str, tmp_path: Path) -> None:
    """Whichever of the files that judgement reads, and however."""
    run_dir = make_run(tmp_path, case="pass")
    DAMAGES[damage](run_dir / name)

    refused(run_dir)


@pytest.mark.parametrize("damage", [one for one in DAMAGES if one not in {"absent", "half", "loop", "twice"}])
@pytest.mark.parametrize("name", UNNEEDED)
def test_what_judgement_does_not_read_changes_nothing(name: str, damage: str, tmp_path: Path) -> None:
    """Stamps of tokens, a journal, a page of before: a run is judged without them."""
    run_dir = make_run(tmp_path, case="pass")
    (run_dir / name).touch()
    if name == "report.html" and damage == "folder":
        return
    DAMAGES[damage](run_dir / name)

    assert command("judge", run_dir).exit_code == 0


def test_evidence_of_a_later_version_is_refused(tmp_path: Path) -> None:
    """Its fields may mean something else: which version it is, and which this one reads, is said."""
    run_dir = make_run(tmp_path, case="pass")
    path = run_dir / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))

    refused(run_dir, because="schema 99")


def test_a_clock_that_jumps_back_is_damage(tmp_path: Path) -> None:
    """Lines are written in the order of time, but for a moment's disorder between processes."""
    run_dir = make_run(tmp_path, case="pass")
    for name in LINES:
        lines = (run_dir / name).read_text().splitlines()
        (run_dir / name).write_text("\n".join([*lines[10:], *lines[:10]]) + "\n")

        refused(run_dir, because=f"in {name}")


def test_no_request_at_all_is_no_pass(tmp_path: Path) -> None:
    """Tables that are whole and empty: nothing was planned, and nothing follows."""
    run_dir = make_run(tmp_path, case="pass")
    for name in TABLES:
        pq.write_table(pq.read_table(run_dir / name).slice(0, 0), run_dir / name)

    refused(run_dir, because="nothing was planned")


def test_words_of_people_and_programs_are_shown_as_words(tmp_path: Path) -> None:
    """A page in a title, an error's message, an outcome's detail and a pod's name is not part of the page."""
    run_dir = make_run(tmp_path, case="fail-truncated")
    path = run_dir / "scenario.toml"
    path.write_text(
        path.read_text().replace("Drain a GPU node under chat traffic", "<script>alert(1)</script>")
    )
    with (run_dir / "timeline.jsonl").open("a") as timeline:
        timeline.write(
            json.dumps({"t_s": 250.0, "kind": "error", "where": HOSTILE, "message": HOSTILE}) + "\n"
        )
    table = pq.read_table(run_dir / "requests.parquet")
    for column in ("outcome_detail", "pod"):
        index = table.schema.get_field_index(column)
        table = table.set_column(index, column, pa.array([HOSTILE] * len(table)))
    pq.write_table(table, run_dir / "requests.parquet")

    assert command("judge", run_dir).exit_code == 1
    assert "<script>" not in (run_dir / "report.html").read_text()


@pytest.mark.parametrize(
    "name", ["run.json", "scenario.toml", "requests.parquet", "timeline.jsonl", ENGINE_LOG]
)
def test_a_damaged_run_beside_another_is_a_sentence_too(name: str, tmp_path: Path) -> None:
    """Comparing judges both again, and never fails otherwise than with a sentence."""
    good, bad = make_run(tmp_path / "a", case="pass"), make_run(tmp_path / "b", case="pass")
    for damage in ("absent", "garbage", "folder"):
        (bad / name).unlink(missing_ok=True)
        (bad / name).touch()
        DAMAGES[damage](bad / name)

        assert command("compare", good, bad).exit_code in {0, 4}
        assert command("compare", bad, good).exit_code in {0, 4}


@given(data=st.data())
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
def test_bytes_may_be_any(tmp_path: Path, data: st.DataObject) -> None:
    """A few bytes changed anywhere in any file: a verdict or a problem of the file, and nothing else."""
    name = data.draw(st.sampled_from(NEEDED))
    place = data.draw(st.floats(0, 1, exclude_max=True))
    new = data.draw(st.binary(min_size=1, max_size=40))
    with_a_folder = tmp_path / f"{data.draw(st.integers(0, 10**12))}"
    run_dir = make_run(with_a_folder, case="pass")
    content = bytearray((run_dir / name).read_bytes())
    at = int(place * len(content))
    content[at : at + len(new)] = new
    (run_dir / name).write_bytes(content)

    with contextlib.suppress(ScenarioError):
        judge(run_dir)
