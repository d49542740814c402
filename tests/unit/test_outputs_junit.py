"""JUnit XML: what a CI server makes of a run."""

from xml.etree import ElementTree as ET

import pytest
from tests.unit.judged import ENDS, document, hostile

from sealegs.outputs.claims import claims
from sealegs.outputs.junit import junit

RUN = {"started_at": "2026-11-24T12:00:00Z", "seed": 8, "command": "sealegs run 'a' <b>", "commit": None}


def suite_of(text: str) -> ET.Element:
    """The one suite."""
    suite = ET.fromstring(text.encode()).find("testsuite")  # noqa: S314  our own text
    assert suite is not None
    return suite


@pytest.mark.parametrize("case", ENDS)
def test_every_claim_is_a_test_case_and_the_counts_reconcile(case: str) -> None:
    """Objectives, invariants, recovery and checks, each once; the suite's numbers are its test cases'."""
    judged = document(case)
    suite = suite_of(junit(judged, RUN))
    cases = suite.findall("testcase")
    claimed = sum(len(judged[kind]) for kind in ("objectives", "invariants", "bounds")) + (
        judged["recovery"] is not None
    )
    claimed += judged["budget"] is not None

    assert len(cases) == claimed + len(judged["validity"]["checks"]) == int(suite.attrib["tests"])
    assert len({(one.attrib["classname"], one.attrib["name"]) for one in cases}) == len(cases)
    for tag, key in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert len(suite.findall(f"testcase/{tag}")) == int(suite.attrib[key]), tag


@pytest.mark.parametrize(("case", "word"), ENDS.items())
def test_green_is_a_pass_and_nothing_else(case: str, word: str) -> None:
    """A FAIL has a failure, what is INVALID or INCONCLUSIVE only errors, and nothing is skipped."""
    suite = suite_of(junit(document(case), RUN))
    failed, errors = int(suite.attrib["failures"]), int(suite.attrib["errors"])

    assert (failed > 0) == (word == "FAIL")
    assert (failed + errors == 0) == (word == "PASS")
    assert suite.attrib["skipped"] == "0"
    assert {one.attrib["type"] for one in suite.iter("failure")} <= {"FAIL"}
    assert {one.attrib["type"] for one in suite.iter("error")} <= {"INVALID", "INCONCLUSIVE"}


@pytest.mark.parametrize("case", [case for case, word in ENDS.items() if word == "INVALID"])
def test_what_an_invalid_run_silences_is_an_error(case: str) -> None:
    """No objective, invariant or recovery looks decided, whatever its numbers say; they are still told."""
    suite = suite_of(junit(document(case), RUN))
    claimed = [one for one in suite.iter("testcase") if not one.attrib["classname"].endswith(".check")]
    errors = [one.find("error") for one in claimed]

    assert all(one is not None and one.attrib["type"] == "INVALID" for one in errors)
    assert all("its numbers say" in one.attrib["message"] for one in errors if one is not None)


def test_a_counter_example_is_a_failure_in_an_invalid_run_too() -> None:
    """INVALID silences claims, never what was seen to break."""
    judged = document("fail-truncated")
    judged = judged | {"validity": {**judged["validity"], "valid": False}}

    assert [one.name for one in claims(judged) if one.word == "FAIL"] == ["no-truncated-stream"]


def test_a_verdict_that_no_claim_explains_is_not_green() -> None:
    """A run that claimed nothing is INCONCLUSIVE, and so is its JUnit."""
    judged = document("pass")
    empty = judged | {"verdict": "INCONCLUSIVE", "reasons": ["nothing was claimed"], "objectives": []}
    suite = suite_of(junit(empty, RUN))

    assert [one.attrib["message"] for one in suite.iter("error")] == ["nothing was claimed"]


@pytest.mark.parametrize(
    ("why", "said"),
    [("thin", "; 37 more good ones would have decided it"), ("correlated", "worth about 40 independent")],
)
def test_an_inconclusive_claim_says_what_it_lacks(why: str, said: str) -> None:
    """Too few requests, or too few that are independent: the numbers alone would not tell."""
    judged = document("inconclusive-thin")
    thin = [one | {"why": why, "effective_n": 40} for one in judged["objectives"]]
    suite = suite_of(junit(judged | {"objectives": thin}, RUN))
    told = [one.attrib["message"] for one in suite.iter("error")]

    assert told
    assert all(said in one for one in told)


def test_times_are_seconds() -> None:
    """The suite took as long as its phases, an objective as long as its own."""
    suite = suite_of(junit(document("pass"), RUN))
    times = {one.attrib["name"]: float(one.attrib["time"]) for one in suite.iter("testcase")}

    assert float(suite.attrib["time"]) == 192
    assert (times["success-baseline"], times["success-fault"], times["success-run"]) == (60, 35, 182)
    assert suite.attrib["timestamp"] == "2026-11-24T12:00:00Z"


@pytest.mark.parametrize("case", ENDS)
def test_hostile_text_stays_text(case: str) -> None:
    """The file parses, has the same shape, and what XML can carry of the text comes out as it went in."""
    judged = document(case)
    plain, evil = suite_of(junit(judged, RUN)), suite_of(junit(hostile(judged), RUN))

    assert [one.tag for one in evil.iter()] == [one.tag for one in plain.iter()]
    name = evil.attrib["name"]
    assert name.startswith(
        "gpu-node-drain<b>&amp;'\"]]>\n::error title=x,y::%0A|`*_\\n \r\t\N{REPLACEMENT CHARACTER}"
    )
