"""Bounds: a number within its limits passes, outside it fails, and no number at all decides nothing."""

import ast
import dataclasses
import inspect
import math
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.golden.case import FAULT_AT_S, VICTIM
from tests.golden.make_run import made_facts
from tests.unit.changes import samples_where, with_record, without_records

from sealegs import scenario
from sealegs.errors import ScenarioError
from sealegs.judgement.bounds import BoundResult
from sealegs.judgement.facts import Facts
from sealegs.judgement.measures import MEASURES
from sealegs.judgement.measures.measured import Measured
from sealegs.judgement.verdict import Verdict, decide
from sealegs.scenario import claim
from sealegs.scenario.claim import Bound

SCENARIO = Path(__file__).parents[1] / "golden" / "scenario.toml"


def judged(
    facts: Facts, measure: str, *, at_least: float | None = None, at_most: float | None = None
) -> tuple[BoundResult, Verdict]:
    """One bound of a run, alone, and the run's verdict."""
    bound = Bound(name="b", measure=measure, at_least=at_least, at_most=at_most)
    asked = dataclasses.replace(facts.scenario, bounds=(bound,))
    verdict = decide(dataclasses.replace(facts, scenario=asked))
    return verdict.bounds[0], verdict


def test_every_measure_that_a_scenario_may_name_exists() -> None:
    """The names in the file's schema are those that can be measured, and no others."""
    assert sorted(claim.MEASURES) == sorted(MEASURES)


def reads(function: Callable[..., Any], seen: set[Callable[..., Any]]) -> Iterator[str]:
    """The keys of its bound that a function reads, and that those do which it hands the bound on to."""
    seen.add(function)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "bound":
            yield node.attr
        elif isinstance(node, ast.Call) and "bound" in {
            getattr(one, "id", "") for one in (*node.args, *(word.value for word in node.keywords))
        }:
            assert isinstance(node.func, ast.Name), ast.unparse(node)
            given = inspect.unwrap(function).__globals__[node.func.id]
            assert "bound" in inspect.signature(given).parameters, node.func.id
            if given not in seen:
                yield from reads(given, seen)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_qualifiers_of_a_measure_are_those_that_it_reads(measure: str) -> None:
    """What a scenario may say of a bound is what its measure asks of it: by the source of both."""
    function = MEASURES[measure]
    whole = function.func if isinstance(function, partial) else function

    found = set(reads(whole, set())) & set(claim.QUALIFIERS)
    assert found == set(claim.MEASURES[measure])


def test_every_key_of_a_bound_is_a_limit_or_a_qualifier() -> None:
    """A new key cannot be forgotten: it tells whose or when, or it is none of those."""
    keys = {one.name for one in dataclasses.fields(Bound)}

    assert keys - set(claim.QUALIFIERS) == {"name", "measure", "at_least", "at_most"}


@pytest.mark.parametrize(
    ("at_least", "at_most", "word"),
    [
        (2, None, "PASS"),
        (None, 2, "PASS"),
        (2, 2, "PASS"),
        (3, None, "FAIL"),
        (None, 1, "FAIL"),
        (3, 4, "FAIL"),
    ],
)
def test_a_limit_itself_is_within(at_least: float | None, at_most: float | None, word: str) -> None:
    """The made-up drain leaves two engines ready at the least; either limit may be that number."""
    result, verdict = judged(made_facts("pass"), "ready-min", at_least=at_least, at_most=at_most)

    assert (result.verdict, result.value) == (word, 2)
    assert (verdict.verdict == "FAIL") == (word == "FAIL")
    assert any(reason.startswith("b: ") for reason in verdict.reasons) == (word == "FAIL")


