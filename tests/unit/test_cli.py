"""The command line: what is asked of it, and the exit code that it answers with."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.golden.make_run import make_run

from sealegs import cli
from sealegs import cluster as clusters
from sealegs.cluster import up
from sealegs.errors import ClusterError
from sealegs.evidence import RUNS, read_json, record_undo, write_json
from sealegs.judge import judge

ROOT = Path(__file__).parents[2]
GOOD = ROOT / "scenarios" / "gpu-node-drain.toml"
MAKES_ONE = "run `make cluster` (or `sealegs cluster up`)"
EXIT_CODES = """
    0 PASS  1 FAIL  2 INCONCLUSIVE  3 INVALID
    4 a problem in your file or arguments  5 a problem of the environment
"""

Sealegs = Callable[..., int]


@pytest.fixture
def sealegs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sealegs]:
    """The command, in a home where nothing was ever made; returns its exit code."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    before = {number: signal.getsignal(number) for number in cli.ENDING}

    def command(*words: str | Path) -> int:
        with pytest.raises(SystemExit) as ended:
            cli.main.main([str(word) for word in words], prog_name="sealegs")
        return ended.value.code if isinstance(ended.value.code, int) else 0

    yield command
    for number, what in before.items():
        signal.signal(number, what)


@pytest.mark.parametrize(
    ("case", "ends"),
    [
        ("pass", (0, "✓ PASS")),
        ("fail-truncated", (1, "✗ FAIL")),
        ("inconclusive-thin", (2, "? INCONCLUSIVE")),
        ("invalid-baseline", (3, "! INVALID")),
    ],
)
def test_the_exit_code_is_the_verdict(
    sealegs: Sealegs, tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str, ends: tuple[int, str]
) -> None:
    """Judging a run anew prints its verdict, draws its page, and ends with the verdict's code."""
    code, sign = ends
    run_dir = make_run(tmp_path, case=case)

    assert sealegs("judge", run_dir) == code
    said = capsys.readouterr()
    assert said.out.splitlines()[1].startswith(sign)
    assert said.err == ""
    assert (run_dir / "report.html").is_file()


@pytest.mark.parametrize("words", [("judge",), ("compare",)], ids=["judge", "compare"])
def test_a_folder_that_is_no_run_is_your_input(
    sealegs: Sealegs, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """Exit 4, and the file that is not there."""
    folders = [tmp_path] * (2 if words == ("compare",) else 1)

    assert sealegs(*words, *folders) == 4
    assert f"sealegs: {tmp_path / 'run.json'}:1: absent" in capsys.readouterr().err


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A scenario with four things wrong with it, at known places."""
    text = GOOD.read_text().replace("rate_rps = 9", "rate_rps = -9").replace("seed =", "sead =")
    for name in ("locustfiles", "experiments"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "scenarios").mkdir()
    path = tmp_path / "scenarios" / "bad.toml"
    path.write_text(text.replace('kind = "poisson"', 'kind = "bursty"'))
    return path


@pytest.mark.parametrize("command", ["run", "check"])
def test_everything_wrong_with_a_scenario_is_listed(
    sealegs: Sealegs, bad: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Exit 4 and a line for each problem with its place, before a cluster is looked for."""
    lines = bad.read_text().splitlines()
    at = {word: next(n for n, line in enumerate(lines, 1) if line.startswith(word)) for word in
          ("sead", "arrivals", "rate_rps")}  # fmt: skip

    assert sealegs(command, bad) == 4
    said = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in said] == [
        f"{bad}:{line}" for line in (1, at["sead"], at["arrivals"], at["rate_rps"])
    ]
    assert "missing 'seed'" in said[0]
    assert "unknown key 'sead'" in said[1]


