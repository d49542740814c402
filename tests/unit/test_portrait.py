"""A profile's portrait: what is printed and drawn is what a run sends, beside what the trace holds."""

import re
import signal
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from sealegs import cli
from sealegs.errors import ScenarioError
from sealegs.portrait import picture, portrait_of, printed, scenario_of
from sealegs.portrait.sitting import TYPICAL, Portrait
from sealegs.scenario import Scenario, load_scenario
from sealegs.scenario.arrivals import Arrivals
from sealegs.scenario.workload import PROFILES
from sealegs.traffic.schedule import make

ROOT = Path(__file__).parents[2]
DRAIN = ROOT / "scenarios" / "gpu-node-drain.toml"
SVG = "{http://www.w3.org/2000/svg}"
# p1 p5 p10 p25 p50 p75 p90 p95 p99 p99.9 max of the released traces, computed apart from this package.
PROMPT = {
    "chat": [29, 181, 207, 396, 1020, 1189, 2734, 4083, 4142, 6179, 14050],
    "code": [17, 75, 147, 578, 1469, 2744, 5188, 7303, 7436, 7437, 7437],
}
OUTPUT = {
    "chat": [16, 41, 54, 85, 129, 395, 424, 451, 601, 954, 1000],
    "code": [6, 6, 7, 9, 13, 24, 55, 90, 251, 825, 1899],
}

MISSING = re.compile(r"(?<![a-z])(nan|inf)(?![a-z])")

Sealegs = Callable[..., int]


@cache
def short(profile: str) -> Portrait:
    """A few minutes of a profile at answers of 30 ms a token."""
    return portrait_of(profile, scenario_of(profile, rate_rps=4, duration_s=400, tokens_per_s=1000 / 30))


def parsed(text: str) -> ET.Element:
    """An SVG, well-formed or an error."""
    return ET.fromstring(text)  # noqa: S314  our own text


def mixed() -> Scenario:
    """A scenario of two profiles, whose model's context many of the requests exceed."""
    scenario = load_scenario(DRAIN, files_exist=False)
    profiles = {"chat": 0.6, "rag": 0.4}
    return replace(scenario, traffic=replace(scenario.traffic, profiles=profiles, context_tokens_max=3_000))


def table(portrait: Portrait) -> dict[str, list[str]]:
    """The numbers of each printed row, by its name."""
    rows = (line.strip().split("  ") for line in printed(portrait))
    return {cells[0]: [cell.strip() for cell in cells[1:] if cell.strip()] for cells in rows}


@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile_is_drawn(profile: str) -> None:
    """Well-formed, every panel under its title, every label and line on the page, no number missing."""
    portrait = short(profile)
    text = picture(portrait)
    root = parsed(text)
    width, height = (float(one) for one in root.attrib["viewBox"].split()[2:])
    texts = list(root.iter(f"{SVG}text"))
    titles = [one.text or "" for one in texts if one.attrib["class"] == "title"]
    kinds = {one.attrib["class"] for one in root.iter(f"{SVG}path")}

    begin = ["Prompt", "Output", "Arrivals", "Gaps", "Service"] + ["Turn", "Think"] * portrait.in_sessions
    assert [title.split()[0].rstrip(":") for title in titles] == begin
    assert {"line trace", "line drawn", "line other", "limit", "grid"} <= kinds
    assert all(0 <= float(one.attrib["x"]) <= width for one in texts)
    assert all(float(one.attrib["y"]) <= height for one in texts)
    assert not MISSING.search(text)


def test_it_is_made_from_the_seed_alone() -> None:
    """Drawn twice it is the same to the byte; another seed draws another."""
    portrait = short("code")
    other = replace(portrait.scenario, seed=2)

    assert picture(portrait_of("code", portrait.scenario)) == picture(portrait)
    assert picture(portrait_of("code", other)) != picture(portrait)


@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_drawn_is_the_trace_by_chance(profile: str) -> None:
    """No distance exceeds what chance explains, and the portrait says so."""
    portrait = short(profile)

    assert all(one.ks <= one.ks_by_chance < 0.2 for one in portrait.quantities)
    assert any("by no more than chance" in line for line in printed(portrait))


@pytest.mark.parametrize("profile", PROMPT)
def test_the_trace_s_quantiles_are_printed(profile: str) -> None:
    """Those that were computed from the released file, in the columns of the trace."""
    rows = table(short(profile))
    levels = [name for name in rows if name.startswith("p") and name[1:2].isdigit()]
    cells = [[float(cell.replace(",", "")) for cell in rows[name]] for name in (*levels, "max")]

    assert [row[0] for row in cells] == PROMPT[profile]
    assert [row[2] for row in cells] == OUTPUT[profile]


@pytest.mark.parametrize(
    ("profile", "shares"),
    [("reasoning", (54, 36, 21)), ("agents", (24, 12, 3.6))],
    ids=["reasoning", "agents"],
)
def test_the_tail_of_those_in_flight_is_the_trace_s(profile: str, shares: tuple[float, ...]) -> None:
    """Percent that need more than 30, 60 and 120 s longer at 30 ms a token, as computed apart."""
    _, output, service, *_ = short(profile).quantities
    rows = table(short(profile))
    told = [
        [float(cell.rstrip(" %")) for cell in rows[f"{side}, in flight: more"]] for side in ("trace", "drawn")
    ]

    assert service.drawn == pytest.approx(output.drawn * 0.03)
    assert told[0] == pytest.approx(shares, abs=0.6)
    # A few minutes are of some 200 sessions of agents; their tail is what it is by chance.
    assert told[1] == pytest.approx(told[0], abs=8)


