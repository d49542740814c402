"""The kill matrix: how it grows, what is kept of a run, and how it is shown."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.golden.make_run import make_run
from tests.unit.made_mutants import GOLDEN, MUTANT, made_cell, made_mutant, mutants_house

from sealegs.child_run import Ended
from sealegs.errors import ScenarioError
from sealegs.kill_matrix import Matrix, document, latest, play, read_matrix, table
from sealegs.kill_matrix.cells import MATRICES, RECORD
from sealegs.mutant import Mutant, claims_of, load_mutants
from sealegs.scenario import load_scenario

STARTED = datetime(2026, 11, 26, 2, tzinfo=UTC)


@dataclass
class Suite:
    """A folder of mutants, and the golden case that the run of each comes to, None for one that crashes."""

    root: Path
    cases: Mapping[str, str | None]
    told: list[str] = field(default_factory=list)
    started: list[tuple[str, str | None]] = field(default_factory=list)

    @property
    def record(self) -> Path:
        """Where its matrix grows."""
        return self.root / MATRICES / "2026-11-26" / RECORD

    def start(self, path: Path, mutant: str | None) -> Ended:
        """One run of a mutant ends, as `sealegs run` would leave it."""
        self.started.append((path.stem, mutant))
        case = self.cases[mutant or ""]
        if case is None:
            return Ended(run_dir=None, said="Segmentation fault")
        run_dir = make_run(self.root / "reports" / "runs" / str(len(self.started)), case=case)
        shutil.copy(GOLDEN / f"{case}.verdict.json", run_dir / "verdict.json")
        return Ended(run_dir=run_dir, said="done")

    def play(self) -> list[Matrix]:
        """The matrix after each run of all mutants."""
        mutants = list(load_mutants(self.root).values())
        playing = play(
            mutants, record=self.record, start=self.start, now=lambda: STARTED, say=self.told.append
        )
        return list(playing)


def suite(root: Path, cases: Mapping[str, str | None]) -> Suite:
    """Mutants that ``no-truncated-stream`` must see, and what their runs come to."""
    return Suite(mutants_house(root, *cases), cases)


def test_each_mutant_is_run_under_its_scenario(tmp_path: Path) -> None:
    """In the order of their names; what is seen is what the run's verdict says of each claim."""
    house = suite(tmp_path, {"a": "fail-truncated", "b": "pass", "c": "inconclusive-thin", "d": None})

    *_, matrix = house.play()

    mutants = load_mutants(tmp_path)
    assert house.started == [("drain", name) for name in "abcd"]
    assert [matrix.outcome(mutants[name]) for name in "abcd"] == ["killed", "survived", "survived", "unknown"]
    assert matrix.cells[0].claims["no-truncated-stream"] == "FAIL"
    assert set(matrix.cells[0].claims) == set(claims_of(mutants["a"].scenario))
    assert matrix.cells[3].error == "Segmentation fault"
    assert house.told[-1] == "d: ? unknown: Segmentation fault"


def test_a_run_that_tested_nothing_is_made_once_more(tmp_path: Path) -> None:
    """And not again; one that did not come to be is not tried twice, nor one that told something."""
    house = suite(tmp_path, {"a": "invalid-not-landed", "b": None, "c": "pass"})

    house.play()

    assert [name for _, name in house.started] == ["a", "a", "b", "c"]


def test_claims_of_an_untrusted_run_say_nothing(tmp_path: Path) -> None:
    """INVALID where the evidence cannot carry what the numbers say: the mutant was not tested."""
    house = suite(tmp_path, {"a": "invalid-not-landed"})

    *_, matrix = house.play()

    assert matrix.cells[0].claims["success-fault"] == "INVALID"
    assert matrix.cells[0].failed == frozenset()
    assert matrix.outcome(load_mutants(tmp_path)["a"]) == "unknown"


def test_the_matrix_grows_on_disk(tmp_path: Path) -> None:
    """After each run it is whole there; a later run of a mutant takes the place of the earlier."""
    house = suite(tmp_path, {"a": "pass", "b": "pass"})
    mutants = list(load_mutants(tmp_path).values())
    playing = play(
        mutants, record=house.record, start=house.start, now=lambda: STARTED, say=house.told.append
    )

    assert next(playing) == read_matrix(house.record)
    assert [cell.mutant for cell in read_matrix(house.record).cells] == ["a"]

    house.cases = {"a": "fail-truncated", "b": "fail-truncated"}
    *_, matrix = house.play()
    assert read_matrix(house.record) == matrix
    assert [matrix.outcome(one) for one in mutants] == ["killed", "killed"]


def test_the_last_run_of_each_mutant_counts() -> None:
    """Whatever order the matrices are in."""
    early, late = (made_cell("a", started_at=f"2026-11-2{day}T02:00:00Z") for day in (4, 5))
    other = made_cell("b", started_at="2026-11-23T02:00:00Z")

    assert latest([Matrix(cells=(late,)), Matrix(cells=(early, other))]).cells == (late, other)


