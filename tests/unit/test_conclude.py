"""One word for a run and its reasons, from claims and checks already decided: their order, their wording."""

import dataclasses
from typing import Any

import pytest

from sealegs.judgement.budget import BudgetResult
from sealegs.judgement.invariants import InvariantResult
from sealegs.judgement.recovery import RecoveryResult
from sealegs.judgement.slo import ObjectiveResult
from sealegs.judgement.stats import Decision
from sealegs.judgement.validity import Check
from sealegs.judgement.verdict import conclude


def check(*, ok: bool, detail: str = "distrusted") -> Check:
    """A check of the evidence."""
    return Check(name="finished", ok=ok, value=1, limit=1, detail=detail)


def objective(verdict: Decision, **changes: Any) -> ObjectiveResult:  # noqa: ANN401 - any field
    """An objective so decided, of 2,345 requests."""
    plain = ObjectiveResult(
        name="ttft-fault",
        sli="ttft",
        phase="fault",
        limit_s=1.0,
        slice_s=None,
        slice_share=None,
        target=0.95,
        confidence=0.99,
        n=2345,
        effective_n=1234,
        bad=1111,
        good_share=0.526226,
        bound_low=0.5,
        bound_high=0.55,
        verdict=verdict,
        why=None,
        more_needed=0,
        request_ids=("r1", "r2"),
    )
    return dataclasses.replace(plain, **changes)


def invariant(verdict: Decision, *request_ids: str) -> InvariantResult:
    """An invariant so decided."""
    return InvariantResult(
        name="no-foreign-token", verdict=verdict, violations=2, detail="two seen", request_ids=request_ids
    )


def recovery(verdict: Decision) -> RecoveryResult:
    """A recovery so decided."""
    return RecoveryResult(verdict=verdict, recovery_s=None, limit_s=30, detail="never")


def budget(verdict: Decision) -> BudgetResult:
    """A budget so decided."""
    return BudgetResult(
        verdict=verdict,
        why=None,
        target=0.999,
        period_d=28,
        window_s=60,
        n=1,
        bad=1,
        effective_n=1,
        spent=1.0,
        spent_low=0.0,
        spent_high=1.0,
        spent_max=0.01,
        request_ids=(),
        detail="all spent",
    )


def test_one_of_each_word_is_told_in_the_order_of_their_weight() -> None:
    """What is refuted, what is distrusted, what is undecided; each in the order in which it was claimed."""
    told = {
        "invariant": "no-foreign-token: two seen: r1, r2",
        "objective": "ttft-fault: 1,111 bad of 2,345, target 0.95",
        "recovery": "recovery: never",
        "budget": "budget: all spent",
    }
    undecided = invariant("INCONCLUSIVE", "r1", "r2")
    trusted = (check(ok=True),)

    assert conclude(
        trusted,
        (objective("FAIL"), objective("PASS"), objective("INCONCLUSIVE")),
        (undecided, invariant("PASS")),
        recovery("FAIL"),
        budget("INCONCLUSIVE"),
    ) == (
        "FAIL",
        (
            f"{told['objective']}: r1, r2",
            told["recovery"],
            told["invariant"],
            told["objective"],
            told["budget"],
        ),
    )
    assert conclude(trusted, (), (undecided,), recovery("PASS"), budget("FAIL")) == (
        "FAIL",
        (told["budget"], told["invariant"]),
    )
    assert conclude(trusted, (objective("PASS"),), (), recovery("INCONCLUSIVE")) == (
        "INCONCLUSIVE",
        (told["recovery"],),
    )


def test_distrust_silences_all_but_counter_examples() -> None:
    """An invariant says what it saw, before and after what is distrusted."""
    checks = (check(ok=False, detail="one"), check(ok=True), check(ok=False, detail="two"))
    silenced = ((objective("FAIL"), objective("INCONCLUSIVE")), recovery("FAIL"), budget("FAIL"))
    objectives, recovered, spent = silenced

    assert conclude(checks, objectives, (), recovered, spent) == ("INVALID", ("one", "two"))
    assert conclude(checks, objectives, (invariant("PASS"),), recovered, spent) == ("INVALID", ("one", "two"))
    assert conclude(checks, objectives, (invariant("INCONCLUSIVE"),), recovered, spent) == (
        "INVALID",
        ("one", "two", "no-foreign-token: two seen"),
    )
    assert conclude(checks, objectives, (invariant("FAIL", "r1"),), recovered, spent) == (
        "FAIL",
        ("no-foreign-token: two seen: r1", "one", "two"),
    )


@pytest.mark.parametrize("claimed", ["objective", "invariant", "recovery", "budget"])
def test_any_one_claim_that_holds_is_a_pass_without_reasons(claimed: str) -> None:
    """Whichever it is, and no other."""
    assert conclude(
        (check(ok=True),),
        (objective("PASS"),) if claimed == "objective" else (),
        (invariant("PASS"),) if claimed == "invariant" else (),
        recovery("PASS") if claimed == "recovery" else None,
        budget("PASS") if claimed == "budget" else None,
    ) == ("PASS", ())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ""),
        ({"more_needed": 1500}, "; 1,500 more good requests would have decided it"),
        ({"more_needed": 1}, "; 1 more good requests would have decided it"),
        (
            {"more_needed": 1500, "slice_s": 2.5},
            "; 1,500 more good slices of 2.5 s would have decided it",
        ),
        (
            {"more_needed": 1500, "why": "correlated"},
            "; clumped: worth about 1,234 independent requests",
        ),
        ({"why": "correlated", "slice_s": 2.5}, "; clumped: worth about 1,234 independent slices of 2.5 s"),
        ({"more_needed": 7, "why": "thin"}, "; 7 more good requests would have decided it"),
    ],
)
def test_an_undecided_objective_says_what_is_lacking(changes: dict[str, Any], told: str) -> None:
    """Requests or slices, more of them or less alike."""
    assert conclude((), (objective("INCONCLUSIVE", **changes),), (), None) == (
        "INCONCLUSIVE",
        (f"ttft-fault: 1,111 bad of 2,345, target 0.95{told}",),
    )


def test_nothing_claimed_is_a_reason() -> None:
    """The one INCONCLUSIVE that no claim gives."""
    assert conclude((check(ok=True),), (), (), None) == ("INCONCLUSIVE", ("nothing was claimed",))
