"""What a person reads on the terminal of a judged run."""

import io
import json
from functools import cache
from pathlib import Path

import pytest
from tests.golden.case import CASES
from tests.golden.make_run import made_facts, make_run

from sealegs import doors
from sealegs.doors import WIDTH, present, table
from sealegs.verdict import Verdict, decide

PASS = """
✓ PASS  gpu-node-drain
  Draining a GPU node cuts no stream and honours the disruption budgets.

        claim                   requests  bad   good  at least  target
  PASS  success-baseline             519    0  100 %   99.11 %  98.5 %
  PASS  success-fault                290    0  100 %   98.42 %    95 %
  PASS  success-run                 1553    0  100 %    99.7 %    99 %
  PASS  ttft-baseline ≤ 1.00 s       519    0  100 %   99.11 %    95 %
  PASS  ttft-fault ≤ 2.50 s          290    0  100 %   98.42 %    95 %
  PASS  no-truncated-stream                 0                     none
  PASS  no-foreign-token                    0                     none
  PASS  pdb-honoured                        0                     none
  PASS  recovery                                 0 s            ≤ 60 s
  PASS  evidence (26 checks)                0                     none

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
    assert "\n".join(table(verdict_of("pass"))) == PASS


@pytest.mark.parametrize("case", CASES)
def test_every_case_says_its_word_its_claim_and_its_reasons(case: str) -> None:
    """The first line has the verdict, the last ones every reason, wrapped for a terminal; columns stand."""
    verdict = verdict_of(case)
    lines = list(table(verdict))
    text = " ".join(" ".join(lines).split())
    width = max(len(line) for line in lines if line.endswith("none"))

    assert lines[1] == f"{SIGNS[verdict.verdict]} {verdict.verdict}  gpu-node-drain"
    assert verdict.claim in text
    assert all(reason in text for reason in verdict.reasons)
    assert max(map(len, lines)) <= WIDTH
    assert {len(line) for line in lines if line.endswith(("none", "s", "%")) and "  " in line[2:]} == {width}


@pytest.mark.parametrize("case", CASES)
def test_claims_that_the_evidence_cannot_carry_are_in_parentheses(case: str) -> None:
    """In a run that is not valid no claim reads as decided; in one that is, none is in parentheses."""
    verdict = verdict_of(case)
    words = rows(verdict)
    said = words.pop("evidence")
    trusted = verdict.validity.valid

    assert said == ("PASS" if trusted else "INVALID")
    assert len(words) == len(verdict.objectives) + len(verdict.invariants) + 1
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
