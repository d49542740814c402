"""A night is played: order, crashes, second tries, and the word that comes of it."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.golden.make_run import make_run
from tests.unit.made_nights import TONIGHT

from sealegs.child_run import Ended
from sealegs.errors import ScenarioError
from sealegs.mutant import FILE, MUTANTS
from sealegs.nightly.history import read_night, record_of
from sealegs.nightly.night import Night
from sealegs.nightly.page import render
from sealegs.nightly.play import play

GOLDEN = Path(__file__).parents[1] / "golden"
STARTED = datetime(2026, 11, 26, 2, tzinfo=UTC)
ENDED = datetime(2026, 11, 26, 3, 30, tzinfo=UTC)


@dataclass
class Suite:
    """A folder of scenarios, and what their runs come to: a case each, None for a run that crashes."""

    root: Path
    cases: dict[str, list[str | None]] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def add(self, name: str, *cases: str | None, expect: str = "") -> None:
        """A scenario; with `expect`, a negative control that must end so, for the reason ``because``."""
        folder = self.root / "scenarios" / ("negative" if expect else "")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(GOLDEN / "scenario.toml", folder / f"{name}.toml")
        if expect:
            word, _, reason = expect.partition(": ")
            with (folder / f"{name}.toml").open("a") as file:
                file.write(f'\n[expect]\nverdict = "{word}"\nreason = "{reason}"\n')
        self.cases[name] = list(cases)

    def plant(self, name: str, *cases: str | None, under: str, kills: str) -> None:
        """A mutant that the claims `kills`, TOML, of a scenario must see."""
        folder = self.root / MUTANTS / name
        folder.mkdir(parents=True)
        text = f'title = "t"\ndefect = "d"\nscenario = "{under}"\nkills = {kills}\n'
        (folder / FILE).write_text(text)
        self.cases[name] = list(cases)

    def start(self, path: Path, mutant: str | None) -> Ended:
        """One run of a scenario ends, as `sealegs run` would leave it."""
        self.started.append(mutant or path.stem)
        case = self.cases[mutant or path.stem].pop(0)
        if case is None:
            return Ended(run_dir=None, said="Segmentation fault")
        run_dir = make_run(self.root / "reports" / "runs" / str(len(self.started)), case=case)
        shutil.copy(GOLDEN / f"{case}.verdict.json", run_dir / "verdict.json")
        return Ended(run_dir=run_dir, said="done")

    def play(self, *, with_mutants: bool = True) -> Night:
        """The night."""
        return play(
            self.root,
            started=STARTED,
            start=self.start,
            now=lambda: ENDED,
            say=self.told.append,
            with_mutants=with_mutants,
        )


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    """No scenario yet."""
    experiment = tmp_path / "experiments" / "gpu-node-drain.json"
    experiment.parent.mkdir()
    experiment.write_text('{"method": [{}]}')
    locustfile = tmp_path / "locustfiles" / "chat.py"
    locustfile.parent.mkdir()
    locustfile.write_text("")
    return Suite(tmp_path)


def words(night: Night) -> Sequence[tuple[str, int, str]]:
    """Each run of a night: scenario, try, verdict."""
    return [(run.scenario, run.attempt, run.verdict) for run in night.runs]


def test_every_scenario_is_run_once_and_controls_come_last(suite: Suite) -> None:
    """In the order of their names; the record on disk is the night."""
    suite.add("a-control", "fail-truncated", expect="FAIL: no-truncated-stream")
    suite.add("zebra", "pass")
    suite.add("apple", "fail-truncated")

    night = suite.play()

    assert suite.started == ["apple", "zebra", "a-control"]
    assert words(night) == [("apple", 1, "FAIL"), ("zebra", 1, "PASS"), ("a-control", 1, "FAIL")]
    assert read_night(record_of(suite.root, TONIGHT)) == night
    assert (night.started_at, night.ended_at) == ("2026-11-26T02:00:00Z", "2026-11-26T03:30:00Z")
    assert any("2 of 3 scenarios, zebra" in told for told in suite.told)


def test_a_crash_does_not_stop_the_night(suite: Suite) -> None:
    """The run that came to nothing is INVALID and says its last words; those after it are run."""
    suite.add("a", None)
    suite.add("b", "pass")

    night = suite.play()

    assert words(night) == [("a", 1, "INVALID"), ("b", 1, "PASS")]
    assert night.runs[0].error == "Segmentation fault"
    assert night.word == "INVALID"


def test_a_file_that_cannot_be_used_does_not_stop_the_night(suite: Suite) -> None:
    """Its problem stands in the record; nothing is started for it, nor tried twice."""
    suite.add("a", "pass")
    (suite.root / "scenarios" / "a.toml").write_text("claim = 3\n")
    suite.add("b", "pass")

    night = suite.play()

    assert suite.started == ["b"]
    assert "a.toml:1" in (night.runs[0].error or "")


def test_an_invalid_run_is_made_once_more_and_both_are_kept(suite: Suite) -> None:
    """The second try counts; the first stays in the record and on the page, and the cell says so."""
    suite.add("a", "invalid-baseline", "pass")

    night = suite.play()
    page = " ".join(render(suite.root).read_text().split())

    assert words(night) == [("a", 1, "INVALID"), ("a", 2, "PASS")]
    assert night.word == "PASS"
    assert "2nd try" in page
    assert f"1st try, INVALID: {night.runs[0].reasons[0]}" in page


def test_it_is_made_once_more_and_not_again(suite: Suite) -> None:
    """Two tries at most, and one after a FAIL or an INCONCLUSIVE: nobody looks for a better verdict."""
    suite.add("a", "invalid-baseline", "invalid-not-landed", "pass")
    suite.add("b", "fail-truncated", "pass")
    suite.add("c", "inconclusive-thin", "pass")

    assert words(suite.play()) == [
        ("a", 1, "INVALID"),
        ("a", 2, "INVALID"),
        ("b", 1, "FAIL"),
        ("c", 1, "INCONCLUSIVE"),
    ]


@pytest.mark.parametrize(
    ("expect", "cases", "counts_as", "word"),
    [
        ("FAIL: no-truncated-stream", ["fail-truncated"], "PASS", "PASS"),
        ("INVALID: fault did not land", ["invalid-not-landed"], "PASS", "PASS"),
        ("FAIL: no-truncated-stream", ["pass"], "FAIL", "FAIL"),
        ("FAIL: some other reason", ["fail-truncated"], "FAIL", "FAIL"),
        ("INVALID: fault did not land", ["inconclusive-thin"], "FAIL", "FAIL"),
        ("INVALID: fault did not land", ["invalid-baseline", "invalid-baseline"], "INVALID", "INVALID"),
        ("FAIL: no-truncated-stream", ["invalid-baseline", "fail-truncated"], "PASS", "PASS"),
        ("FAIL: no-truncated-stream", [None], "INVALID", "INVALID"),
    ],
)
def test_a_control_that_is_not_caught_fails_the_night(
    suite: Suite, expect: str, cases: list[str | None], counts_as: str, word: str
) -> None:
    """Caught for its reason it counts as PASS; not caught it is a FAIL; untrusted it was not tested."""
    suite.add("good", "pass")
    suite.add("control", *cases, expect=expect)

    night = suite.play()

    assert night.counted["control"].counts_as == counts_as
    assert night.word == word


@pytest.mark.parametrize(
    ("kills", "cases", "counts_as"),
    [
        ('["no-truncated-stream"]', ["fail-truncated"], "PASS"),
        ('["no-truncated-stream", "pdb-honoured"]', ["fail-truncated"], "FAIL"),
        ('["pdb-honoured"]', ["fail-truncated"], "FAIL"),
        ('["no-truncated-stream"]', ["pass"], "FAIL"),
        ('["success-fault"]', ["invalid-not-landed", "invalid-not-landed"], "INVALID"),
        ('["no-truncated-stream"]', [None], "INVALID"),
    ],
)
def test_a_mutant_is_caught_by_exactly_the_claims_that_it_names(
    suite: Suite, kills: str, cases: list[str | None], counts_as: str
) -> None:
    """It is run last, under its scenario; one that let it pass, or another that failed, fails the night."""
    suite.add("good", "pass")
    suite.plant("defect", *cases, under="good", kills=kills)

    night = suite.play()

    assert suite.started[0] == "good"
    assert set(suite.started[1:]) == {"defect"}
    assert night.counted["defect"].is_control
    assert (night.counted["defect"].expected, night.counted["defect"].counts_as) == ("FAIL", counts_as)


def test_a_night_can_be_without_mutants(suite: Suite) -> None:
    """On a cluster that is not ours nobody plants a defect."""
    suite.add("good", "pass")
    suite.plant("defect", under="good", kills='["no-truncated-stream"]')

    assert words(suite.play(with_mutants=False)) == [("good", 1, "PASS")]


def test_a_mutants_file_that_cannot_be_used_does_not_stop_the_night(suite: Suite) -> None:
    """Its problem stands in the record, as a control that was not tested."""
    suite.add("good", "pass")
    suite.plant("defect", under="good", kills='["no-such-claim"]')

    run = suite.play().counted["defect"]

    assert "does not claim 'no-such-claim'" in (run.error or "")
    assert (run.expected, run.counts_as) == ("FAIL", "INVALID")


def test_the_reason_may_stand_behind_the_ones_that_are_kept(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reasons are cut for the record, but whether a control was caught is read from all of them."""
    monkeypatch.setattr("sealegs.nightly.digest.REASONS_MAX", 0)
    suite.add("control", "invalid-not-landed", expect="INVALID: fault did not land")

    run = suite.play().runs[0]

    assert run.reasons == ()
    assert run.as_expected


