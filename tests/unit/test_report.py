"""The run page, drawn from made-up runs of every kind."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.golden.make_run import make_run

from sealegs import evidence
from sealegs.errors import ClusterError, ScenarioError
from sealegs.judge import judge
from sealegs.report import render

CASES = ("pass", "fail-truncated", "inconclusive-thin", "killed")  # each verdict word once
PAGE_BYTES_MAX = 250_000
OPTIONAL = ("commit", "dirty", "seed", "started_at", "versions", "images", "nodes", "command", "sidecar_mode")


class Outline(HTMLParser):
    """Elements that are open and were never closed, addresses, ids and words of a page."""

    VOID = frozenset({"meta", "link", "br", "img", "input", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.elements: set[str] = set()
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element and what it points to."""
        self.elements.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "action", "data"}]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that closes itself."""
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close an element: it must be the one opened last."""
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Collect what is read."""
        if "style" not in self.open:
            self.words += data.split()


def outline(page: str) -> Outline:
    """A parsed page."""
    parsed = Outline()
    parsed.feed(page)
    parsed.close()
    return parsed


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every made-up run, judged and drawn."""
    root = tmp_path_factory.mktemp("runs")
    made = {case: make_run(root, case=case) for case in CASES}
    for run_dir in made.values():
        judge(run_dir)
        render(run_dir)
    return made


def page_of(run_dir: Path) -> str:
    """The page as text."""
    return (run_dir / "report.html").read_text(encoding="utf-8")


def verdict_of(run_dir: Path) -> dict[str, Any]:
    """The verdict that a page shows."""
    document: dict[str, Any] = json.loads((run_dir / "verdict.json").read_bytes())
    return document


@pytest.mark.parametrize("case", CASES)
def test_a_page_stands_alone(runs: dict[str, Path], case: str) -> None:
    """No address leaves the run's folder, nothing is loaded or run, and every link and anchor is there."""
    parsed = outline(page_of(runs[case]))

    assert parsed.open == []
    assert parsed.elements.isdisjoint({"script", "link", "img", "iframe", "object"})
    assert "http" not in "".join(parsed.addresses)
    assert "default-src 'none'" in page_of(runs[case])
    assert "url(" not in re.sub(r"url\(#[a-z0-9-]+\)", "", page_of(runs[case]))
    assert len(parsed.ids) == len(set(parsed.ids))
    for address in (*parsed.addresses, *re.findall(r"url\((#[a-z0-9-]+)\)", page_of(runs[case]))):
        if address.startswith("#"):
            assert address[1:] in parsed.ids
        elif not address.startswith("data:image/png;base64,"):
            assert (runs[case] / address).is_file()


@pytest.mark.parametrize("case", CASES)
def test_a_page_is_small_and_the_same_each_time(runs: dict[str, Path], case: str, tmp_path: Path) -> None:
    """A run of 1,500 requests fits in 250 kB, and drawing it again, elsewhere, gives the same bytes."""
    copy = shutil.copytree(runs[case], tmp_path / runs[case].name)
    (copy / "report.html").unlink()

    assert len(page_of(runs[case]).encode()) <= PAGE_BYTES_MAX
    assert render(copy).read_bytes() == (runs[case] / "report.html").read_bytes()


def test_a_page_that_cannot_be_written_is_the_environments(tmp_path: Path) -> None:
    """One sentence with the file, and no exit code that would be read as a verdict."""
    run_dir = make_run(tmp_path, case="pass")
    judge(run_dir)
    (run_dir / "report.html").mkdir()

    with pytest.raises(ClusterError, match=r"report\.html cannot be written: Is a directory"):
        render(run_dir)


def test_a_planted_defect_is_said(tmp_path: Path) -> None:
    """Nobody takes the verdict on a defect of ours for one on the sound stack."""
    run_dir = make_run(tmp_path, case="fail-truncated")
    scenario = run_dir / "scenario.toml"
    scenario.write_text(scenario.read_text().replace("[stack]\n", '[stack]\nmutant = "cuts"\n'))
    judge(run_dir)

    text = " ".join(outline(render(run_dir).read_text()).words)

    assert f"{run_dir.name}, with cuts planted" in text
    assert "planted cuts" in text


@pytest.mark.parametrize("case", CASES)
def test_the_verdict_is_said_in_words(runs: dict[str, Path], case: str) -> None:
    """The word comes first in the title and on the page, then the reasons; every claim has its own word."""
    document = verdict_of(runs[case])
    page = page_of(runs[case])
    parsed = outline(page)
    text = " ".join(parsed.words)

    assert f"<title>{document['verdict']} · " in page
    assert document["verdict"] in parsed.words[:8]
    for reason in document["reasons"]:
        assert " ".join(reason.split()) in text
    claims = [*document["objectives"], *document["invariants"]]
    for claim in claims:
        assert claim["name"] in text
    for word in {claim["verdict"] for claim in claims}:
        assert word in parsed.words
    valid = sum(check["ok"] for check in document["validity"]["checks"])
    assert f": {valid} of {len(document['validity']['checks'])} run checks" in text


