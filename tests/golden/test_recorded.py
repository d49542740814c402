"""Runs of the real cluster end in the verdict that was recorded for them, byte for byte.

After a change that is meant to change verdicts: ``pytest tests/golden --update-golden``, then read the diff.
How the runs were recorded: `tests.golden.record`.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from tests.golden.record import RECORDED, SUFFIX, pack, unpack
from tests.golden.verdicts import judged_twice, schema

from sealegs.judge import judge
from sealegs.report import render

# Name → its verdict's word, the fault in it, and what one of its reasons says.
RUNS: dict[str, tuple[str, str | None, str]] = {
    "drain": ("PASS", "node_drain", ""),
    "drain-clumped": ("INCONCLUSIVE", "node_drain", "clumped: worth about 90 independent requests"),
    "engine-aborts": ("FAIL", "node_drain", "no-truncated-stream: 2 streams cut (2 abort)"),
    "node-loss": ("PASS", "node_loss", ""),
    "noop": ("INVALID", "node_drain", "fault did not land: armed at 110.9 s, injected at 110.9 s"),
    "overload": ("INVALID", None, "99% of what the kernel had was read within 5.6 ms"),
    "pod-kill": ("INCONCLUSIVE", "pod_kill", "ttft-baseline: 0 bad of 428, target 0.95; clumped"),
    "pod-kill-starved": ("INVALID", "pod_kill", "the client was kept from running for 1.4% of the time"),
}
BYTES_MAX = 350_000
# A path from the root, which would tell of the machine that a run was recorded on; the API's are none.
PLACE = re.compile(rb"[\"' =](/(?!api|v1/)[\w.-]+/[\w./-]*)")


def archive_of(name: str) -> Path:
    """Where a run's evidence is packed."""
    return RECORDED / f"{name}{SUFFIX}"


def verdict_of(name: str) -> dict[str, Any]:
    """A run's recorded verdict."""
    document: dict[str, Any] = json.loads((RECORDED / f"{name}.verdict.json").read_text())
    return document


@pytest.mark.parametrize("name", RUNS)
def test_same_evidence_gives_the_recorded_bytes(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A verdict is a function of the evidence alone, and says what it said when it was reviewed."""
    run_dir = unpack(archive_of(name), tmp_path / name)
    recorded = RECORDED / f"{name}.verdict.json"

    seen = judged_twice(run_dir)

    if request.config.getoption("--update-golden", default=False):
        recorded.write_bytes(seen)
    assert seen == recorded.read_bytes()


@pytest.mark.parametrize("name", RUNS)
def test_each_run_ends_as_it_did(name: str) -> None:
    """A golden file that was updated without a look cannot turn one verdict or fault into another."""
    word, fault, reason = RUNS[name]
    document = verdict_of(name)

    assert document["verdict"] == word
    assert (document["fault"] or {}).get("fault") == fault
    assert any(reason in one for one in document["reasons"]) or not reason


@pytest.mark.parametrize("name", RUNS)
def test_recorded_verdicts_keep_the_schema(name: str) -> None:
    """Whoever reads verdict.json by its schema can read what the real cluster gives."""
    schema().validate(verdict_of(name))


@pytest.mark.parametrize("name", RUNS)
def test_no_request_is_lost_from_the_count(name: str) -> None:
    """What was planned was sent, held back by the cap, never sent, or left no row."""
    counts = verdict_of(name)["counts"]

    assert counts["planned"] == sum(counts[one] for one in ("sent", "cap_refused", "never_sent", "holes"))
    assert 0 < counts["ok"] <= counts["finished"] <= counts["sent"]


@pytest.mark.parametrize("name", RUNS)
def test_the_page_is_drawn_from_what_is_kept(name: str, tmp_path: Path) -> None:
    """An archive is enough to look at the run again: its page says the word and the run's name."""
    run_dir = unpack(archive_of(name), tmp_path / name)
    judge(run_dir)
    page = render(run_dir).read_text()

    assert RUNS[name][0] in page
    assert verdict_of(name)["run_id"] in page


@pytest.mark.parametrize("name", RUNS)
def test_what_is_kept_is_small_and_says_nothing_of_the_machine(name: str, tmp_path: Path) -> None:
    """An archive fits beside source, and names no folder of where it was recorded."""
    run_dir = unpack(archive_of(name), tmp_path / name)
    told = [path.read_bytes() for path in run_dir.rglob("*") if path.is_file()]

    assert archive_of(name).stat().st_size <= BYTES_MAX
    assert [place for content in told for place in PLACE.findall(content)] == []


def test_the_same_run_packs_to_the_same_bytes(tmp_path: Path) -> None:
    """An archive tells of its run only: neither of when it was packed nor by whom."""
    smallest = min(RUNS, key=lambda name: archive_of(name).stat().st_size)
    run_dir = unpack(archive_of(smallest), tmp_path / "run")
    for name in ("first", "second"):
        pack(run_dir, tmp_path / name)
        for path in run_dir.rglob("*"):
            os.utime(path, (1, 1))

    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_every_archive_is_judged() -> None:
    """A run that lies there and is in no table would prove nothing."""
    assert {path.name.removesuffix(SUFFIX) for path in RECORDED.glob(f"*{SUFFIX}")} == set(RUNS)
