"""What GitHub shows: a summary that it accepts, annotations that it does not drop."""

import re

import pytest
from tests.unit.judged import ENDS, document, hostile

from sealegs.outputs.github import ANNOTATIONS_MAX, SUMMARY_BYTES_MAX, annotations, summary

COMMAND = re.compile(r"::error title=(?P<title>[^:,\r\n]+)::(?P<text>[^\r\n]*)")


def table(text: str) -> list[list[str]]:
    """Cells of the rows of the table of claims, without its head."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[2:]]


def many_bad(number: int) -> dict[str, object]:
    """A run in which so many objectives failed, each with a long story."""
    judged = document("fail-truncated")
    one = {**judged["objectives"][0], "verdict": "FAIL", "request_ids": ["é" * 900]}
    return judged | {"objectives": [{**one, "name": f"o{index}"} for index in range(number)]}


@pytest.mark.parametrize(("case", "word"), ENDS.items())
def test_the_summary_says_every_claim_worst_first(case: str, word: str) -> None:
    """The verdict is the title; each claim and check is a row; no PASS stands above what is none."""
    judged = document(case)
    text = summary(judged)
    rows = table(text)
    passed = [row[0].endswith("PASS") for row in rows]
    claimed = sum(len(judged[kind]) for kind in ("objectives", "invariants", "bounds")) + (
        judged["recovery"] is not None
    )
    claimed += judged["budget"] is not None

    assert text.splitlines()[0].endswith(f"{word}: gpu-node-drain")
    assert judged["claim"] in text
    assert len(rows) == claimed + len(judged["validity"]["checks"])
    assert passed == sorted(passed)
    assert rows[0][0].endswith(word)


def test_a_summary_is_never_too_large_and_says_what_it_left_out() -> None:
    """Below the limit to the byte, the worst kept, the rest counted."""
    text = summary(many_bad(500))
    rows = table(text)
    left_out = re.search(r"^(\d+) more claims left out", text, re.MULTILINE)

    assert SUMMARY_BYTES_MAX - 4000 < len(text.encode()) <= SUMMARY_BYTES_MAX
    assert {row[0] for row in rows} == {"✗ FAIL"}
    assert left_out is not None
    assert len(rows) + int(left_out[1]) == 500 + 3 + 1 + 2 + 26


def test_reasons_beyond_the_first_are_counted() -> None:
    """A run with a hundred reasons does not bury its table."""
    text = summary(document("pass") | {"reasons": [f"reason {number}" for number in range(100)]})

    assert text.count("\n- reason ") == 20
    assert "80 more reasons left out." in text


@pytest.mark.parametrize(("case", "word"), ENDS.items())
def test_annotations_are_the_causes(case: str, word: str) -> None:
    """None for a PASS; else the verdict's own word comes first; what is only silenced has none."""
    told = [COMMAND.fullmatch(one) for one in annotations(document(case))]

    assert all(told)
    titles = [one["title"].split()[1] for one in told if one]
    assert titles[:1] == ([] if word == "PASS" else [word])
    assert len(titles) <= ANNOTATIONS_MAX
    assert not any("its numbers say" in one["text"] for one in told if one)


@pytest.mark.parametrize(("bad", "last"), [(9, "no-truncated"), (10, "2 more"), (500, "492 more")])
def test_there_are_at_most_ten_and_the_last_counts_the_rest(bad: int, last: str) -> None:
    """GitHub drops what is beyond without a word. One of the bad is an invariant."""
    told = annotations(many_bad(bad))

    assert len(told) == ANNOTATIONS_MAX
    assert last in told[-1].split("::")[1]


@pytest.mark.parametrize("case", ENDS)
def test_hostile_text_is_no_command_and_no_markup(case: str) -> None:
    """Each annotation is one command in one line; the summary keeps its shape and holds no tag."""
    judged = document(case)
    evil = hostile(judged)
    told = annotations(evil)

    assert len(told) == len(annotations(judged))
    assert all(COMMAND.fullmatch(one) and one.isprintable() for one in told)
    assert all("%250A" in one and "%0A" not in one for one in told)
    text = summary(evil)
    assert len(text.split("\n")) == len(summary(judged).split("\n"))
    assert [len(row) for row in table(text)] == [len(row) for row in table(summary(judged))]
    assert "<" not in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\ud800-\udfff]", text)
