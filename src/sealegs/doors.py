"""What every door shows of a judged run: the page, and the verdict on the terminal."""

import os
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from sealegs.judgement.ladder import Rung
from sealegs.judgement.losses import Losses
from sealegs.judgement.verdict import Verdict, Word
from sealegs.report import render
from sealegs.report.ladder import NAMES
from sealegs.report.words import SIGNS, allowed, count, figure, part, seconds, share

WIDTH = 100
TIED = "\N{NO-BREAK SPACE}"
CAUSES_MAX = 5
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
    yield from _lost(verdict.losses)
    if verdict.fault:
        yield from _climbed(verdict.fault.ladder)
    for reason in verdict.reasons:
        yield from textwrap.wrap(reason, WIDTH, initial_indent="  - ", subsequent_indent="    ")


def _claims(verdict: Verdict) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("", "claim", "requests", "bad", "good", "at least", "target")]
    for one in verdict.objectives:
        limit = f" ≤ {seconds(one.limit_s)}" if one.limit_s else ""
        limit += f", slices of {one.slice_s:g} s" if one.slice_s else ""
        numbers = (f"{one.n}", f"{one.bad}", share(one.good_share), share(one.bound_low), share(one.target))
        rows.append((counted(one.verdict, verdict), f"{one.name}{limit}", *numbers))
    for law in verdict.invariants:
        # A counter-example stays one, whatever else of the evidence cannot be trusted.
        word = law.verdict if law.verdict == "FAIL" else counted(law.verdict, verdict)
        rows.append((word, law.name, "", f"{law.violations}", "", "", "none"))
    for bound in verdict.bounds:
        limits = allowed(bound.at_least, bound.at_most)
        rows.append((counted(bound.verdict, verdict), bound.name, "", "", figure(bound.value), "", limits))
    if recovery := verdict.recovery:
        took, limit = seconds(recovery.recovery_s), f"≤ {seconds(recovery.limit_s)}"
        rows.append((counted(recovery.verdict, verdict), "recovery", "", "", took, "", limit))
    if budget := verdict.budget:
        spent = (part(budget.spent), f"≤ {part(budget.spent_high)}", f"≤ {part(budget.spent_max)}")
        rows.append(
            (counted(budget.verdict, verdict), "error budget spent", f"{budget.n}", f"{budget.bad}", *spent)
        )
    failed = [check for check in verdict.validity.checks if not check.ok]
    checks = len(verdict.validity.checks)
    rows.append(
        ("INVALID" if failed else "PASS", f"evidence ({checks} checks)", "", f"{len(failed)}", "", "", "none")
    )
    return rows


def _lost(losses: Losses) -> Iterator[str]:
    """What became of requests that were lost, the most frequent cause first."""
    if not losses.lost:
        return
    known = f"{losses.unexplained} of them unexplained" if losses.unexplained else "each with its cause"
    yield f"  {count(losses.lost, 'request')} lost, {known}"
    for one in losses.causes[:CAUSES_MAX]:
        told = f"{one.count:>6,}  {one.cause}: {one.meaning}"
        yield from textwrap.wrap(told, WIDTH, initial_indent="  ", subsequent_indent=" " * 10)
    if others := losses.causes[CAUSES_MAX:]:
        yield f"  {sum(one.count for one in others):>6,}  of {count(len(others), 'other cause')}"


def _climbed(ladder: Sequence[Rung]) -> Iterator[str]:
    """When each step back to good service was seen; what was not seen is not told."""
    seen = [(NAMES[one.name], seconds(one.after_s)) for one in ladder[1:] if one.after_s is not None]
    if seen:
        # No line ends between a number and its unit.
        steps = ", ".join(f"{name} {took.replace(' ', TIED)}" for name, took in seen)
        told = f"after the fault: {steps}"
        for line in textwrap.wrap(told, WIDTH, initial_indent="  ", subsequent_indent="    "):
            yield line.replace(TIED, " ")


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