def test_every_lost_request_is_named(runs: dict[str, Path]) -> None:
    """Each request that was cut is in the table, with how far it got."""
    document = verdict_of(runs["fail-truncated"])
    cut = next(one for one in document["invariants"] if one["verdict"] == "FAIL")["request_ids"]
    page = page_of(runs["fail-truncated"])

    assert cut
    for request_id in cut:
        assert re.search(rf'<th scope="row">{request_id}</th>.*abort', page)


def test_the_fault_and_its_story_are_drawn(runs: dict[str, Path]) -> None:
    """All five states, the band, the refused and the granted eviction, and what became of the pod."""
    page = page_of(runs["pass"])

    for state in ("armed", "injected", "landed", "undone", "gone"):
        assert re.search(rf'class="mark-name">{state} ', page)
    assert 'class="hatched"' in page
    for told in (
        "eviction refused (429)",
        "eviction granted (201)",
        "told to stop",
        "cordoned",
        "schedulable again",
    ):
        assert told in page


def test_a_killed_run_says_where_its_evidence_ends(runs: dict[str, Path]) -> None:
    """What was never recorded is a gap with a mark at its edge."""
    assert "evidence ends" in page_of(runs["killed"])
    assert "evidence ends" not in page_of(runs["pass"])


@pytest.mark.parametrize("missing", [("requests.parquet",), ("samples.jsonl", "timeline.jsonl")])
def test_a_run_without_some_of_its_evidence_still_has_a_page(
    runs: dict[str, Path], tmp_path: Path, missing: tuple[str, ...]
) -> None:
    """Judged again without those files it is INVALID, and the page says so."""
    copy = shutil.copytree(runs["pass"], tmp_path / "run")
    for name in missing:
        (copy / name).unlink()
    judge(copy)

    parsed = outline(render(copy).read_text(encoding="utf-8"))

    assert parsed.open == []
    assert "INVALID" in parsed.words


@pytest.mark.parametrize("change", [dict.fromkeys(OPTIONAL), {}])
def test_a_run_that_knows_little_of_itself_still_has_a_page(
    runs: dict[str, Path], tmp_path: Path, change: dict[str, None]
) -> None:
    """A run outside a repository has no commit; nor does anything else of its identity stop the page."""
    run_dir = Path(shutil.copytree(runs["pass"], tmp_path / "run"))
    identity = json.loads((run_dir / "run.json").read_text())
    known = {name: value for name, value in identity.items() if name not in OPTIONAL}
    (run_dir / "run.json").write_text(json.dumps(known | change))

    assert "commit none" in render(run_dir).read_text()


def test_what_a_run_recorded_is_text_and_never_markup(runs: dict[str, Path], tmp_path: Path) -> None:
    """A name with markup in it is shown as it is."""
    copy = shutil.copytree(runs["pass"], tmp_path / "run")
    evil = "<script>alert(1)</script>"
    with evidence.JsonLines(copy / "timeline.jsonl") as timeline:
        timeline.append({"t_s": 94.0, "kind": "error", "where": evil, "message": evil})
    judge(copy)

    parsed = outline(render(copy).read_text(encoding="utf-8"))

    assert "script" not in parsed.elements
    assert evil in " ".join(parsed.words)


def test_an_objective_says_what_it_is_worth_and_why_it_is_undecided(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    """Beside the count when bad ones came together; a verdict from before that was judged has neither."""
    copy = Path(shutil.copytree(runs["pass"], tmp_path / "run"))
    document = verdict_of(copy)
    one = document["objectives"][1]
    one |= {"verdict": "INCONCLUSIVE", "why": "correlated", "effective_n": 48, "bad": 6, "more_needed": 0}
    evidence.write_json(copy / "verdict.json", document)
    page = render(copy).read_text(encoding="utf-8")
    one |= {"why": "thin", "effective_n": one["n"], "more_needed": 7}
    evidence.write_json(copy / "verdict.json", document)
    thin = render(copy).read_text(encoding="utf-8")
    for each in document["objectives"]:
        del each["effective_n"], each["why"]
    evidence.write_json(copy / "verdict.json", document)
    before = render(copy).read_text(encoding="utf-8")

    assert page.count("worth about 48 independent requests") == 1
    assert page.count("<small>the bad ones came together</small>") == 1
    for other in (thin, before):
        assert "worth about" not in other
        assert "<small>7 more good ones would decide</small>" in other
    assert "more good ones" not in page_of(runs["pass"])


def test_a_run_that_was_not_judged_is_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    """The message names the command that judges it."""
    copy = shutil.copytree(runs["pass"], tmp_path / "run")
    (copy / "verdict.json").unlink()

    with pytest.raises(ScenarioError, match="sealegs judge"):
        render(copy)
