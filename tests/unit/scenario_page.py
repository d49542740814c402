"""``docs/scenario.md``: what a scenario may say, from the code that reads one and the words beside it.

``python -m tests.unit.scenario_page`` writes it.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from inspect import cleandoc
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from tests.unit.scenario_words import EXAMPLE, HEAD, INTROS, MEANINGS

from sealegs.judgement import measures
from sealegs.judgement.invariants import INVARIANTS
from sealegs.judgement.slo import INDICATORS
from sealegs.scenario import _File, arrivals, claim
from sealegs.scenario.toml_shape import Choice, Range, _bare, _wanted
from sealegs.scenario.workload import PROFILES

PAGE = Path(__file__).parents[2] / "docs" / "scenario.md"
MISSING = "\N{EN DASH}"
# Words of a key that are many stand in a table of their own, or on another page.
ELSEWHERE = {
    tuple(claim.MEASURES): "a [measure](#measures)",
    PROFILES: "a [profile](../README.md#the-traffic)",
}
STEP = "a step of `sealegs.judgement.ladder`"


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, f"```toml\n{EXAMPLE}```\n", *_tables(_File, at="", needed=True)])


def keys(shape: type[Any] = _File, *, at: str = "") -> Iterator[tuple[str, str, type[Any]]]:
    """Every key of a scenario's file that holds no table of ours: its table, its name, and whose it is."""
    for one, table in _fields(shape):
        if table is None:
            yield at, one.name, shape
        else:
            yield from keys(table, at=f"{at}.{one.name}".lstrip("."))


def meaning_of(at: str, name: str, shape: type[Any]) -> str:
    """What a key means: as its class says, or else the words."""
    told = attributes(shape)
    return told[name] if told else MEANINGS[word_of(at, name)]


def attributes(shape: type[Any]) -> dict[str, str]:
    """What a docstring's Attributes say of each; nothing where it has none."""
    _, _, section = cleandoc(shape.__doc__ or "").partition("Attributes:\n")
    lines = re.sub(r"\n {8,}", " ", section)
    return {name: told.rstrip(".") for name, told in re.findall(r"^ {4}(\w+): (.*)$", lines, re.MULTILINE)}


def word_of(at: str, name: str) -> str:
    """Under which word the meaning of a key stands: the last part of its table's name, and its own."""
    return f"{at.rpartition('.')[2]}.{name}".lstrip(".")


def _fields(shape: type[Any]) -> Iterator[tuple[dataclasses.Field[Any], type[Any] | None]]:
    """Each field, and the class of the table that it holds, if it holds one, or an array of them."""
    hints = get_type_hints(shape, include_extras=True)
    for one in dataclasses.fields(shape):
        hint, _ = _bare(hints[one.name])
        inner = get_args(hint)[0] if get_origin(hint) is tuple else hint
        yield one, inner if isinstance(inner, type) and dataclasses.is_dataclass(inner) else None


def _tables(shape: type[Any], *, at: str, needed: bool, many: bool = False) -> Iterator[str]:
    """The section of one table of the file, and after it those of the tables in it."""
    hints = get_type_hints(shape, include_extras=True)
    header = f"`[[{at}]]`" if many else f"`[{at}]`" if at else "Keys of the file"
    told = INTROS.get(at) or " ".join((shape.__doc__ or "").split("\n\n")[0].split())
    again = " As many as there are such claims." if many else ""
    yield f"## {header}\n\n{told}{again}{'' if needed or many else ' May be left out.'}\n"
    rows, inner = [], []
    for one, table in _fields(shape):
        if table is None:
            meaning = meaning_of(at, one.name, shape)
            rows.append((f"`{one.name}`", _holds(hints[one.name]), _default(one), meaning))
        else:
            inner.append((one, table))
    yield _table(("key", "holds", "default", "means"), rows)
    yield from BELOW[at]() if at in BELOW else ()
    for one, table in inner:
        path = f"{at}.{one.name}".lstrip(".")
        several = get_origin(_bare(hints[one.name])[0]) is tuple
        yield from _tables(table, at=path, needed=_is_needed(one), many=several)