def test_a_run_under_another_scenario_is_not_the_mutants(tmp_path: Path) -> None:
    """When a mutant is planted for another scenario it was not run yet."""
    mutant = load_mutants(mutants_house(tmp_path))[MUTANT]
    matrix = Matrix(cells=(made_cell(no_truncated_stream="FAIL"),))

    assert matrix.outcome(mutant) == "killed"
    (tmp_path / "scenarios" / "drain.toml").rename(tmp_path / "scenarios" / "other.toml")
    path = mutant.scenario.mutant_file
    assert path is not None
    path.write_text(path.read_text().replace('"drain"', '"other"'))
    assert matrix.outcome(load_mutants(tmp_path)[MUTANT]) == "unknown"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not a matrix of ours"),
        ('{"schema": 1, "cells": [{"mutant": 3}]}', "cells.mutant is not text"),
        ('{"schema": 2, "cells": []}', "written by a later sealegs: schema 2"),
    ],
)
def test_a_matrix_that_cannot_be_read_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """It is not begun anew over what may be hours of runs."""
    path = tmp_path / RECORD
    path.write_text(text)

    with pytest.raises(ScenarioError, match=re.escape(words)):
        read_matrix(path)


@pytest.fixture
def seen() -> tuple[list[Mutant], Matrix]:
    """A mutant of each outcome, and one that was not run."""
    mutants = [
        made_mutant("a-killed", may_kill=["budget"]),
        made_mutant("b-survived", kills=["success-fault", "no-truncated-stream"]),
        made_mutant("c-another"),
        made_mutant("d-unknown"),
        made_mutant("e-not-run"),
    ]
    cells = (
        made_cell("a-killed", no_truncated_stream="FAIL", budget="FAIL", success_fault="PASS"),
        made_cell("b-survived", no_truncated_stream="FAIL", success_fault="PASS"),
        made_cell("c-another", no_truncated_stream="FAIL", pdb_honoured="FAIL"),
        made_cell("d-unknown", verdict="INVALID", no_truncated_stream="INVALID"),
    )
    return mutants, Matrix(cells=cells)


def test_the_table_has_what_must_fail_beside_what_did(seen: tuple[list[Mutant], Matrix]) -> None:
    """One row a mutant, a count of each outcome, and why for each that was not killed."""
    lines = list(table(*seen))

    rows = [re.split(r"\s{2,}", line.strip()) for line in lines]
    assert rows[1:6] == [
        ["✓ killed", "a-killed", "drain", "no-truncated-stream", "budget, no-truncated-stream", "0"],
        [
            "✗ survived",
            "b-survived",
            "drain",
            "no-truncated-stream, success-fault",
            "no-truncated-stream",
            "0",
        ],
        [
            "✗ killed by another",
            "c-another",
            "drain",
            "no-truncated-stream",
            "no-truncated-stream, pdb-honoured",
            "0",
        ],
        ["? unknown", "d-unknown", "drain", "no-truncated-stream", "–", "1"],  # noqa: RUF001  as tables have it
        ["? unknown", "e-not-run", "drain", "no-truncated-stream", "not run"],
    ]
    assert lines[7:] == [
        "  5 mutants: 1 killed, 1 survived, 1 killed by another, 2 unknown",
        "  - b-survived: survived: success-fault did not fail, FAIL, run run-of-b-survived; the first reason",
        "  - c-another: killed by another: pdb-honoured",
        "  - d-unknown: unknown: INVALID, run run-of-d-unknown; the first reason",
        "  - e-not-run: unknown, it was not run",
    ]


def test_the_page_tells_each_claim_of_each_mutant(seen: tuple[list[Mutant], Matrix]) -> None:
    """A sign where something must fail, may, or did; claims of note only; and what nothing kills."""
    mutants, matrix = seen
    scenario = load_scenario(GOLDEN / "scenario.toml", name="drain", files_exist=False)
    other = load_scenario(GOLDEN / "scenario.toml", name="never-planted", files_exist=False)

    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in document(mutants, [scenario, other], matrix).splitlines()
        if line.startswith("|")
    ]

    head = rows.index(["mutant", "no-truncated-stream", "pdb-honoured", "success-fault", "budget"])
    assert rows[head + 2 : head + 7] == [
        ["a-killed", "✓", "", "", "·"],
        ["b-survived", "✓", "", "!", ""],
        ["c-another", "✓", "✗", "", ""],
        ["d-unknown", "?", "", "", ""],
        ["e-not-run", "?", "", "", ""],
    ]
    bare = {row[0]: row[2].split(", ") for row in rows if row[0] in {"drain", "never-planted"}}
    assert not {"no-truncated-stream", "success-fault"} & set(bare["drain"])
    assert set(bare["never-planted"]) == set(bare["drain"]) | {"no-truncated-stream", "success-fault"}


def test_the_page_of_nothing_is_a_page(tmp_path: Path) -> None:
    """Before the first mutant every claim is without one."""
    scenario = load_scenario(mutants_house(tmp_path) / "scenarios" / "drain.toml")

    page, claims = document([], [scenario], Matrix()), claims_of(scenario)

    assert "0 mutants: none." in page
    assert f"| drain | {len(claims)} of {len(claims)} | {', '.join(sorted(claims))} |" in page
