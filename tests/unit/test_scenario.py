"""A scenario file is read whole or refused with everything that is wrong with it, each with its line."""

import re
from pathlib import Path

import pytest

from sealegs.errors import ScenarioError
from sealegs.scenario import Scenario, load_scenario

ROOT = Path(__file__).parents[2]
GOOD = (ROOT / "tests" / "golden" / "scenario.toml").read_text()
EXPERIMENT = '{"method": [{"type": "action"}], "configuration": {"hold_s_min": 5, "node": ""}}'


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A repository with the files that the good scenario names."""
    for name, text in (("locustfiles/chat.py", ""), ("experiments/gpu-node-drain.json", EXPERIMENT)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    (tmp_path / "scenarios" / "negative").mkdir(parents=True)
    return tmp_path


def load(house: Path, text: str, *, name: str = "scenarios/it.toml") -> Scenario:
    """Write a scenario file into the repository and read it."""
    (house / name).write_text(text)
    return load_scenario(house / name)


def problems(house: Path, text: str) -> list[tuple[int, str]]:
    """Line and text of each problem of a scenario file."""
    with pytest.raises(ScenarioError) as refused:
        load(house, text)
    split = [re.fullmatch(r".*it\.toml:(\d+): (.*)", one) for one in refused.value.problems]
    return [(int(one[1]), one[2]) for one in split if one]


def line_of(text: str, start: str) -> int:
    """Line of the first line that starts like this."""
    return next(number for number, line in enumerate(text.splitlines(), 1) if line.startswith(start))


def test_a_good_file_is_read_whole(house: Path) -> None:
    """Every key ends up in its place, paths start from the repository, defaults are filled in."""
    scenario = load(house, GOOD)

    assert scenario.name == "it"
    assert scenario.traffic.locustfile == house / "locustfiles/chat.py"
    assert scenario.experiment == house / "experiments/gpu-node-drain.json"
    assert scenario.traffic.rate_rps == 8.5
    assert scenario.traffic.deadlines.total_s == 60.0
    assert isinstance(scenario.traffic.deadlines.total_s, float)
    assert scenario.phases.duration_s == 190
    assert [one.limit_s for one in scenario.objectives] == [None, None, None, 1.0, 2.5, None]
    assert scenario.objectives[0].confidence == 0.99
    assert scenario.expect.verdict == "PASS"


def test_a_scenario_deeper_down_has_the_same_root(house: Path) -> None:
    """``scenarios/negative/x.toml`` names files as ``scenarios/x.toml`` does."""
    assert load(house, GOOD, name="scenarios/negative/it.toml").traffic.locustfile.is_file()


def test_a_copy_in_a_run_is_read_without_the_files_it_names(tmp_path: Path) -> None:
    """Old evidence is judged where neither locustfile nor experiment exist any more."""
    (tmp_path / "scenario.toml").write_text(GOOD)

    assert load_scenario(tmp_path / "scenario.toml", name="it", files_exist=False).name == "it"


def test_everything_wrong_is_listed_at_once_with_its_line(house: Path) -> None:
    """A person mends a file in one go, not in eight."""
    text = (
        GOOD.replace("{ chat = 1 }", "{ chatter = 1 }")
        .replace("rate_rps = 8.5", "rate_rps = -8.5")
        .replace("in_flight_max = 200", 'in_flight_max = "many"\nretries = 3')
        .replace('"locustfiles/chat.py"', '"locustfiles/chatter.py"')
        .replace("gap_s = 5\n", "")
        .replace("baseline_s = 60", "baseline_s = true")
        .replace('phase = "fault"', 'phase = "faults"', 1)
        .replace('"pdb-honoured"', '"pdb-honored"')
        .replace("good_share = 0.9", "good_share = 90")
    )

    found = problems(house, text)

    assert [line for line, _ in found] == sorted(line for line, _ in found)
    expected = {
        "invariants": "unknown 'pdb-honored'; known: no-truncated-stream, no-foreign-token, pdb-honoured",
        "locustfile": "names no file: locustfiles/chatter.py",
        "profiles": "unknown 'chatter'; known: agents, batch, chat",
        "rate_rps": "must be more than 0, is -8.5",
        "in_flight_max": "must be a whole number, is 'many'",
        "retries": "unknown key 'traffic.retries'; known here: locustfile, profiles",
        "[traffic.deadlines]": "missing 'traffic.deadlines.gap_s', a number",
        "baseline_s": "must be a number, is True",
        'phase = "faults"': "unknown 'faults'; known: baseline, fault, recovery, run",
        "good_share": "must be more than 0 and less than 1, is 90",
    }
    for start, words in expected.items():
        assert [one for line, one in found if words in one and line == line_of(text, start)], start
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "ttft-fault"', 'name = "ttft-baseline"', "two objectives"),
        ('sli = "ttft"', 'sli = "success"', "takes no limit_s"),
        ("limit_s = 1.0\n", "", "needs a limit_s"),
        ("slices = 3", "slices = 13", "13 slices of 5 s need 65 s, recovery has "),
        ("{ chat = 1 }", "{ chat = 0.5, code = 0.4 }", "must add up to 1, these add up to 0.9"),
        ("{ chat = 1 }", "{ chat = 1, code = 0 }", "must be more than 0 and at most 1, is 0"),
        (
            "tokens_per_s = 100",
            'tokens_per_s = 100\nwhole = ["chat", "code"]',
            "whole names code, of which profiles sends nothing",
        ),
        (
            "tokens_per_s = 100",
            "tokens_per_s = 100\nmodel_types = {gpt4 = 0.5}",
            "shares of model_types must add up to 1",
        ),
        ('kind = "poisson"', 'kind = "gamma"', "arrivals 'gamma' need cv"),
        ('kind = "poisson"', 'kind = "poisson", cv = 2.0', "arrivals 'poisson' have no parameter 'cv'"),
        ('kind = "poisson"', 'kind = "step", to_rps = 1000, at_s = 9000', "the step at 9000 s never comes"),
        ("tokens_per_s = 100", 'tokens_per_s = 100\ntokens = "counted"', "no-foreign-token needs"),
        (
            "tokens_per_s = 100",
            'tokens_per_s = 100\nwhere = "moon"',
            "unknown 'moon'; known: client, cluster",
        ),
        ("tokens_per_s = 100", "tokens_per_s = 100\npolicy = {backoff_s = 9}", "longer than backoff_s_max"),
        ("seed = 8", "seed = 8.0", "'seed' must be a whole number"),
        ("warmup_s = 10", "warmup_s = nan", "must be a finite number, is nan"),
        ("warmup_s = 10", "warmup_s = -1", "must be at least 0"),
    ],
)
def test_what_no_single_key_shows_is_found_too(house: Path, old: str, new: str, words: str) -> None:
    """Keys that contradict each other, and numbers that are none."""
    text = GOOD.replace(old, new, 1)

    (problem,) = problems(house, text)

    assert words in problem[1]


@pytest.mark.parametrize(
    ("name", "text", "start", "words"),
    [
        (
            "experiments/gpu-node-drain.json",
            '{\n"method": [\n',
            "file",
            "is no experiment: {path}:3: not JSON: Expecting value",
        ),
        ("experiments/gpu-node-drain.json", '{"title": "x"}', "file", "{path}:1: has no 'method'"),
        ("experiments/gpu-node-drain.json", '{"method": []}', "file", "{path}:1: has no 'method'"),
        ("experiments/gpu-node-drain.json", "[]", "file", "{path}:1: has no 'method'"),
        ("locustfiles/chat.py", "import os\nreturn 1\n", "locustfile", "{path}:2: 'return' outside function"),
        ("locustfiles/chat.py", "a\0", "locustfile", "is no Python: {path}:1: source code"),
    ],
)
def test_a_file_that_is_there_and_no_use_is_refused(
    house: Path, name: str, text: str, start: str, words: str
) -> None:
    """What Chaos Toolkit or Locust would refuse in a run is told before there is one, with both places."""
    (house / name).write_text(text)

    ((line, problem),) = problems(house, GOOD)

    assert line == line_of(GOOD, start)
    assert words.format(path=house / name) in problem


def test_a_variable_that_the_experiment_does_not_have_is_refused(house: Path) -> None:
    """It would change nothing, and a claim about a longer fault would pass on the shorter one."""
    asked = GOOD.replace('-drain.json"', '-drain.json"\nvars = { hold_s_min = 30, node = "worker-b" }', 1)
    mistyped = asked.replace("hold_s_min", "hold_sec_min")

    ((line, problem),) = problems(house, mistyped)

    assert line == line_of(mistyped, "vars")
    told = "the configuration of experiments/gpu-node-drain.json has hold_s_min, node"
    assert problem == f"unknown key 'experiment.vars.hold_sec_min'; {told}"
    load(house, asked)


@pytest.mark.parametrize("sli", ["tpot", "gap"])
def test_what_comes_whole_has_no_pace(house: Path, sli: str) -> None:
    """Where no profile is streamed an objective on tokens' times would pass on nothing."""
    paced = GOOD.replace('sli = "ttft"', f'sli = "{sli}"', 1)
    shares, whole = "{ chat = 0.5, code = 0.5 }", "tokens_per_s = 100\nwhole = "
    mixed = paced.replace("{ chat = 1 }", shares, 1)

    (problem,) = problems(house, paced.replace("tokens_per_s = 100", f'{whole}["chat"]', 1))
    assert f"what comes whole has no {sli}" in problem[1]
    load(house, mixed.replace("tokens_per_s = 100", f'{whole}["chat"]', 1))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("slice_s = 5", "slice_s and slice_share go together"),
        ("slice_s = 5\nslice_share = 0.9", "needs 305 slices, phase 'baseline' has about 12"),
    ],
)
def test_an_objective_of_slices_must_be_whole_and_decidable(house: Path, more: str, words: str) -> None:
    """A minute holds twelve slices of five seconds, whatever is sent in them."""
    text = GOOD.replace("target = 0.985", f"target = 0.985\n{more}", 1)

    assert words in " ".join(problem for _, problem in problems(house, text))