def test_what_was_run_is_on_disk_when_the_night_is_killed(suite: Suite) -> None:
    """The record grows run by run and is never seen to have ended; its page says so."""
    suite.add("a", "pass")
    suite.add("b")

    with pytest.raises(IndexError):  # as a kill would: in the middle of the second run
        suite.play()

    night = read_night(record_of(suite.root, TONIGHT))
    assert isinstance(night, Night)
    assert words(night) == [("a", 1, "PASS")]
    assert night.ended_at is None
    assert "not seen to end" in render(suite.root).read_text()


def test_a_night_on_record_is_never_overwritten(suite: Suite) -> None:
    """A second night of the same date is refused before anything is run."""
    suite.add("a", "pass", "fail-truncated")
    suite.play()

    with pytest.raises(ScenarioError, match="there is a night of this date"):
        suite.play()
    assert suite.started == ["a"]


def test_a_folder_without_scenarios_is_refused(suite: Suite) -> None:
    """A night that would test nothing is a mistake of whoever asked for it."""
    with pytest.raises(ScenarioError, match="no scenario here"):
        suite.play()


def test_a_digest_has_the_numbers_of_the_verdict(suite: Suite) -> None:
    """Objectives, canaries, counts and states are those of the run."""
    suite.add("a", "pass")

    run = suite.play().runs[0]

    assert run.commit == "0123456789abcdef0123456789abcdef01234567"
    assert run.images == {"llm-api": "sha256:2222", "llm-inference": "sha256:1111"}
    assert run.checks == run.checks_ok > 20
    assert {one.name for one in run.objectives} >= {"success-baseline", "ttft-fault"}
    assert run.counts["planned"] == run.counts["ok"] > 1000
    assert run.canaries.keys() == {"echo_s_p99", "lag_s_p99", "stall_s_p99"}
    assert run.states.keys() >= {"drain-with-streams"}
