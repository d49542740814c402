"""What a person reads on the terminal of a judged run."""

import io
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from tests.golden.case import CASES
from tests.golden.make_run import made_facts, make_run

from sealegs import doors
from sealegs.doors import WIDTH, present, table
from sealegs.judgement.ladder import Rung
from sealegs.judgement.losses import Cause, Losses
from sealegs.judgement.verdict import Verdict, decide

PASS = """
✓ PASS  gpu-node-drain
  Draining a GPU node cuts no stream and honours the disruption budgets.

        claim                      requests  bad   good   at least   target
  PASS  success-baseline                519    0  100 %    99.11 %   98.5 %
  PASS  success-fault                   290    0  100 %    98.42 %     95 %
  PASS  success-run                    1553    0  100 %     99.7 %     99 %
  PASS  ttft-baseline ≤ 1.00 s          519    0  100 %    99.11 %     95 %
  PASS  ttft-fault ≤ 2.50 s             290    0  100 %    98.42 %     95 %
  PASS  slices-run, slices of 2 s        89    0  100 %    94.95 %     90 %
  PASS  no-truncated-stream                    0                       none
  PASS  no-foreign-token                       0                       none
  PASS  pdb-honoured                           0                       none
  PASS  two-engines-ready                             2                 ≥ 2
  PASS  recovery                                    0 s              ≤ 60 s
  PASS  error budget spent             1034    0    0 %  ≤ 0.022 %  ≤ 0.5 %
  PASS  evidence (26 checks)                   0                       none

  1631 requests planned, 1631 sent, 1631 answered whole
""".rstrip()
SIGNS = {"PASS": "✓", "FAIL": "✗", "INCONCLUSIVE": "?", "INVALID": "!"}
SILENCED = "in parentheses: what the numbers say; from evidence that cannot be trusted, nothing follows"


