"""What `sealegs` leaves for machines, where and when."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.golden.make_run import make_run
from tests.unit.judged import ENDS, document, hostile, reading

from sealegs import cli, doors
from sealegs.errors import ClusterError
from sealegs.outputs import delivery
from sealegs.outputs.delivery import GITHUB, deliver, outputs, without_commands

ROOT = Path(__file__).parents[2]
FILES = {"junit.xml", "summary.md", "metrics.prom", "openslo.yaml", "trace.json"}


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a failed run, which is read only once."""
    monkeypatch.setattr(delivery, "read", lambda _: reading("fail-truncated"))
    return tmp_path / "run"


def test_nothing_is_written_unasked(tmp_path: Path) -> None:
    """Without a folder, and not on GitHub, all is as it was, and nothing is even read."""
    deliver(tmp_path / "no run", None, environment={}, out=(out := io.StringIO()))

    assert out.getvalue() == ""
    assert list(tmp_path.iterdir()) == []


def test_a_folder_gets_all_five(run_dir: Path, tmp_path: Path) -> None:
    """It is made where it is missing, and written over where it is there; GitHub is told nothing."""
    folder = tmp_path / "new" / "folder"
    for _ in range(2):
        deliver(run_dir, folder, environment={}, out=(out := io.StringIO()))

        assert {path.name for path in folder.iterdir()} == FILES
        assert out.getvalue() == f"outputs: {folder}\n"


def test_github_gets_the_summary_appended_and_annotations_in_lines(run_dir: Path, tmp_path: Path) -> None:
    """Other steps' summaries stay; a command counts at the start of a line only."""
    job_summary = tmp_path / "summary"
    job_summary.write_text("before\n")
    deliver(run_dir, None, environment={GITHUB: str(job_summary)}, out=(out := io.StringIO()))

    assert job_summary.read_text().startswith("before\n## ✗ FAIL: gpu-node-drain\n")
    assert len(out.getvalue().splitlines()) == 4
    assert all(line.startswith("::error title=") for line in out.getvalue().splitlines())


@pytest.mark.parametrize("on_github", [True, False])
def test_what_cannot_be_written_is_said_in_a_sentence(
    run_dir: Path, tmp_path: Path, *, on_github: bool
) -> None:
    """A file where the folder must be is no traceback, whose exit code would read as FAIL."""
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "folder"
    environment = {GITHUB: str(folder)} if on_github else {}

    with pytest.raises(ClusterError, match=r"file/folder cannot be written: Not a directory"):
        deliver(run_dir, None if on_github else folder, environment=environment, out=io.StringIO())


def test_on_github_the_table_is_no_command() -> None:
    """What looks like a command stands between a stop and its own token; elsewhere nothing is added."""
    out, quiet = io.StringIO(), io.StringIO()
    with without_commands(environment={GITHUB: "summary.md"}, out=out):
        out.write("  ::error::not one\n")
    with without_commands(environment={}, out=quiet):
        quiet.write("text\n")

    stop, text, go_on = out.getvalue().splitlines()
    assert stop.startswith("::stop-commands::")
    assert text == "  ::error::not one"
    assert go_on == f"::{stop.rpartition('::')[2]}::"
    assert quiet.getvalue() == "text\n"


def test_the_readme_names_every_file() -> None:
    """Its table is what is written, in the same order."""
    text = (ROOT / "README.md").read_text().split("## For machines")[1].split("\n## ")[0]

    assert re.findall(r"^\| `(\S+)` \|", text, re.MULTILINE) == list(outputs(reading("pass")))


@pytest.mark.parametrize("case", ENDS)
def test_every_output_is_text_of_the_evidence_alone(case: str) -> None:
    """The same run gives the same bytes; hostile text leaves no output that cannot be written."""
    evil = replace(reading(case), verdict=hostile(document(case)))

    assert outputs(reading(case)) == outputs(reading(case))
    for name, text in outputs(evil).items():
        assert text.encode(), name
        assert "\x1b" not in text
        assert text.endswith("\n")


def test_the_command_hands_both_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On GitHub `judge --outputs DIR` writes files and a summary after the table; the code is the verdict."""
    run_dir = make_run(tmp_path, case="inconclusive-thin")
    monkeypatch.setenv(GITHUB, str(tmp_path / "summary"))
    monkeypatch.setattr(doors, "render", lambda run_dir: run_dir / "report.html")

    with pytest.raises(SystemExit) as ended:
        cli.main.main(["judge", str(run_dir), "--outputs", str(tmp_path / "out")])

    assert ended.value.code == 2
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert (tmp_path / "summary").read_text().startswith("## ? INCONCLUSIVE")
    assert capsys.readouterr().out.splitlines()[-1].startswith("::error title=gpu-node-drain%3A INCONCLUSIVE")


def test_comparing_ends_well_whatever_it_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 0 for two runs that can be read, also unjudged and killed ones; nothing is written into them."""
    monkeypatch.delenv(GITHUB, raising=False)
    a, b = make_run(tmp_path / "a", case="pass"), make_run(tmp_path / "b", case="killed")
    before = set(tmp_path.rglob("*"))

    with pytest.raises(SystemExit) as ended:
        cli.main.main(["compare", str(a), str(b)])

    assert ended.value.code in {0, None}
    assert "Not comparable: the evidence of B cannot be trusted" in capsys.readouterr().out
    assert set(tmp_path.rglob("*")) == before