def _holds(hint: object) -> str:
    """What a key accepts, in words."""
    bare, rules = _bare(hint)
    if get_origin(bare) is tuple:
        return f"an array, each {_holds(get_args(bare)[0])}"
    if get_origin(bare) is Mapping:
        return "a table" if get_args(bare)[1] is Any else f"a table, each {_holds(get_args(bare)[1])}"
    return ", ".join(_ruled(_wanted(bare), rules))


def _ruled(wanted: str, rules: Iterable[Range | Choice]) -> Iterator[str]:
    """A kind of value and what its rules leave of it."""
    rules = list(rules)
    if not any(isinstance(rule, Choice) for rule in rules):
        yield wanted
    for rule in rules:
        if isinstance(rule, Choice):
            yield ELSEWHERE.get(rule.words) or f"one of {_names(rule.words)}"
        else:
            ends = (("at least", rule.least), ("more than", rule.above), ("at most", rule.most))
            told = [
                f"{word} {end:g}" for word, end in (*ends, ("less than", rule.below)) if math.isfinite(end)
            ]
            yield " and ".join(told)


def _is_needed(one: dataclasses.Field[Any]) -> bool:
    return one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING


def _default(one: dataclasses.Field[Any]) -> str:
    """What a key is where the file does not have it."""
    if _is_needed(one):
        return "needed"
    value = one.default
    return (
        f"`{value:g}`"
        if isinstance(value, int | float)
        else f"`{value}`"
        if isinstance(value, str) and value
        else MISSING
    )


def _arrivals() -> Iterator[str]:
    """Which parameters go with which kind of arrivals."""
    yield "### Kinds of arrivals\n"
    rows = [
        (f"`{kind}`", _names(needed), _names(arrivals.TAKES.get(kind, ())))
        for kind, needed in arrivals.NEEDS.items()
    ]
    yield _table(("kind", "needs", "takes too"), rows)


def _indicators() -> Iterator[str]:
    yield "### Indicators\n\nWhat failed, was never sent or left no row is not good, whichever it is.\n"
    rows = [(f"`{name}`", _first_line(INDICATORS[name]).removeprefix("Good: ")) for name in claim.SLIS]
    yield _table(("sli", "a request is good that was"), rows)


def _invariants() -> Iterator[str]:
    yield "### Invariants\n"
    yield _table(
        ("invariant", "holds when"),
        [(f"`{name}`", _first_line(INVARIANTS[name])) for name in claim.INVARIANTS],
    )


def _measures() -> Iterator[str]:
    """Every measure, and what of a bound beside its limits it reads."""
    yield (
        "### Measures\n\nThe target is what the experiment hit. The app, the phase and the others are the "
        "bound's own keys: it may have those that its measure reads, and no others.\n"
        "What was not seen has no number, and the bound is INCONCLUSIVE.\n"
    )
    rows = [
        (f"`{name}`", _measured(measures.MEASURES[name]), _names(read))
        for name, read in claim.MEASURES.items()
    ]
    yield _table(("measure", "is", "reads"), rows)


def _measured(measure: Callable[..., Any]) -> str:
    """What a measure is of; of those that are one function for many steps, which step."""
    if not isinstance(measure, partial):
        return _first_line(measure)
    told = _first_line(measure.func)
    if STEP not in told:
        raise ValueError(f"{measure.func.__name__} no longer speaks of {STEP}")
    return told.replace(STEP, f"the step *{measure.keywords['step']}*")


def _first_line(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").partition("\n")[0]


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or MISSING


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |\n" for row in lines)


# What follows the table of one part of the file.
BELOW = {
    "": _invariants,
    "traffic.arrivals": _arrivals,
    "objectives": _indicators,
    "bounds": _measures,
}

if __name__ == "__main__":
    PAGE.write_text(page())