class Terminal(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


@cache
def verdict_of(case: str) -> Verdict:
    """How a made-up run ends."""
    return decide(made_facts(case))


def rows(verdict: Verdict) -> dict[str, str]:
    """Claim → the word beside it, from the printed table."""
    lines = list(table(verdict))
    head = next(number for number, line in enumerate(lines) if line.split()[:2] == ["claim", "requests"])
    end = next(number for number, line in enumerate(lines) if number > head and "evidence (" in line)
    return {line.split()[1]: line.split()[0] for line in lines[head + 1 : end + 1]}


def test_a_pass_reads_well() -> None:
    """The word, the claim, each number under its name, and nothing else."""
    assert "\n".join(table(climbed())) == PASS


@pytest.mark.parametrize("case", CASES)
def test_every_case_says_its_word_its_claim_and_its_reasons(case: str) -> None:
    """The first line has the verdict, the last ones every reason, wrapped for a terminal; columns stand."""
    verdict = verdict_of(case)
    lines = list(table(verdict))
    text = " ".join(" ".join(lines).split())
    claims = lines[
        lines.index("", 3) + 1 : next(n for n, line in enumerate(lines) if "evidence (" in line) + 1
    ]

    assert lines[1] == f"{SIGNS[verdict.verdict]} {verdict.verdict}  gpu-node-drain"
    assert verdict.claim in text
    assert all(reason in text for reason in verdict.reasons)
    assert max(map(len, lines)) <= WIDTH
    assert {len(line) for line in claims if line.endswith(("none", "s", "%"))} == {len(claims[0])}


@pytest.mark.parametrize("case", CASES)
def test_claims_that_the_evidence_cannot_carry_are_in_parentheses(case: str) -> None:
    """In a run that is not valid no claim reads as decided; in one that is, none is in parentheses."""
    verdict = verdict_of(case)
    words = rows(verdict)
    said = words.pop("evidence")
    trusted = verdict.validity.valid

    assert said == ("PASS" if trusted else "INVALID")
    assert len(words) == len(verdict.objectives) + len(verdict.invariants) + len(verdict.bounds) + 2
    assert {word.startswith("(") and word.endswith(")") for word in words.values()} == {not trusted}
    assert (SILENCED in "\n".join(table(verdict))) is not trusted


def test_a_counter_example_is_never_in_parentheses() -> None:
    """A stream that was cut was cut, also in a run of which nothing else can be said."""
    facts = made_facts("fail-truncated")
    unended = type(facts)(**vars(facts) | {"load_summary": None})
    words = rows(decide(unended))

    assert words["no-truncated-stream"] == "FAIL"
    assert words["no-foreign-token"] == "(PASS)"
    assert words["success-fault"] == "(INCONCLUSIVE)"
    assert words["recovery"] == "(PASS)"


def climbed(**after_s: float | None) -> Verdict:
    """A run that passes, with these steps from its fault back to good service."""
    verdict = verdict_of("pass")
    assert verdict.fault is not None
    ladder = tuple(
        Rung(name=name.replace("_", "-"), at_s=None, after_s=seen_s, subject="")
        for name, seen_s in {"injected": 0.0, **after_s}.items()
    )
    return replace(verdict, fault=replace(verdict.fault, ladder=ladder))


def test_steps_back_to_good_service_are_told_if_they_were_seen() -> None:
    """One after the other with their times; a fault after which nothing was seen has no line."""
    seen = climbed(first_error=None, detected=0.075, scheduled=4.59, started=8.91, ready=18.0, slo_met=18.2)
    unseen = climbed(first_error=None, slo_met=None)

    assert list(table(seen))[-2:] == [
        "  after the fault: noticed by the cluster 75 ms, successor scheduled 4.59 s, successor started",
        "    8.91 s, successor ready 18 s, service good again 18.2 s",
    ]
    assert "\n".join(table(unseen)) == PASS


def lost(*counts: int, unexplained: int = 0) -> list[str]:
    """What is printed of losses to so many causes, the last of which may be none."""
    causes = [
        Cause(cause=f"cause-{number}", meaning=f"reason {number}", count=count, request_ids=())
        for number, count in enumerate(counts, 1)
    ]
    losses = Losses(lost=sum(counts), unexplained=unexplained, causes=tuple(causes))
    lines = list(table(replace(climbed(), losses=losses)))
    return lines[lines.index("  1631 requests planned, 1631 sent, 1631 answered whole") + 1 :]


def test_every_lost_request_is_accounted_for() -> None:
    """The most frequent causes are told by name, the others together; the numbers add up."""
    assert lost() == []
    assert lost(8) == ["  8 requests lost, each with its cause", "       8  cause-1: reason 1"]
    assert lost(1, unexplained=1) == [
        "  1 request lost, 1 of them unexplained",
        "       1  cause-1: reason 1",
    ]
    assert lost(1200, 70, 60, 50, 40, 3, 2)[0] == "  1,425 requests lost, each with its cause"
    assert lost(1200, 70, 60, 50, 40, 3, 2)[1:] == [
        "   1,200  cause-1: reason 1",
        "      70  cause-2: reason 2",
        "      60  cause-3: reason 3",
        "      50  cause-4: reason 4",
        "      40  cause-5: reason 5",
        "       5  of 2 other causes",
    ]


def test_a_scenario_without_a_budget_has_no_row_of_it() -> None:
    """What was not asked is not told."""
    lines = list(table(replace(verdict_of("pass"), budget=None)))

    assert not any("budget" in line for line in lines[4:])


@pytest.mark.parametrize("case", ["pass", "killed"])
def test_a_file_gets_no_escapes_and_the_page_is_there(case: str, tmp_path: Path) -> None:
    """Elsewhere than on a terminal the table is plain text; its last line says where the page is."""
    run_dir = make_run(tmp_path, case=case)
    verdict = verdict_of(case)
    (run_dir / "verdict.json").write_text(json.dumps(verdict.document))
    out = io.StringIO()

    page = present(run_dir, verdict, out=out)

    assert out.getvalue().splitlines()[-1] == f"report: {page}"
    assert "\033" not in out.getvalue()
    assert page.parent == run_dir
    assert verdict.run_id in page.read_text()


def test_a_terminal_gets_colour_unless_it_asks_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The word is painted on a terminal; with NO_COLOR set, whatever to, nothing is."""
    verdict = verdict_of("pass")
    monkeypatch.setattr(doors, "render", lambda run_dir: run_dir / "report.html")
    monkeypatch.delenv("NO_COLOR", raising=False)
    present(tmp_path, verdict, out=(painted := Terminal()))
    monkeypatch.setenv("NO_COLOR", "")
    present(tmp_path, verdict, out=(plain := Terminal()))

    assert painted.getvalue().count("\033") == 2
    assert "\033[1;32m✓ PASS\033[0m  gpu-node-drain" in painted.getvalue()
    assert "\033" not in plain.getvalue()
