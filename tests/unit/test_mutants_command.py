"""`sealegs mutants`, and `sealegs run --mutant`, as they are typed."""

import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.golden.make_run import make_run
from tests.unit.made_mutants import GOLDEN, MUTANT, made_cell, mutants_house

from sealegs import cli, evidence
from sealegs.child_run import Ended, Start
from sealegs.kill_matrix import COMMITTED, PAGE, Matrix, document, read_matrix
from sealegs.kill_matrix.cells import MATRICES, RECORD, records, write_matrix
from sealegs.mutant import FILE, MUTANTS, load_mutants
from sealegs.scenario import load_scenario

ROOT = Path(__file__).parents[2]

Sealegs = Callable[..., int]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Three mutants of one scenario."""
    return mutants_house(tmp_path / "house", "a", "b", "c")


@pytest.fixture
def started() -> list[str]:
    """The mutants that were run, in their order."""
    return []


@pytest.fixture
def cases() -> dict[str, str]:
    """Mutant → the golden case that its run comes to, instead of ``fail-truncated``."""
    return {}


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sealegs]:
    """The command, in a home where nothing was ever made; returns its exit code."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    before = signal.getsignal(signal.SIGTERM)

    def command(*words: str | Path) -> int:
        with pytest.raises(SystemExit) as ended:
            cli.main.main([str(word) for word in words], prog_name="sealegs")
        return ended.value.code if isinstance(ended.value.code, int) else 0

    yield command
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def sealegs(
    typed: Sealegs, monkeypatch: pytest.MonkeyPatch, started: list[str], cases: dict[str, str]
) -> Sealegs:
    """The command, whose runs are golden ones."""

    def in_a_process(root: Path, **_: object) -> Start:
        def start(_: Path, mutant: str | None) -> Ended:
            started.append(mutant or "")
            case = cases.get(mutant or "", "fail-truncated")
            run_dir = make_run(root / "reports" / "runs" / str(len(started)), case=case)
            shutil.copy(GOLDEN / f"{case}.verdict.json", run_dir / "verdict.json")
            return Ended(run_dir=run_dir, said="done")

        return start

    monkeypatch.setattr("sealegs.commands.mutants.in_a_process", in_a_process)
    return typed


@pytest.mark.parametrize(
    ("case", "code"),
    [("fail-truncated", 0), ("pass", 1), ("invalid-not-landed", 3), ("inconclusive-thin", 1)],
)
def test_only_a_mutant_that_was_killed_ends_well(
    sealegs: Sealegs, house: Path, cases: dict[str, str], *, case: str, code: int
) -> None:
    """0 when every one was killed as named, 1 when one survived, 3 when of one nothing is known.

    In the thin run some objective was not decided, but the claim that is named passed.
    """
    cases["b"] = case

    assert sealegs("mutants", "--root", house) == code


