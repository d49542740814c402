"""`sealegs capacity`, as it is typed: what it prints, where it begins, and its exit codes."""

import io
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.golden.make_run import make_run

from sealegs import cli
from sealegs import cluster as clusters
from sealegs.cluster import Cluster
from sealegs.commands import capacity as capacity_command
from sealegs.evidence import RUNS, read_json, record_undo, write_json
from sealegs.knee import Step, knee_of
from sealegs.knee_search import Searched

ROOT = Path(__file__).parents[2]
DRAIN = ROOT / "scenarios" / "gpu-node-drain.toml"

Sealegs = Callable[..., tuple[int, dict[str, Any]]]


def step(rate_rps: float, *, good: int = 200, busy: bool = False) -> Step:
    """A step of 200 requests, of which so many were good and the others refused."""
    return Step(
        rate_rps=rate_rps,
        due=200,
        sent_rps=10.0,
        good=good,
        bound_low=0.9,
        bound_high=0.999,
        ttft_s_p95=0.123,
        refused=200 - good,
        tokens_per_s=2000.4,
        missed=() if good > 190 else ("success-baseline",),
        doubts=("the client cannot be trusted: it was late",) if busy else (),
    )


HOLDS, BREAKS, BUSY = step(8), step(9, good=100), step(9, good=100, busy=True)


def copied(root: Path, *edits: tuple[str, str]) -> Path:
    """The scenario in another root, perhaps edited."""
    for name in ("experiments", "locustfiles"):
        (root / name).symlink_to(ROOT / name)
    text = DRAIN.read_text()
    for before, after in edits:
        assert before in text
        text = text.replace(before, after)
    path = root / "scenarios" / "drain.toml"
    path.parent.mkdir()
    path.write_text(text)
    return path


@pytest.fixture
def healed() -> list[Path]:
    """Folders whose killed runs were healed."""
    return []


