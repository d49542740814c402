"""Two runs beside each other: what a person reads of them."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from tests.golden.make_run import made_facts
from tests.unit.judged import ENDS

from sealegs.compare import Side, comparison, first_token_waits, incomparable, side_of
from sealegs.doors import WIDTH

Change = Callable[[Side], Side]
DIFFERENCES = {"better", "worse", "none shown", "no requests"}


@cache
def side(case: str) -> Side:
    """A made-up run, judged."""
    return side_of(made_facts(case))


@cache
def lines(a: str, b: str) -> tuple[str, ...]:
    """Two made-up runs beside each other."""
    return tuple(comparison(side(a), side(b)))


def worth(one: Side, share: float) -> Side:
    """The same run, whose requests are worth so many independent ones each."""
    objectives = [replace(own, effective_n=round(own.n * share)) for own in one.verdict.objectives]
    return replace(one, verdict=replace(one.verdict, objectives=tuple(objectives)))


def differences(told: tuple[str, ...]) -> list[str]:
    """The word that each objective's difference has."""
    found = [re.split(r" {2,}", line.strip()) for line in told if line.strip().startswith("B-A")]
    return [row[1] for row in found]


def with_run(**keys: Any) -> Change:  # noqa: ANN401  plain JSON
    """The same run, of which run.json says something else."""
    return lambda one: replace(one, facts=replace(one.facts, run=dict(one.facts.run) | keys))


def with_scenario(**keys: Any) -> Change:  # noqa: ANN401  any field
    """The same run of another scenario."""
    return lambda one: replace(one, facts=replace(one.facts, scenario=replace(one.facts.scenario, **keys)))


def with_traffic(**keys: Any) -> Change:  # noqa: ANN401  any field
    """The same run under other traffic."""
    traffic = side("pass").facts.scenario.traffic
    return with_scenario(traffic=replace(traffic, **keys))


@pytest.mark.parametrize("b", ENDS)
def test_both_verdicts_and_every_claim_are_there(b: str) -> None:
    """Both words, three rows for each objective, each invariant, recovery, each phase twice; it all fits."""
    told = lines("pass", b)
    text = "\n".join(told)
    verdict = side(b).verdict

    assert told[1].startswith("A  ✓ PASS")
    assert f"B  {told[2].split()[1]} {ENDS[b]}  {verdict.run_id}" == told[2]
    assert len(differences(told)) == len(verdict.objectives)
    assert all(f"  {law.name} " in text for law in verdict.invariants)
    assert sum(line.startswith("  recovery ") for line in told) == 2
    assert sum(line.count("[") == 3 for line in told[1:]) == 1 + 2 * 4
    assert max(map(len, told)) <= WIDTH


def test_a_run_does_not_differ_from_itself() -> None:
    """No difference is shown, and nothing keeps them apart."""
    told = lines("pass", "pass")

    assert incomparable(side("pass"), side("pass")) == []
    assert set(differences(told)) == {"none shown"}
    assert "Not comparable" not in "\n".join(told)


def test_what_was_spent_and_lost_stands_beside_each_other() -> None:
    """Each cause that either run has, with the count of both."""
    told = [line.split() for line in comparison(side("pass"), side("fail-truncated"))]

    assert ["error", "budget", "spent", "PASS,", "0.000%", "PASS,", "0.034%"] in told
    assert [line for line in told if line[:1] == ["lost:"]] == [["lost:", "fault", "0", "7"]]


def test_cut_streams_show_as_worse_and_the_other_way_round_as_better() -> None:
    """Where streams were cut and only there, by the sign of the difference; a few make no slice a bad one."""
    names = [one.name for one in side("pass").verdict.objectives]
    whole, broken = side("pass"), worth(side("fail-truncated"), 1)
    cut = dict(zip(names, differences(tuple(comparison(whole, broken))), strict=True))
    mended = dict(zip(names, differences(tuple(comparison(broken, whole))), strict=True))

    assert cut == {
        name: "none shown" if name.endswith("baseline") or name == "slices-run" else "worse" for name in names
    }
    assert mended == {
        name: "none shown" if name.endswith("baseline") or name == "slices-run" else "better"
        for name in names
    }


