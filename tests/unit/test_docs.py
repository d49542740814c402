"""What the documents say is there, is there."""

import html
import json
import re
import subprocess
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from engine.settings import Settings
from sealegs.scenario import Scenario, load_scenario
from sealegs.tables import TRUTH
from sealegs.truth import read_truth

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)\s#]+)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)

# A claim's name and its limits, in the tables of a page; and a number in such a cell.
LIMITED = re.compile(
    r'<th scope="row">([\w-]+)(?:<small>[^<]*</small>)?</th>.*?<td class="limit">([^<]*)</td>'
)
FIGURE = re.compile(r"(\d[\d,]*)(?:\.(\d+))?(?: (%|ms))?")
SCALES = {"": 1, "%": 100, "ms": 1000}

# The run in `report.html` has its verdict and its claim beside it.
KEPT = sorted(
    set((ROOT / "reports" / "sample").glob("*.html")) - {ROOT / "reports" / "sample" / "report.html"}
)


def documents() -> list[Path]:
    """Every Markdown file that git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return sorted(ROOT / name for name in listed if (ROOT / name).is_file())


def links(text: str) -> list[str]:
    """Targets of the relative links and pictures of a text, code left out."""
    return [target for target in LINK.findall(CODE.sub("", text)) if "://" not in target]


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    """A reader who clicks arrives."""
    dead = [one for one in links(document.read_text()) if not (document.parent / one).exists()]

    assert dead == []


def test_links_are_found() -> None:
    """Pictures and anchors count, addresses and code do not."""
    text = "[a](b.md#c) ![d](e.png) [f](https://g.h) `[i](j)`\n```\n[k](l)\n```\n[m](#n)\n"

    assert links(text) == ["b.md", "e.png"]


def test_the_engines_table_is_its_settings() -> None:
    """Every variable is there, in order, with the default that the engine has."""
    text = (ROOT / "stack" / "README.md").read_text()
    told = re.findall(r"^\| `([A-Z_]+)` \| (.*?) \|", text, re.MULTILINE)
    in_words = {"POD_NAME": "the host's name", "MODEL_PATH": "empty", "FAULTS_SOCKET": "empty"}

    names = [(setting.name.upper(), f"`{setting.default}`") for setting in fields(Settings)]
    assert told == [(name, in_words.get(name, default)) for name, default in names]


def test_the_line_of_truth_is_what_is_read(tmp_path: Path) -> None:
    """The line that is shown can be read, and what is always needed is what a line must not lack."""
    section = (ROOT / "stack" / "README.md").read_text().partition("\n## The line of truth\n")[2]
    line = section.split("```json\n")[1].split("\n```")[0]
    told = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", section.partition("\n## ")[0], re.MULTILINE))
    shown = json.loads(line)

    def read(*lines: str) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
        log = tmp_path / "pod.log"
        log.write_text("".join(f"{one}\n" for one in ("loading", *lines, "ended")))
        table, damage = read_truth([log])
        return table.to_pylist(), damage

    def without(*names: str) -> str:
        kept = {name: value for name, value in shown.items() if name not in names}
        return json.dumps(kept, separators=(",", ":"))

    assert read(line) == ([{name: shown[name] for name in TRUTH.names}], ())
    assert set(told) == set(TRUTH.names) - {"phase_at_end"}
    always = {name for name, needed in told.items() if needed == "always"}
    assert {name for name in shown if read(without(name))[1]} == always
    rows, damage = read(without(*shown.keys() - always - {"truth"}))
    assert (len(rows), damage) == (1, ())


def test_every_decision_has_its_three_parts() -> None:
    """Half a page each: the context, the decision, what follows."""
    for path in sorted((ROOT / "docs" / "decisions").glob("*.md")):
        text = path.read_text()

        assert text.startswith(f"# {int(path.name[:4])}. "), path
        assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == [
            "Context",
            "Decision",
            "Consequences",
        ], path
        assert len(text.splitlines()) <= 20, path


def test_every_scenario_is_listed_with_its_claim() -> None:
    """The list of claims has each scenario once, in order, in the words of its file."""
    text = (ROOT / "docs" / "scenarios.md").read_text()
    row = r"^\| \[([\w-]+)\]\(\.\./scenarios/([\w-]+)\.toml\) \| (.*) \|(?: \[page\]\(.*\))? \|$"
    told = re.findall(row, text, re.MULTILINE)

    paths = sorted((ROOT / "scenarios").glob("*.toml"))
    assert told == [(path.stem, path.stem, tomllib.loads(path.read_text())["claim"]) for path in paths]


def limits_of(scenario: Scenario) -> dict[str, set[float]]:
    """Each claim that has a number to keep to, and its numbers."""
    ends = {
        one.name: {end for end in (one.at_least, one.at_most) if end is not None} for one in scenario.bounds
    }
    recovery = {"recovery": {scenario.recovery.limit_s}} if scenario.recovery else {}
    return {**{one.name: {one.target} for one in scenario.objectives}, **ends, **recovery}


def says(cell: str, limits: set[float]) -> bool:
    """Whether the numbers of a cell, whatever stands between them, are these limits and no others.

    A page may round: a number stands for all that are as near to it as its last digit tells.
    """
    shown = {
        (float(f"{whole}.{part}".replace(",", "")), 0.5 * 10 ** -len(part) + 1e-9, SCALES[unit])
        for whole, part, unit in FIGURE.findall(cell)
    }

    def fits(limit: float, figure: tuple[float, float, int]) -> bool:
        value, half, scale = figure
        return abs(limit * scale - value) <= half

    return all(any(fits(limit, one) for one in shown) for limit in limits) and all(
        any(fits(limit, one) for limit in limits) for one in shown
    )


@pytest.mark.parametrize(
    ("cell", "limits", "said"),
    [
        ("\N{LESS-THAN OR EQUAL TO} 25", {25}, True),
        ("\N{LESS-THAN OR EQUAL TO} 25", {20, 25}, False),
        ("at least 20 s and at most 25 s", {20, 25}, True),
        ("20, 25", {25}, False),
        ("24", {25}, False),
        ("98.5 %", {0.985}, True),
        ("98.5 %", {0.98}, False),
        ("1,250.5", {1250.5}, True),
        ("80 ms", {0.08}, True),
        ("= 1", {1}, True),
    ],
)
def test_a_cell_is_read_by_its_numbers(cell: str, limits: set[float], *, said: bool) -> None:
    """Words and signs between numbers may change; a number that is missing, another or too many is seen."""
    assert says(cell, limits) is said


@pytest.mark.parametrize("page", KEPT, ids=lambda one: one.stem)
def test_a_kept_page_is_of_a_run_that_passed_the_claim_as_it_stands(page: Path) -> None:
    """It is linked beside its scenario, says its claim and every limit that it has now, and ended PASS."""
    text = html.unescape(page.read_text())
    scenario = load_scenario(ROOT / "scenarios" / f"{page.stem}.toml", files_exist=False)
    shown, limits = dict(LIMITED.findall(text)), limits_of(scenario)

    assert f"[page](../reports/sample/{page.name})" in (ROOT / "docs" / "scenarios.md").read_text()
    assert scenario.claim in text
    assert re.search(r"<title>[^<]*PASS", text)
    assert [name for name in limits if not says(shown.get(name, ""), limits[name])] == []
