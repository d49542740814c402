"""What every door shows of a judged run: the page, and the verdict on the terminal."""

import os
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from sealegs.report import render
from sealegs.report.words import SIGNS, seconds, share
from sealegs.verdict import Verdict, Word

WIDTH = 100
COLOURS: dict[Word, str] = {"PASS": "32", "FAIL": "31", "INVALID": "35", "INCONCLUSIVE": "33"}


def present(run_dir: Path, verdict: Verdict, *, out: TextIO) -> Path:
    """Draw a judged run's page, print its verdict, and say where the page is; returns that."""
    page = render(run_dir)
    print("\n".join(table(verdict, colour=out.isatty() and "NO_COLOR" not in os.environ)), file=out)
    print(f"\nreport: {page}", file=out, flush=True)
    return page


def table(verdict: Verdict, *, colour: bool = False) -> Iterator[str]:
    """The verdict in lines: the word, the claim, and each objective and invariant with its numbers."""
    word = f"{SIGNS[verdict.verdict]} {verdict.verdict}"
    yield ""
    yield f"{_painted(word, verdict.verdict) if colour else word}  {verdict.scenario}"
    yield from textwrap.wrap(verdict.claim, WIDTH, initial_indent="  ", subsequent_indent="  ")
    yield ""
    yield from aligned(_claims(verdict))
    if not verdict.validity.valid:
        yield "  in parentheses: what the numbers say; from evidence that cannot be trusted, nothing follows"
    counts = verdict.counts
    yield ""
    yield f"  {counts['planned']} requests planned, {counts['sent']} sent, {counts['ok']} answered whole"
    if counts["retried"]:
        times = counts["attempts"] / counts["sent"]
        yield f"  {counts['retried']} took more than one attempt, {times:.2f} attempts a request in all"
    if wasted := counts["tokens_wasted"]:
        yield f"  {wasted} of {counts['tokens_received']} tokens received belong to no answer"
    for reason in verdict.reasons:
        yield from textwrap.wrap(reason, WIDTH, initial_indent="  - ", subsequent_indent="    ")


def _claims(verdict: Verdict) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("", "claim", "requests", "bad", "good", "at least", "target")]
    for one in verdict.objectives:
        limit = f" ≤ {seconds(one.limit_s)}" if one.limit_s else ""
        numbers = (f"{one.n}", f"{one.bad}", share(one.good_share), share(one.bound_low), share(one.target))
        rows.append((counted(one.verdict, verdict), f"{one.name}{limit}", *numbers))
    for law in verdict.invariants:
        # A counter-example stays one, whatever else of the evidence cannot be trusted.
        word = law.verdict if law.verdict == "FAIL" else counted(law.verdict, verdict)
        rows.append((word, law.name, "", f"{law.violations}", "", "", "none"))
    if recovery := verdict.recovery:
        took, limit = seconds(recovery.recovery_s), f"≤ {seconds(recovery.limit_s)}"
        rows.append((counted(recovery.verdict, verdict), "recovery", "", "", took, "", limit))
    failed = [check for check in verdict.validity.checks if not check.ok]
    checks = len(verdict.validity.checks)
    rows.append(
        ("INVALID" if failed else "PASS", f"evidence ({checks} checks)", "", f"{len(failed)}", "", "", "none")
    )
    return rows


def counted(claim: Word, verdict: Verdict) -> str:
    """How a claim ended; in parentheses where the evidence cannot carry it."""
    return claim if verdict.validity.valid else f"({claim})"


def aligned(rows: Sequence[tuple[str, ...]], *, words: int = 2) -> Iterator[str]:
    """Rows under each other: the first columns, `words`, to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:words], widths[:words], strict=True)]
        cells += [cell.rjust(width) for cell, width in zip(row[words:], widths[words:], strict=True)]
        yield f"  {'  '.join(cells)}".rstrip()


def _painted(text: str, word: Word) -> str:
    return f"\033[1;{COLOURS[word]}m{text}\033[0m"