def test_the_trace_s_arrivals_are_printed() -> None:
    """Rate, CV of gaps and index of dispersion of Azure's hour of chat, as computed apart."""
    own = portrait_of("chat", scenario_of("chat", duration_s=600))
    name = next(row for row in table(own) if row.startswith("trace, requests"))
    count, rate, *seen = (float(cell.replace(",", "")) for cell in table(own)[name])

    assert count == 19_366
    assert rate == pytest.approx(len(own.requests_s) / 600, abs=0.01)
    assert seen[:3] == pytest.approx([1.09, 1.39, 3.9], rel=0.12)
    assert any("clock has steps of 3 s" in line for line in printed(short("long-context")))


def test_a_scenario_s_portrait_is_of_the_schedule_that_a_run_sends() -> None:
    """The same requests, of the profile and of all; what was dropped is counted and named as a reason."""
    scenario = mixed()
    portrait, schedule = portrait_of("chat", scenario), make(scenario).to_pandas()
    ours = schedule[schedule["profile"] == "chat"]
    said = " ".join(" ".join(printed(portrait)).split())

    assert portrait.all_s.tolist() == schedule["intended_s"].tolist()
    assert portrait.requests_s.tolist() == ours["intended_s"].tolist()
    assert portrait.quantities[0].drawn.tolist() == ours["prompt_tokens"].tolist()
    assert f"{portrait.dropped:,} of {portrait.dropped + len(schedule):,} of all profiles" in said
    assert "60 % chat, 40 % rag" in said
    assert "by more than chance in prompt" in said
    assert "what was dropped is missing" in said


@pytest.mark.parametrize(
    ("profile", "duration_s", "seed", "begun"),
    [("agents", 8, 1, 0), ("rag", 3, 1, 1), ("rag", 3, 16, 2)],
    ids=["none-begun", "one-begun", "none-goes-on"],
)
def test_hardly_any_load_is_drawn_too(profile: str, duration_s: float, seed: int, begun: int) -> None:
    """A few requests, two sessions begun at most or no later turn, no bin of ten seconds: nothing made up."""
    portrait = portrait_of(profile, scenario_of(profile, rate_rps=1, duration_s=duration_s, seed=seed))
    text = picture(portrait)

    assert len(portrait.starts_s) == begun
    assert "too few to draw" in [one.text for one in parsed(text).iter(f"{SVG}text")]
    assert not MISSING.search(text + " ".join(printed(portrait)))


def test_each_profile_has_typical_arrivals() -> None:
    """One entry each, so that a new trace is not forgotten."""
    assert sorted(TYPICAL) == sorted(PROFILES)


def test_what_makes_no_sense_is_refused_together() -> None:
    """A parameter that is missing, and too much to draw, in one go."""
    with pytest.raises(ScenarioError) as refused:
        scenario_of("chat", arrivals=Arrivals(kind="gamma"), rate_rps=1e6)

    assert len(refused.value.problems) == 2


@pytest.fixture
def sealegs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sealegs]:
    """The command, in a folder of its own; returns its exit code."""
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)

    def command(*words: str | Path) -> int:
        with pytest.raises(SystemExit) as ended:
            cli.main.main(["traffic", *(str(word) for word in words)], prog_name="sealegs")
        return ended.value.code if isinstance(ended.value.code, int) else 0

    yield command
    signal.signal(signal.SIGTERM, before)


def test_show_prints_and_draws(sealegs: Sealegs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The picture is where it says; the text is plain and says what was asked for."""
    assert sealegs("show", "code", "--arrivals", "weibull", "--cv", 3, "--duration-s", 60, "--seed", 7) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "arrivals weibull (cv = 3), seed 7" in said.out
    assert said.out.endswith("\npicture: code.svg\n")
    assert "\033" not in said.out
    parsed((tmp_path / "code.svg").read_text())


def test_show_draws_a_scenario(sealegs: Sealegs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the scenario's seed and limits, into the file that is named."""
    assert sealegs("show", "chat", "--scenario", DRAIN, "--output", tmp_path / "a.svg") == 0
    assert f"seed {load_scenario(DRAIN).seed}" in " ".join(capsys.readouterr().out.split())
    parsed((tmp_path / "a.svg").read_text())


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("show", "chit"), 4, f"not one of {', '.join(map(repr, PROFILES))}"),
        (("show", "chat", "--scenario", DRAIN, "--seed", "0"), 4, "a scenario settles its traffic"),
        (("show", "code", "--scenario", DRAIN), 4, "sends no 'code'; it sends: chat"),
        (("show", "chat", "--scenario", "none.toml"), 4, "none.toml"),
        (("show", "chat", "--cv", "2"), 4, "--cv goes with --arrivals gamma or weibull"),
        (("show", "chat", "--arrivals", "gamma"), 4, "arrivals 'gamma' need cv"),
        (("show", "batch", "--arrivals", "trace"), 4, "the trace of 'batch' has no"),
        (
            ("show", "batch", "--duration-s", "99", "--output", "no/where.svg"),
            5,
            "no/where.svg cannot be written",
        ),
    ],
    ids=["profile", "settled", "not-sent", "absent", "cv", "no-cv", "no-times", "unwritable"],
)
def test_what_is_wrong_is_said(
    sealegs: Sealegs, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, said: str
) -> None:
    """Exit 4 for what was asked and 5 for what cannot be written, with what to do; nothing is printed."""
    assert sealegs(*words) == code
    shown = capsys.readouterr()
    assert said in " ".join(shown.err.split())
    assert shown.out == ""


def test_list_names_every_profile(sealegs: Sealegs, capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, with the licence."""
    assert sealegs("list") == 0
    _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(PROFILES)
    assert all(any(one in line for one in ("CC-BY-4.0", "Apache-2.0", "MIT")) for line in lines)