def test_a_budget_that_nothing_could_spend_is_refused(house: Path) -> None:
    """An hour of outage cannot happen in the minutes of a run: the claim would be empty."""
    text = GOOD.replace("spent_max = 0.005", "spent_max = 0.5")

    ((line, problem),) = problems(house, text)

    assert line == line_of(text, "spent_max = 0.5")
    assert "cannot be spent in the" in problem


def test_an_objective_that_no_run_could_decide_is_refused(house: Path) -> None:
    """60 s at 8.5 a second hold 510 requests; 99.9 % at confidence 0.99 needs 4603 and is told so."""
    text = GOOD.replace("target = 0.985", "target = 0.999", 1)

    ((line, problem),) = problems(house, text)

    assert line == line_of(text, "target = 0.999")
    assert "cannot be decided: 0.999 at confidence 0.99 needs 4603 requests" in problem
    assert "phase 'baseline' has about 510" in problem


def test_a_fault_without_a_claim_about_the_baseline_is_refused(house: Path) -> None:
    """Without it a system that was sick all along would be blamed on the fault."""
    text = GOOD.replace('phase = "baseline"', 'phase = "run"', 1)

    ((line, problem),) = problems(house, text)

    assert line == line_of(text, "[experiment]")
    assert "needs a success objective in the baseline" in problem


