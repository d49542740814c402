"""`sealegs nightly`, as it is typed, and what starts it by itself."""

import re
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.made_nights import TONIGHT, make_nights

from sealegs import cli
from sealegs.nightly.history import NIGHTS, dates, read_history
from sealegs.nightly.night import Night

ROOT = Path(__file__).parents[2]
CRONJOB = ROOT / "deploy" / "nightly" / "cronjob.yaml"
WORKFLOW = ROOT / ".github" / "workflows" / "nightly.yml"

Sealegs = Callable[..., int]


@pytest.fixture
def sealegs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sealegs]:
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


@pytest.mark.load
def test_a_night_without_a_cluster_is_invalid_and_has_its_page(
    sealegs: Sealegs, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A real child process runs the scenario, says what it lacks, and that is what the record keeps."""
    for folder in ("scenarios", "experiments", "locustfiles"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("negative"))
    for extra in sorted((tmp_path / "scenarios").glob("*.toml"))[1:]:
        extra.unlink()

    code = sealegs("nightly", "run", "--root", tmp_path)

    (night,) = read_history(tmp_path, until=max(dates(tmp_path))).recorded
    told = capfd.readouterr()
    assert code == 3
    assert night.word == "INVALID"
    assert "no cluster here: run `make cluster`" in str(night.runs[0].error)
    assert "1 of 1 scenario" in told.err
    assert (tmp_path / NIGHTS / night.night / "index.html").is_file()
    assert f"{night.night}/index.html" in told.out


def test_a_page_is_drawn_of_what_there_is(
    sealegs: Sealegs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The newest night, or the one that is named; ages count to a moment that is told."""
    make_nights(tmp_path, count=3)

    assert sealegs("nightly", "page", "--root", tmp_path, "--now", "2026-11-28T00:00:00Z") == 0
    assert "2026-11-26/index.html" in capsys.readouterr().out
    assert "no VALID night for 43 h" in (tmp_path / NIGHTS / "2026-11-26" / "index.html").read_text()
    assert sealegs("nightly", "page", "--root", tmp_path, "--night", "2026-11-25") == 0
    assert isinstance(read_history(tmp_path, until=TONIGHT).tonight, Night)


@pytest.mark.parametrize(
    "words", [("--night", "2026-11-25"), (), ("--night", "yesterday"), ("--now", "later")]
)
def test_a_page_of_nothing_is_refused(
    sealegs: Sealegs, tmp_path: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """No night, no date: your input, in a sentence."""
    assert sealegs("nightly", "page", "--root", tmp_path, *words) == 4
    assert "Traceback" not in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_the_environments(
    sealegs: Sealegs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the page should be there is a folder: a sentence, and exit code 5."""
    make_nights(tmp_path, count=1)
    (tmp_path / NIGHTS / "2026-11-26" / "index.html").mkdir()

    assert sealegs("nightly", "page", "--root", tmp_path) == 5
    assert "index.html cannot be written" in capsys.readouterr().err


@pytest.fixture(scope="module")
def objects() -> dict[tuple[str, str, str], Mapping[str, Any]]:
    """(kind, namespace, name) → what the CronJob's file holds."""
    items = yaml.safe_load_all(CRONJOB.read_text())
    return {
        (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): one for one in items
    }


def test_every_right_is_bound_to_the_jobs_account(
    objects: dict[tuple[str, str, str], Mapping[str, Any]],
) -> None:
    """Each role is bound, and to the account that the job runs as; none grants every verb."""
    job = objects["CronJob", "sealegs-nightly", "nightly"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    roles = {key for key in objects if key[0] in {"Role", "ClusterRole"}}
    bindings = {key: one for key, one in objects.items() if key[0].endswith("Binding")}

    assert {
        (one["roleRef"]["kind"], key[1], one["roleRef"]["name"]) for key, one in bindings.items()
    } == roles
    for one in bindings.values():
        (subject,) = one["subjects"]
        assert (subject["name"], subject["namespace"]) == (job["serviceAccountName"], "sealegs-nightly")
    for key in roles:
        assert all("*" not in rule["verbs"] for rule in objects[key]["rules"])


def test_the_job_runs_the_command_once(objects: dict[tuple[str, str, str], Mapping[str, Any]]) -> None:
    """No second night beside it, no retry that would hide a verdict, a context that its kubeconfig has."""
    spec = objects["CronJob", "sealegs-nightly", "nightly"]["spec"]
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    words = pod["containers"][0]["command"]
    kubeconfig = yaml.safe_load(objects["ConfigMap", "sealegs-nightly", "kubeconfig"]["data"]["config"])

    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["jobTemplate"]["spec"]["backoffLimit"] == 0
    assert pod["restartPolicy"] == "Never"
    assert words[1:3] == ["nightly", "run"]
    assert words[words.index("--context") + 1] in {one["name"] for one in kubeconfig["contexts"]}


def test_the_workflow_makes_the_target() -> None:
    """What GitHub runs is the Makefile's target, and the history is kept also after a red night."""
    workflow = yaml.safe_load(WORKFLOW.read_text())
    steps = workflow["jobs"]["night"]["steps"]

    assert [step["run"] for step in steps if "run" in step] == ["make nightly"]
    assert re.search(r"^nightly:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for step in steps:
        if step.get("uses", "").startswith(("actions/cache/save", "actions/upload-artifact")):
            assert step["if"] == "${{ !cancelled() }}"