@pytest.fixture
def sealegs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, healed: list[Path]) -> Iterator[Sealegs]:
    """The command, on a search that takes some steps; returns its exit code and what was searched for."""
    where = Cluster("test", tmp_path / "kubeconfig", "test", "http://127.0.0.1:1", owned=True)
    monkeypatch.setattr(clusters, "connect", lambda _: where)
    # The scenario is the repository's own, and so would be the runs.
    monkeypatch.setattr(capacity_command, "heal_killed", lambda root, **_: healed.append(root))
    before = signal.getsignal(signal.SIGTERM)

    def command(*steps: Step, words: tuple[str | Path, ...] = (DRAIN,)) -> tuple[int, dict[str, Any]]:
        asked: dict[str, Any] = {}

        def search(_scenario: object, _cluster: Cluster, **options: Any) -> Searched:  # noqa: ANN401
            asked.update(options, healed=list(healed))
            options["now"]("under way")
            for one in steps:
                options["tried"](one)
            return Searched(knee=knee_of(steps), steps=steps, path=tmp_path / "found.json")

        monkeypatch.setattr(capacity_command, "search", search)
        with pytest.raises(SystemExit) as ended:
            cli.main.main(["capacity", *map(str, words)], prog_name="sealegs")
        return (ended.value.code if isinstance(ended.value.code, int) else 0), asked

    yield command
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("steps", "code", "told"),
    [
        ((HOLDS, BREAKS), 0, "knee: 8 requests/s, with 10 good requests/s; 9 breaks"),
        ((BREAKS,), 1, "no knee: not even 9 requests/s holds"),
        ((HOLDS, step(16, good=100)), 2, "knee: at least 8 requests/s, with 10 good requests/s; time was up"),
        (
            (HOLDS, BUSY),
            2,
            "knee: at least 8 requests/s, with 10 good requests/s; beyond it, at 9, the client",
        ),
        ((BUSY,), 3, "no knee: the client was too busy to be trusted at 9 requests/s"),
        ((), 2, "no knee: time was up before a rate was tried"),
    ],
    ids=["found", "none", "time", "client", "blind", "nothing"],
)
def test_an_ending_has_its_sentence_and_its_code(
    sealegs: Sealegs, steps: tuple[Step, ...], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only a knee that was found is a pass."""
    assert sealegs(*steps)[0] == code
    assert told in capsys.readouterr().out


def test_the_table_has_each_rate_from_low_to_high(
    sealegs: Sealegs, capsys: pytest.CaptureFixture[str]
) -> None:
    """In whatever order they were tried; what the client said against itself stands below."""
    sealegs(HOLDS, step(4), BUSY)

    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines() if "tokens/s" in line or " 2000" in line]
    assert [row[0] for row in rows] == ["requests/s", "4", "8", "9"]
    assert rows[2][1:] == [
        *("holds", "10", "100", "%", "90", "%", "99.9", "%", "10", "0.12", "s", "0", "2000"),
    ]
    assert "at 9 requests/s the client cannot be trusted: it was late" in out
    assert out.rstrip().endswith("found.json")


def test_a_pipe_gets_lines_and_no_codes(sealegs: Sealegs, capsys: pytest.CaptureFixture[str]) -> None:
    """Each step is a line when it is over; what goes on just now is for terminals."""
    sealegs(HOLDS, BREAKS)

    told = capsys.readouterr().err.splitlines()
    assert told[1:] == [
        "sealegs: 8 requests/s: holds, 200 of 200 good",
        "sealegs: 9 requests/s: breaks (success-baseline), 100 of 200 good",
    ]


class Terminal(io.StringIO):
    """A terminal that shows what is written to it to nobody."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_a_terminal_sees_what_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines stay, what goes on just now is drawn below them and gone at the end."""
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()

    with capacity_command.shown(out) as (now, tell):
        now("3 s left")
        tell("8 requests/s: holds")

    assert "sealegs: 8 requests/s: holds\n" in out.getvalue()
    assert "\x1b[?25h" in out.getvalue()


def test_no_knee_is_searched_over_the_fault_of_a_killed_run(
    sealegs: Sealegs, healed: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed runs are healed first; where one could not be, nothing is sent: that knee would be all runs'."""
    path = copied(tmp_path)
    run_dir = make_run(tmp_path / RUNS, case="killed")
    document = read_json(run_dir / "run.json") or {}
    write_json(run_dir / "run.json", document | {"cluster": {"context": "test"}})
    assert sealegs(HOLDS, BREAKS, words=(path,))[1]["healed"] == [tmp_path]

    record_undo(run_dir, fault="volcano", action="cool", args={})

    assert sealegs(HOLDS, BREAKS, words=(path,)) == (5, {})
    assert healed == [tmp_path, tmp_path]
    told = f"{run_dir} ended, and its fault may still be on: `sealegs heal --root {tmp_path}` first"
    assert told in capsys.readouterr().err


def test_a_search_begins_where_it_is_told(sealegs: Sealegs, tmp_path: Path) -> None:
    """At the scenario's own rate; at the option's; and for a share of a knee that nobody knows, low."""
    assert sealegs(HOLDS, BREAKS)[1]["start_rps"] == 9
    assert sealegs(HOLDS, BREAKS, words=(DRAIN, "--from-rps", "3"))[1]["start_rps"] == 3

    path = copied(tmp_path, ("rate_rps = 9", "knee_share = 0.6"))
    assert sealegs(HOLDS, BREAKS, words=(path,))[1]["start_rps"] == capacity_command.START_RPS


def test_a_stack_that_is_not_there_is_told_before_a_cluster_is_asked(
    sealegs: Sealegs, healed: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As everything else that is wrong with the file: nothing is healed, and nothing sent."""
    path = copied(tmp_path, ('overlay = "kind"', 'overlay = "kindd"'))

    assert sealegs(HOLDS, BREAKS, words=(path,)) == (4, {})

    assert healed == []
    assert "stack/overlays/kindd: no such folder" in capsys.readouterr().err


def test_a_file_and_its_stack_are_refused_together(
    sealegs: Sealegs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who mended one of them would otherwise hear of the other only then."""
    path = copied(tmp_path, ('overlay = "kind"', 'overlay = "kindd"'), ("rate_rps = 9", "rate_rps = -9"))

    assert sealegs(HOLDS, BREAKS, words=(path,)) == (4, {})

    told = capsys.readouterr().err
    assert "stack/overlays/kindd: no such folder" in told
    assert "rate_rps" in told