def test_a_scenario_that_claims_nothing_is_refused(house: Path) -> None:
    """Claiming nothing would pass whatever happens."""
    head, _, tail = GOOD.partition("[[objectives]]")
    text = re.sub(r"invariants = .*", "objectives = []", head) + tail[tail.index("[recovery]") :]

    for nothing in (text, text.replace("objectives = []\n", "")):
        assert any("claims nothing" in problem for _, problem in problems(house, nothing))
        assert any("needs a success objective" in problem for _, problem in problems(house, nothing))


def test_an_invariant_alone_is_a_claim(house: Path) -> None:
    """Without a fault there need be no objective, not even an empty list of them."""
    head, _, _ = GOOD.partition("[[objectives]]")
    text = re.sub(r"\[experiment\]\nfile = .*", "", head)

    assert load(house, text).objectives == ()


def test_a_file_that_is_not_toml_says_where(house: Path) -> None:
    """The parser's own words, at the parser's line."""
    text = GOOD.replace("seed = 8", "seed = ")

    assert problems(house, text)[0][0] == line_of(text, "seed")


def test_a_file_that_is_not_there_is_one_problem(tmp_path: Path) -> None:
    """No heap of missing keys for a mistyped name."""
    with pytest.raises(ScenarioError) as refused:
        load_scenario(tmp_path / "scenarios" / "nothing.toml")

    assert len(refused.value.problems) == 1


@pytest.mark.parametrize("path", sorted((ROOT / "scenarios").rglob("*.toml")), ids=lambda path: path.stem)
def test_our_own_scenarios_can_be_read(path: Path) -> None:
    """What we ship is right, but for files whose existence the end-to-end tests see to."""
    scenario = load_scenario(path, files_exist=False)

    assert (scenario.expect.verdict != "PASS") == (path.parent.name == "negative")


@pytest.mark.parametrize("path", sorted((ROOT / "scenarios").glob("*.toml")), ids=lambda path: path.stem)
def test_a_step_of_the_load_comes_where_a_phase_begins(path: Path) -> None:
    """What a phase claims of a load is asked while it lasts, not when it is over or yet to come."""
    scenario = load_scenario(path, files_exist=False)
    arrivals, phases = scenario.traffic.arrivals, scenario.phases
    if arrivals.kind != "steps":
        return

    assert arrivals.step_s
    assert arrivals.factors
    steps_s = [arrivals.step_s * number for number in range(1, len(arrivals.factors))]
    assert phases.warmup_s + phases.baseline_s in steps_s
