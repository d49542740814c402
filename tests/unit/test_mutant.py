"""Mutants: what their files may say, and what becomes of them."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.golden.make_run import make_run
from tests.unit.made_mutants import MUTANT, made_mutant, mutants_house

from sealegs.errors import ScenarioError
from sealegs.judge import read_facts
from sealegs.judgement.verdict import WORST_FIRST, Word
from sealegs.mutant import FILE, MUTANTS, Mutant, claims_of, load_mutant, load_mutants, outcome_of, planted
from sealegs.scenario import load_scenario
from sealegs.scenario.claim import Expect

ROOT = Path(__file__).parents[2]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A folder with one scenario and one mutant."""
    return mutants_house(tmp_path)


def problems(house: Path, text: str) -> list[tuple[int, str]]:
    """Line and words of each problem of a mutant's file."""
    path = house / MUTANTS / MUTANT / FILE
    path.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        load_mutant(path)
    found = [problem.removeprefix(f"{path}:").split(": ", 1) for problem in caught.value.problems]
    return [(int(line), words) for line, words in found]


def test_a_mutant_is_its_scenario_with_a_defect_in_the_stack(house: Path) -> None:
    """Claims, traffic and seed are the scenario's own; the stack, the end and the times differ."""
    scenario = load_scenario(house / "scenarios" / "drain.toml")
    mutant = load_mutants(house)[MUTANT]

    assert mutant.scenario == replace(
        scenario,
        stack_mutant=MUTANT,
        mutant_file=house / MUTANTS / MUTANT / FILE,
        phases=replace(scenario.phases, baseline_s=40.0),
        expect=Expect(verdict="FAIL"),
    )
    assert sorted(mutant.kills) == ["no-truncated-stream"]
    assert sorted(mutant.may_kill) == ["budget", "success-fault"]
    assert planted(scenario, MUTANT, root=house) == mutant.scenario


def test_every_kind_of_claim_can_be_named(house: Path) -> None:
    """Invariants, objectives and bounds by their names, recovery and budget by these words."""
    scenario = load_mutants(house)[MUTANT].scenario

    assert claims_of(scenario)[:3] == scenario.invariants
    assert claims_of(scenario)[-2:] == ("recovery", "budget")
    assert {"success-baseline", *(one.name for one in scenario.bounds)} <= set(claims_of(scenario))
    assert claims_of(replace(scenario, recovery=None, budget=None, invariants=(), bounds=())) == tuple(
        one.name for one in scenario.objectives
    )


def test_everything_wrong_is_listed_at_once_with_its_line(house: Path) -> None:
    """Claims that nobody makes, a claim named twice over, phases that cannot be."""
    text = """\
title = "t"
defect = "d"
scenario = "drain"
kills = ["no-truncated-stream", "no-such-claim"]
may_kill = ["no-truncated-stream"]

[phases]
baseline_s = -1
nap_s = 3
"""
    found = problems(house, text)

    assert [line for line, _ in found] == [4, 5, 9, 8]
    assert found[0][1].startswith("drain does not claim 'no-such-claim'; it claims no-truncated-stream, ")
    assert found[1][1] == "'no-truncated-stream' must FAIL already"
    assert "unknown key 'phases.nap_s'" in found[2][1]
    assert "must be more than 0" in found[3][1]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('kills = []\nscenario = "drain"', "names no claim"),
        ('kills = ["budget"]\nscenario = "drone"', "no scenario 'drone'; there are drain"),
        ('kills = ["budget"]', "missing 'scenario'"),
        ('scenario = "drain"', "missing 'kills'"),
        ('kills = ["budget"]\nscenario = "drain"\nkils = 1', "unknown key 'kils'"),
        ('kills = ["budget"]\nscenario = "drain"\n[expect]', "ends as FAIL or INVALID, not as PASS"),
        ('kills = ["budget"]\nscenario = "drain"\n[expect]\nverdict = "INVALID"\nreason = "r"', "kills = []"),
        ('kills = []\nscenario = "drain"\n[expect]\nverdict = "INVALID"', "give the one that must be told"),
        ('kills = ["budget"]\nscenario = "drain"\n[expect]\nverdict = "FAIL"\nreason = "r"', "goes with"),
    ],
)
def test_what_would_prove_nothing_is_refused(house: Path, more: str, words: str) -> None:
    """A mutant is found by named claims, or by the one reason for which its run must be INVALID."""
    ((_, said),) = problems(house, f'title = "t"\ndefect = "d"\n{more}\n')

    assert words in said


def test_a_scenario_that_cannot_be_read_is_the_mutants_problem(house: Path) -> None:
    """With the scenario's own place; and of all mutants together it is told once."""
    path = house / "scenarios" / "drain.toml"
    path.write_text(path.read_text().replace("seed", "sead"))
    shutil.copytree(house / MUTANTS / MUTANT, house / MUTANTS / "another")

    with pytest.raises(ScenarioError) as caught:
        load_mutants(house)
    assert len(caught.value.problems) == 2
    assert all(problem.startswith(f"{path}:") for problem in caught.value.problems)