def test_what_was_not_measured_decides_nothing() -> None:
    """Samples without the app are no zero: INCONCLUSIVE, and so is the run."""
    facts = samples_where(made_facts("pass"), lambda _: True, ready={"llm-api": 2})

    result, verdict = judged(facts, "ready-min", at_most=99)

    assert (result.verdict, result.value) == ("INCONCLUSIVE", None)
    assert verdict.verdict in {"INCONCLUSIVE", "INVALID"}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_number_lies_within_no_limit(monkeypatch: pytest.MonkeyPatch, value: float) -> None:
    """What damaged evidence makes of a measure is not within limits for comparing as false."""
    odd = Measured(value=value, detail="odd")
    monkeypatch.setattr("sealegs.judgement.bounds.MEASURES", {"ready-min": lambda *_: odd})

    result, _ = judged(made_facts("pass"), "ready-min", at_most=99)

    assert (result.verdict, result.value) == ("INCONCLUSIVE", None)


def test_evidence_that_cannot_be_trusted_silences_a_bound() -> None:
    """In a run that did not finish a number outside its limits is no counter-example."""
    facts = without_records(made_facts("pass"), kind="phase", name="end")

    result, verdict = judged(facts, "ready-min", at_least=3)

    assert (result.verdict, verdict.verdict) == ("FAIL", "INVALID")


@pytest.mark.parametrize(("restarts", "seen"), [(0, 0), (1, 1), (3, 3)])
def test_restarts_are_those_since_the_baseline_began(restarts: int, seen: int) -> None:
    """What a container's status counts beyond what it had before; a pod seen once tells what it had."""
    facts = made_facts("pass")
    (first, *_) = (one for one in facts.of_kind("pod") if one["name"] == VICTIM)
    again = {**first, "t_s": FAULT_AT_S + 1, "restarts": restarts}

    result, _ = judged(with_record(facts, **again), "restarts", at_most=0)

    assert (result.value, result.verdict) == (seen, "FAIL" if seen else "PASS")
    assert (VICTIM in result.detail) == bool(seen)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('name = "b"\nmeasure = "ready-min"', "limits nothing"),
        ('name = "b"\nmeasure = "ready-min"\nat_least = 3\nat_most = 2', "at_least is more than at_most"),
        ('name = "success-fault"\nmeasure = "ready-min"\nat_least = 3', "two claims are named"),
        ('name = "b"\nmeasure = "readiness"\nat_least = 3', "unknown 'readiness'"),
        ('name = "b"\nmeasure = "alert-after-s"\nat_most = 3', "is about an 'alert'"),
        (
            'name = "b"\nmeasure = "ready-min"\nalert = "NoData"\nat_least = 3',
            r"toml:93: bound 'b': ready-min does not read 'alert'; of its kind it reads app, phase",
        ),
        (
            'name = "b"\nmeasure = "lost-beyond-target"\nphase = "baseline"\nat_most = 3',
            "lost-beyond-target does not read 'phase'; of its kind it reads none",
        ),
        (
            'name = "b"\nmeasure = "ready-min"\napp = "llm-apl"\nat_least = 3',
            "unknown 'llm-apl'; known: llm-i",
        ),
        (
            'name = "b"\nmeasure = "ejected-max"\nobserver = "envoy"\nat_most = 3',
            "unknown 'envoy'; known: llm-api, istio-ingressgateway",
        ),
        (
            'name = "b"\nmeasure = "silent-s-max"\nprofile = "code"\nat_most = 3',
            r"toml:93: bound 'b': unknown 'code'; \[traffic\] sends chat",
        ),
        (
            'name = "b"\nmeasure = "silent-s-max"\nmodel_type = "gpt4"\nat_most = 3',
            r"unknown 'gpt4'; \[traffic\] sends default",
        ),
    ],
)
def test_a_bound_that_says_nothing_is_refused(lines: str, said: str, tmp_path: Path) -> None:
    """No limit, or two that nothing meets, a name twice, or a word that its measure cannot take: by line."""
    path = tmp_path / "scenario.toml"
    path.write_text(f"{SCENARIO.read_text()}\n[[bounds]]\n{lines}\n")

    with pytest.raises(ScenarioError, match=said):
        scenario.load_scenario(path, files_exist=False)
