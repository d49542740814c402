"""What the documents say is there, is there."""

import html
import re
import subprocess
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from engine.settings import Settings

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)\s#]+)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)

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


@pytest.mark.parametrize("page", KEPT, ids=lambda one: one.stem)
def test_a_kept_page_is_of_a_run_that_passed_the_claim_as_it_stands(page: Path) -> None:
    """It is linked beside its scenario, says its claim, and ended PASS."""
    text = html.unescape(page.read_text())
    (scenario,) = (ROOT / "scenarios").glob(f"{page.stem}.toml")

    assert f"[page](../reports/sample/{page.name})" in (ROOT / "docs" / "scenarios.md").read_text()
    assert tomllib.loads(scenario.read_text())["claim"] in text
    assert re.search(r"<title>[^<]*PASS", text)