def test_a_mutant_of_another_scenario_is_refused(house: Path) -> None:
    """What it must kill is said of one scenario only; and a scenario that plants a defect has one already."""
    other = house / "scenarios" / "other.toml"
    shutil.copy(house / "scenarios" / "drain.toml", other)
    with pytest.raises(ScenarioError, match="is planted for scenario drain, not for other"):
        planted(load_scenario(other), MUTANT, root=house)

    path = house / "scenarios" / "drain.toml"
    path.write_text(path.read_text().replace('overlay = "kind"', 'overlay = "kind"\nmutant = "m"'))
    with pytest.raises(ScenarioError, match="scenario drain plants m itself"):
        planted(load_scenario(path), MUTANT, root=house)


def test_a_mutant_that_is_not_there_names_those_that_are(house: Path) -> None:
    """Whoever mistypes a name sees the right one."""
    scenario = load_scenario(house / "scenarios" / "drain.toml")

    with pytest.raises(ScenarioError, match=f"no such mutant; there are {MUTANT}"):
        planted(scenario, "engine-abort", root=house)


def test_a_run_is_judged_by_what_was_planted(tmp_path: Path, house: Path) -> None:
    """The copy in a run's folder is read with the mutant's name, and wherever it lies now."""
    run_dir = make_run(tmp_path, case="pass")
    before = read_facts(run_dir).scenario
    text = (house / MUTANTS / MUTANT / FILE).read_text()
    (run_dir / FILE).write_text(text.replace('"drain"', f'"{before.name}"'))
    identity = (run_dir / "run.json").read_text()
    (run_dir / "run.json").write_text(identity.replace("{", f'{{"mutant": "{MUTANT}",', 1))

    after = read_facts(run_dir).scenario

    assert (after.stack_mutant, after.expect.verdict) == (MUTANT, "FAIL")
    assert after.phases == replace(before.phases, baseline_s=40.0)


CLAIMS = ("a", "b", "c", "d")
WORDS = st.sampled_from(WORST_FIRST)


@given(
    words=st.fixed_dictionaries(dict.fromkeys(CLAIMS, WORDS)),
    kills=st.sets(st.sampled_from(CLAIMS), min_size=1),
    may=st.sets(st.sampled_from(CLAIMS)),
)
def test_killed_is_exactly_what_was_named(words: dict[str, Word], kills: set[str], may: set[str]) -> None:
    """Killed if and only if all that must fail did, and whatever failed beside them may.

    One that survived has a named claim that passed; of one that is unknown no named claim did.
    """
    mutant = made_mutant(kills=kills, may_kill=may - kills)
    failed = {name for name, word in words.items() if word == "FAIL"}
    verdict = next(word for word in WORST_FIRST if word in words.values())

    outcome = outcome_of(mutant, words, verdict, ())

    assert (outcome == "killed") == (kills <= failed <= kills | may)
    assert (outcome == "killed by another") == bool(failed - kills - may)
    if outcome == "survived":
        assert "PASS" in {words[name] for name in kills}
    if outcome == "unknown":
        assert not failed >= kills
        assert {words[name] for name in kills} <= {"FAIL", "INVALID", "INCONCLUSIVE"}


@pytest.mark.parametrize(
    ("words", "verdict", "reasons", "outcome"),
    [
        ({"a": "PASS"}, "PASS", (), "survived"),
        ({"a": "INVALID"}, "INVALID", ("the client stalled", "missing: metrics"), "killed"),
        ({"a": "INVALID"}, "INVALID", ("the client stalled",), "unknown"),
        ({"a": "FAIL"}, "FAIL", ("a: one", "missing: metrics"), "killed by another"),
        ({"a": "INCONCLUSIVE"}, "INCONCLUSIVE", ("a: thin",), "unknown"),
        ({}, "INVALID", (), "unknown"),
    ],
)
def test_a_run_that_must_be_invalid_is_so_for_its_reason(
    words: dict[str, Word], verdict: Word, reasons: tuple[str, ...], outcome: str
) -> None:
    """INVALID for another reason tested nothing, and a claim that failed instead is another claim."""
    mutant = made_mutant(kills=(), expect=Expect(verdict="INVALID", reason="missing: metrics"))

    assert outcome_of(mutant, words, verdict, reasons) == outcome


@pytest.fixture(scope="module")
def ours() -> dict[str, Mutant]:
    """Every mutant of this repository: their files can be read."""
    return load_mutants(ROOT)


def test_our_mutants_are_all_of_use(ours: dict[str, Mutant]) -> None:
    """A folder of stack/mutants says what must see its defect, or a scenario plants it by itself.

    No mutant has a scenario's name, for a night keeps both in one list.
    """
    scenarios = [load_scenario(path) for path in (ROOT / "scenarios").rglob("*.toml")]
    folders = {path.parent.name for path in (ROOT / MUTANTS).glob("*/kustomization.yaml")}

    assert folders == set(ours) ^ {one.stack_mutant for one in scenarios if one.stack_mutant}
    assert set(ours) & {one.name for one in scenarios} == set()
