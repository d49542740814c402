"""Processes of ours that run scenarios, and what is done before the first of them."""

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.golden.make_run import make_run
from tests.unit.made_mutants import mutants_house

from sealegs import child_run, cli, evidence

Called = Callable[[], list[str]]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A folder with one scenario and one mutant of it."""
    return mutants_house(tmp_path / "house", "a")


@pytest.fixture
def killed(house: Path) -> Path:
    """A run in that folder whose runner was killed, on a cluster that has gone."""
    run_dir = make_run(house / evidence.RUNS, case="killed")
    run = evidence.read_json(run_dir / "run.json") or {}
    run["cluster"] |= {"kubeconfig": str(house / "gone")}
    evidence.write_json(run_dir / "run.json", run)
    return run_dir


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Called:
    """What our command was started with, in order; in its place stands what only writes that down."""
    log = tmp_path / "called"
    log.touch()
    writes = f"import sys; open({str(log)!r}, 'a').write(' '.join(sys.argv[1:]) + chr(10))"
    monkeypatch.setattr(child_run, "SEALEGS", (sys.executable, "-S", "-c", writes))
    return lambda: log.read_text().splitlines()


@pytest.fixture
def sealegs() -> Iterator[Callable[..., None]]:
    """The command, typed into this process."""
    before = {number: signal.getsignal(number) for number in cli.ENDING}

    def command(*words: str | Path) -> None:
        with pytest.raises(SystemExit):
            cli.main.main([str(word) for word in words], prog_name="sealegs")

    yield command
    for number, what in before.items():
        signal.signal(number, what)


@pytest.mark.usefixtures("killed")
@pytest.mark.parametrize("words", [("nightly", "run"), ("mutants",)], ids=["nightly", "mutants"])
def test_killed_runs_are_healed_once_before_the_first_run(
    sealegs: Callable[..., None], house: Path, called: Called, words: tuple[str, ...]
) -> None:
    """Over a fault of last night none would begin: each would be refused before it had a folder."""
    sealegs(*words, "--root", house)

    first, *others = called()
    assert first == f"heal --root {house}"
    assert others
    assert all(one.startswith("run ") for one in others)


def test_where_nothing_was_killed_nothing_is_healed(
    sealegs: Callable[..., None], house: Path, killed: Path, called: Called
) -> None:
    """A run that has its verdict and no undo open costs no process and no word."""
    (killed / "verdict.json").write_text("judged")

    sealegs("mutants", "--root", house)

    assert [one.split()[0] for one in called()] == ["run"]


@pytest.mark.load
def test_what_was_healed_is_on_the_terminal(
    house: Path, killed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A real child heals: which run, what was undone, and its verdict; the second time there is nothing."""
    said: list[str] = []

    child_run.heal_killed(house, say=said.append)
    child_run.heal_killed(house, say=said.append)

    assert said == ["a run was killed, or left its fault on: healing"]
    out = capfd.readouterr().out
    assert f"{killed}: nothing to undo\n\n! INVALID" in out
    assert out.endswith("sealegs: 1 killed run healed\n")
    assert (killed / "verdict.json").is_file()
