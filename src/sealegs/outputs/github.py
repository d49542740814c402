"""What GitHub Actions shows of a run: a job summary in Markdown, and annotations as workflow commands.

GitHub refuses a summary above 1 MiB whole and drops annotations beyond ten a step without a word: both are
kept well below, worst first, and say what they left out.
"""

import re
from collections.abc import Iterable

from sealegs.outputs.claims import Claim, Document, claims, worst_first
from sealegs.outputs.text import line
from sealegs.report.words import SIGNS, count

SUMMARY_BYTES_MAX = 200_000
ANNOTATIONS_MAX = 10
REASONS_MAX = 20
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~$])")
_COMMAND = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = _COMMAND | str.maketrans({":": "%3A", ",": "%2C"})


def summary(document: Document) -> str:
    """The verdict in Markdown: the word, the claim, why, and every claim with its numbers."""
    found = worst_first(claims(document))
    word, reasons = document["verdict"], document["reasons"]
    head = [
        f"## {SIGNS[word]} {word}: {_plain(document['scenario'])}",
        "",
        f"> {_plain(document['claim'])}",
        "",
        *(f"- {_plain(reason)}" for reason in reasons[:REASONS_MAX]),
        *_left_out(len(reasons) - REASONS_MAX, "reason"),
        "",
        _counted(document),
        "",
        "| | claim | kind | what was found |",
        "|---|---|---|---|",
    ]
    rows = [
        f"| {SIGNS[one.word]} {one.word} | {_plain(one.name)} | {one.kind} | {_plain(one.said)} |"
        for one in found
    ]
    foot = ["", f"Run {_plain(document['run_id'])}"]
    room = SUMMARY_BYTES_MAX - _bytes([*head, *foot, *_left_out(len(rows), "claim")])
    kept = _fitting(rows, room)
    return "\n".join([*head, *kept, *_left_out(len(rows) - len(kept), "claim"), *foot]) + "\n"


def annotations(document: Document) -> list[str]:
    """A workflow command for each claim that is not a PASS, at most ten; the last counts the rest.

    What an INVALID run silences is not annotated: the failed checks are the cause.
    """
    bad = [one for one in worst_first(claims(document)) if one.word != "PASS" and not one.silenced]
    shown = bad if len(bad) <= ANNOTATIONS_MAX else bad[: ANNOTATIONS_MAX - 1]
    told = [_annotation(document, f"{one.word} {one.name}", _said(one)) for one in shown]
    if rest := len(bad) - len(shown):
        told.append(_annotation(document, f"{rest} more", "; ".join(one.name for one in bad[len(shown) :])))
    return told


def _said(claim: Claim) -> str:
    return f"{claim.kind} {claim.name}: {claim.said}"


def _annotation(document: Document, title: str, text: str) -> str:
    """One error, escaped by GitHub's rules: what would end a line, a property or the command."""
    named = line(f"{document['scenario']}: {title}", most=200)
    return f"::error title={named.translate(_PROPERTY)}::{line(text).translate(_COMMAND)}"


def _plain(text: str) -> str:
    """Text that is only text: in Markdown, in its tables, and in the HTML that it may hold."""
    escaped = line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", escaped)


def _counted(document: Document) -> str:
    """How many requests there were."""
    counts = document["counts"]
    return (
        f"{counts['planned']:,} requests planned, {counts['sent']:,} sent, {counts['ok']:,} answered whole."
    )


def _left_out(number: int, noun: str) -> list[str]:
    """What is not shown, counted."""
    return [f"\n{count(number, f'more {noun}')} left out."] if number > 0 else []


def _fitting(rows: Iterable[str], room: int) -> list[str]:
    """The first rows that fit into so many bytes."""
    kept: list[str] = []
    for row in rows:
        room -= _bytes([row])
        if room < 0:
            break
        kept.append(row)
    return kept


def _bytes(lines: Iterable[str]) -> int:
    """Size of lines, each with its end."""
    return sum(len(one.encode()) + 1 for one in lines)