def test_several_scenarios_are_checked_together(
    sealegs: Sealegs, bad: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each good one is said to be fine, the problems of all others follow, and one is enough for exit 4."""
    other = bad.with_name("worse.toml")
    other.write_text("title = 1")

    assert sealegs("check", GOOD) == 0
    assert sealegs("check", bad, GOOD, other) == 4
    said = capsys.readouterr()
    counted = r"[\d,]+ requests in \d min \d\d s; \d+ more cannot fit and are left out"
    fine = rf"{re.escape(str(GOOD))}: fine, {counted}\n"
    assert re.fullmatch(rf"({fine})\1", said.out)
    assert {line.split(": ")[1].split(":")[0] for line in said.err.splitlines()} == {str(bad), str(other)}


def test_a_stack_is_checked_beside_a_scenario_that_is_wrong(
    sealegs: Sealegs, bad: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both files are mended in one go; where only the stack's is wrong its problems are told once."""
    stack = bad.parents[1] / "stack" / "mine" / "stack.toml"
    stack.parent.mkdir(parents=True)
    stack.write_text('namespace = "N"\n')
    bad.write_text(bad.read_text().replace('overlay = "kind"', 'name = "mine"'))
    other = bad.with_name("other.toml")
    other.write_text(GOOD.read_text().replace('overlay = "kind"', 'name = "mine"'))

    assert sealegs("check", bad) == 4
    told = capsys.readouterr().err
    assert "unknown key 'sead'" in told
    assert f"{stack}:1: 'namespace' must be a name" in told
    assert sealegs("check", other) == 4
    assert capsys.readouterr().err.count("'namespace' must be a name") == 1


@pytest.mark.parametrize("words", [("run", GOOD), ("cluster", "status")], ids=["run", "status"])
def test_without_a_cluster_the_command_that_makes_one_is_named(
    sealegs: Sealegs, capsys: pytest.CaptureFixture[str], words: tuple[str | Path, ...]
) -> None:
    """Exit 5: nothing is wrong with the input."""
    assert sealegs(*words) == 5
    assert capsys.readouterr().err == f"sealegs: no cluster here: {MAKES_ONE}\n"


def test_a_context_without_a_kubeconfig_says_where_it_looked(
    sealegs: Sealegs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 5 with the path, and what to set."""
    assert sealegs("run", "--context", "prod", GOOD) == 5
    assert f"no kubeconfig at {tmp_path / '.kube' / 'config'}; set KUBECONFIG" in capsys.readouterr().err


@pytest.mark.parametrize("words", [(), ("run",), ("judge",), ("check",), ("heal",), ("cluster", "up")])
def test_help_shows_the_exit_codes(
    sealegs: Sealegs, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """Whoever writes a pipeline finds them under every command that has them, line by line."""
    assert sealegs(*words, "--help") == 0
    assert EXIT_CODES in capsys.readouterr().out


@pytest.mark.parametrize("words", [("run", "--fast", GOOD), ("run",), ("rum",), ("cluster", "--up")])
def test_a_wrong_command_line_is_your_input(
    sealegs: Sealegs, capsys: pytest.CaptureFixture[str], words: tuple[str | Path, ...]
) -> None:
    """Exit 4, not click's own 2, which is INCONCLUSIVE."""
    assert sealegs(*words) == 4
    assert "--help" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (ClusterError("the cluster is on fire"), 5, "sealegs: the cluster is on fire"),
        (TimeoutError("waited 5 s for water"), 5, "sealegs: waited 5 s for water"),
        (KeyboardInterrupt(), 130, "sealegs: interrupted"),
    ],
)
def test_errors_are_sentences(  # noqa: PLR0917  fixtures and cases
    sealegs: Sealegs,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    raised: BaseException,
    code: int,
    said: str,
) -> None:
    """What people can mend ends without a traceback, and an interrupt as a shell expects it."""

    def fail() -> None:
        raise raised

    monkeypatch.setattr(up, "status", fail)

    assert sealegs("cluster", "status") == code
    assert capsys.readouterr().err.strip() == said


def test_a_run_that_leaves_its_fault_on_says_what_undoes_it(
    sealegs: Sealegs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In its last line, after the verdict; runs of others are not this one's to tell."""
    ours, other = (make_run(tmp_path / RUNS, case="invalid-baseline", seed=seed) for seed in (8, 9))
    for run_dir, pid in ((ours, os.getpid()), (other, 1)):
        document = read_json(run_dir / "run.json") or {}
        write_json(run_dir / "run.json", document | {"pid": pid})
        record_undo(run_dir, fault="node_drain", action="uncordon", args={})
    monkeypatch.setattr(clusters, "connect", lambda _: None)
    monkeypatch.setattr(cli, "root_of", lambda _: tmp_path)
    monkeypatch.setattr(cli, "execute", lambda *_, **__: judge(ours))

    assert sealegs("run", GOOD) == 3
    told = f"sealegs: {ours}: its fault may still be on: `sealegs heal --root {tmp_path}`\n"
    assert capsys.readouterr().err == told


def test_healing_nothing_says_so(
    sealegs: Sealegs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 0: there is no killed run."""
    assert sealegs("heal", "--root", tmp_path) == 0
    assert capsys.readouterr().out == f"sealegs: no killed run in {tmp_path / RUNS}, nothing to heal\n"


def test_healing_tells_each_run(sealegs: Sealegs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was undone, the verdict, and for a folder that holds too little what it lacks."""
    killed = make_run(tmp_path / RUNS, case="killed")
    torn = make_run(tmp_path / RUNS, case="killed", seed=9)
    (torn / "scenario.toml").unlink()
    for run_dir in (killed, torn):
        text = (run_dir / "run.json").read_text()
        (run_dir / "run.json").write_text(
            text.replace('"context"', f'"kubeconfig": "{tmp_path}/gone",\n  "context"')
        )

    assert sealegs("heal", "--root", tmp_path) == 0
    said = capsys.readouterr()
    assert f"{killed}: nothing to undo\n\n! INVALID" in said.out
    assert said.out.endswith("sealegs: 2 killed runs healed\n")
    assert f"it cannot be judged, delete it when you have looked: {torn}/scenario.toml" in said.err


def test_healing_says_what_it_could_not_undo(
    sealegs: Sealegs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 5, why, and what to do; the run is judged all the same."""
    run_dir = make_run(tmp_path / RUNS, case="killed")
    record_undo(run_dir, fault="volcano", action="cool", args={})
    text = (run_dir / "run.json").read_text()
    (run_dir / "run.json").write_text(
        text.replace('"context"', f'"kubeconfig": "{tmp_path}/gone",\n  "context"')
    )

    assert sealegs("heal", "--root", tmp_path) == 5
    said = capsys.readouterr()
    assert f"{run_dir}: not undone: context" in said.err
    assert "! INVALID" in said.out
    assert said.out.endswith("sealegs: 0 killed runs healed\n")
    assert "`sealegs heal` again when it can" in said.err


def test_a_rate_that_no_process_can_send_is_refused(
    tmp_path: Path, sealegs: Sealegs, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before a cluster is looked for, with the rate that fits and the processes that it would take."""
    path = tmp_path / "scenarios" / "fast.toml"
    path.parent.mkdir()
    (tmp_path / "locustfiles").symlink_to(ROOT / "locustfiles")
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    path.write_text(GOOD.read_text().replace("rate_rps = 9", "rate_rps = 900"))

    assert sealegs("run", path) == 4
    assert re.search(
        r"rate_rps = 900 is more than 1 process can send .* fits, or processes = \d", capsys.readouterr().err
    )