@pytest.mark.parametrize("case", [case for case, word in ENDS.items() if word == "INVALID"])
def test_of_an_invalid_run_nothing_follows(case: str) -> None:
    """It is said which run is not to be trusted and why, and every difference is in parentheses."""
    for a, b, name in (("pass", case, "B"), (case, "pass", "A")):
        told = lines(a, b)
        text = " ".join(" ".join(told).split())

        failed = next(check.detail for check in side(case).verdict.validity.checks if not check.ok)
        assert f"Not comparable: the evidence of {name} cannot be trusted ({failed}" in text
        assert all(word.startswith("(") and word.endswith(")") for word in differences(told))
        assert {word[1:-1] for word in differences(told)} <= DIFFERENCES


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (with_scenario(name="other"), "another scenario: gpu-node-drain in A, other in B"),
        (with_run(seed=9), "another seed: 8 in A, 9 in B"),
        (
            with_traffic(profiles={"chat": 0.4, "code": 0.6}),
            "another profile: chat 100% in A, chat 40% and code 60% in B",
        ),
        (with_traffic(whole=("chat",)), "another asked for whole: none in A, chat in B"),
        (with_traffic(model_types={"gpt4": 1.0}), "another models: default in A, gpt4 1 in B"),
        (with_traffic(rate_rps=9.0), "another rate: 8.5/s poisson in A, 9/s poisson in B"),
        (with_run(commit="f" * 40), "another commit: 0123456789ab in A, ffffffffffff in B"),
        (
            with_run(dirty=True),
            "another commit: 0123456789ab in A, 0123456789ab with uncommitted changes in B",
        ),
        (with_scenario(stack_mutant="x"), "another stack: kind in A, kind x in B"),
        (with_scenario(experiment_vars={"n": 1}), "another experiment's variables: none in A, n=1 in B"),
    ],
)
def test_what_is_not_the_same_is_said(change: Change, said: str) -> None:
    """One sentence for each thing that makes a difference say nothing about the system."""
    a, b = side("pass"), change(side("pass"))
    text = " ".join(" ".join(comparison(a, b)).split())

    assert incomparable(a, b) == [said]
    assert f"Not comparable: {said}." in text
    assert "(none shown)" in text


def test_two_unknown_commits_may_differ() -> None:
    """Outside a repository nobody knows whether both ran the same code."""
    unknown = with_run(commit=None)(side("pass"))

    assert incomparable(unknown, unknown) == ["neither says of which commit it is, which may not be the same"]


def test_uncommitted_changes_on_both_sides_may_differ() -> None:
    """The same commit says nothing when neither ran it."""
    dirty = with_run(dirty=True)(side("pass"))

    assert incomparable(dirty, dirty) == ["both ran with uncommitted changes, which may not be the same"]


def test_requests_that_went_bad_together_count_for_what_they_are_worth() -> None:
    """The same shares show a difference of independent requests and none of a few clumps."""
    whole, broken = side("pass"), side("fail-truncated")
    free, clumped = (tuple(comparison(whole, worth(broken, share))) for share in (1, 0.1))

    assert "worse" in differences(free)
    assert set(differences(clumped)) == {"none shown"}
    assert [sum("2.41 pp" in line for line in told) for told in (free, clumped)] == [2, 2]


def test_objectives_that_are_not_the_same_have_no_difference() -> None:
    """A limit that was changed, and an objective that only one run has, are said to be so."""
    one = side("pass")
    kept = one.verdict.objectives[:-1]
    other = replace(kept[-1], limit_s=9.0)
    changed = replace(one, verdict=replace(one.verdict, objectives=(*kept[:-1], other)))
    told = tuple(comparison(one, changed))

    assert differences(told)[-2:] == ["not the same claim"] * 2
    assert sum("not claimed" in line for line in told) == 1


def test_first_tokens_that_never_came_are_not_left_out() -> None:
    """A run that refuses one in twenty is not the faster for it: every request of the phase counts."""
    refused = side("invalid-baseline")
    waited_s = first_token_waits(refused.fates, "baseline")
    counts = {one.name: one for one in refused.verdict.phases}["baseline"]

    assert len(waited_s) == counts.planned
    assert int(np.isinf(waited_s).sum()) == counts.planned - counts.ok
    assert any("never" in line for line in lines("pass", "invalid-baseline"))