def test_what_is_named_is_run_and_shown(
    sealegs: Sealegs, house: Path, started: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """In the order in which it was named, each once; lines without escape codes, at the end the matrix."""
    assert sealegs("mutants", "--root", house, "c", "a", "c") == 0

    told = capsys.readouterr()
    assert started == ["c", "a"]
    assert "\N{ESCAPE}" not in told.err + told.out
    assert "sealegs: 1 of 2 mutants: c under drain\n" in told.err
    assert re.findall(r"✓ killed +(\w) ", told.out) == ["a", "c"]
    assert "2 mutants: 2 killed" in told.out
    (record,) = records(house)
    assert told.out.endswith(f"matrix: {record}\n")


@pytest.mark.parametrize(
    ("words", "problems"),
    [
        (("d", "a", "e"), ["stack/mutants/d: no such mutant; there are a, b, c", "stack/mutants/e: no such"]),
        (("--scenario", "brain"), ["no mutant of scenario brain to run; there are a, b, c"]),
        (("--rot",), ["No such option"]),
    ],
)
def test_what_is_not_there_is_your_input(
    sealegs: Sealegs,
    house: Path,
    started: list[str],
    capsys: pytest.CaptureFixture[str],
    *,
    words: tuple[str, ...],
    problems: list[str],
) -> None:
    """Exit 4, every unknown name with the known ones, and nothing is run."""
    assert sealegs("mutants", "--root", house, *words) == 4

    said = capsys.readouterr().err
    assert all(problem in said for problem in problems)
    assert started == []


def test_what_is_wrong_with_others_is_nothing_to_the_one_that_is_named(
    sealegs: Sealegs, house: Path, started: list[str]
) -> None:
    """It is run; all of them together are refused before one is."""
    (house / MUTANTS / "b" / FILE).write_text("title = 1")

    assert sealegs("mutants", "--root", house, "a") == 0
    assert sealegs("mutants", "--root", house) == 4
    assert started == ["a"]


def test_a_folder_without_mutants_is_your_input(sealegs: Sealegs, tmp_path: Path) -> None:
    """No mutant is not a matrix in which all were killed."""
    assert sealegs("mutants", "--root", tmp_path) == 4


def test_again_runs_what_was_not_killed(
    sealegs: Sealegs, house: Path, started: list[str], cases: dict[str, str]
) -> None:
    """What was never run, and what was not killed when it was last run; the exit code is of all of them.

    Without it everything is run, whatever is known.
    """
    older, newest = (house / MATRICES / day / RECORD for day in ("2026-11-01", "2026-11-02"))
    killed, early = (
        made_cell(name, no_truncated_stream="FAIL", started_at="2026-11-01T02:00:00Z") for name in "ab"
    )
    write_matrix(older, Matrix(cells=(killed, early)))
    later = made_cell(
        "b", verdict="INVALID", no_truncated_stream="INVALID", started_at="2026-11-02T02:00:00Z"
    )
    write_matrix(newest, Matrix(cells=(later,)))
    cases["b"] = "pass"

    assert sealegs("mutants", "--root", house, "--again") == 1
    assert started == ["b", "c"]
    cases.clear()
    assert sealegs("mutants", "--root", house, "--again") == 0
    assert sealegs("mutants", "--root", house, "--again") == 0
    assert started == ["b", "c", "b"]
    assert sealegs("mutants", "--root", house) == 0
    assert started[3:] == ["a", "b", "c"]


def test_a_run_counts_whoever_started_it(sealegs: Sealegs, house: Path, started: list[str]) -> None:
    """One that `sealegs run --mutant` made is known as those of the matrix; one of another scenario not."""
    for name, scenario in (("a", "drain"), ("b", "other")):
        run_dir = make_run(house / "reports" / "runs" / "one", case="fail-truncated", seed=ord(name))
        shutil.copy(GOLDEN / "fail-truncated.verdict.json", run_dir / "verdict.json")
        shutil.copy(house / MUTANTS / name / FILE, run_dir / FILE)
        document = evidence.read_json(run_dir / "run.json") or {}
        evidence.write_json(run_dir / "run.json", document | {"scenario": scenario, "mutant": name})
        run_dir.rename(house / "reports" / "runs" / f"run-of-{name}")

    sealegs("mutants", "--root", house, "--again")

    assert started == ["b", "c"]


def test_the_page_is_written_from_the_last_run_of_each(
    sealegs: Sealegs, house: Path, started: list[str]
) -> None:
    """What is committed and what was run here since, without mutants that are gone; nothing is run."""
    page, committed = house / PAGE, house / COMMITTED
    known = made_cell("a", no_truncated_stream="PASS")
    gone = made_cell("gone", no_truncated_stream="FAIL")
    write_matrix(committed, Matrix(cells=(known, gone)))
    assert sealegs("mutants", "--root", house, "--document") == 0
    assert read_matrix(committed).cells == (known,)
    assert "3 mutants: 1 survived, 2 unknown." in page.read_text()

    later = made_cell("a", no_truncated_stream="FAIL", started_at="2026-11-27T02:00:00Z")
    write_matrix(house / MATRICES / "2026-11-27" / RECORD, Matrix(cells=(later,)))
    assert sealegs("mutants", "--root", house, "--document") == 0
    assert read_matrix(committed).cells == (later,)
    assert "3 mutants: 1 killed, 2 unknown." in page.read_text()
    assert started == []


def test_a_page_that_cannot_be_written_is_the_environments(sealegs: Sealegs, house: Path) -> None:
    """Where the page should be there is a folder: exit 5."""
    (house / PAGE).mkdir(parents=True)

    assert sealegs("mutants", "--root", house, "--document") == 5


def test_our_page_is_what_its_sources_say() -> None:
    """It is not written by hand, and written anew when a mutant, a scenario or the matrix changes."""
    mutants = list(load_mutants(ROOT).values())
    scenarios = [load_scenario(path) for path in sorted((ROOT / "scenarios").glob("*.toml"))]

    page = document(mutants, scenarios, read_matrix(ROOT / COMMITTED))
    assert (ROOT / PAGE).read_text() == page, "run `sealegs mutants --document`"


def test_a_run_with_a_mutant_that_is_not_there_is_refused(
    sealegs: Sealegs, house: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 4 before a cluster is looked for; one that is there needs a cluster."""
    scenario = house / "scenarios" / "drain.toml"

    assert sealegs("run", scenario, "--mutant", MUTANT) == 4
    assert f"{MUTANT}/mutant.toml:1: no such mutant; there are a, b, c" in capsys.readouterr().err
    assert sealegs("run", scenario, "--mutant", "a") == 5
    assert "no cluster here" in capsys.readouterr().err


def test_a_defect_is_not_planted_in_a_cluster_of_yours(
    sealegs: Sealegs, house: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 4, whatever the cluster is."""
    assert sealegs("run", house / "scenarios" / "drain.toml", "--mutant", "a", "--context", "prod") == 4
    assert "in the cluster made here only" in capsys.readouterr().err


@pytest.mark.load
def test_a_matrix_without_a_cluster_knows_nothing(
    typed: Sealegs, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A real child process runs each mutant, says what it lacks, and that is what the matrix keeps."""
    root = mutants_house(tmp_path / "house")
    for folder in ("locustfiles", "experiments"):
        shutil.rmtree(root / folder)
        shutil.copytree(ROOT / folder, root / folder)

    code = typed("mutants", "--root", root)

    (record,) = records(root)
    assert code == 3
    assert "no cluster here: run `make cluster`" in str(read_matrix(record).cells[0].error)
    assert "1 mutant: 1 unknown" in capfd.readouterr().out
