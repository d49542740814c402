"""TOML text into frozen dataclasses: the annotations are the schema, and every problem has its line.

A field's type says what its key must hold; ``Annotated`` adds a range or a choice; a default makes it
optional.
`tomllib` keeps no positions, so `lines_of` finds them again by a scan that only knows tables and keys.
"""

import dataclasses
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

KeyPath: TypeAlias = tuple[str | int, ...]
Shape = TypeVar("Shape")

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"^\s*([\w.\"'-]+(?:\s*\.\s*[\w\"'-]+)*)\s*=")
# What each annotation accepts from TOML, and its name for people.
_SCALARS: dict[object, tuple[tuple[type, ...], str]] = {
    str: ((str,), "text"),
    float: ((int, float), "a number"),
    int: ((int,), "a whole number"),
    bool: ((bool,), "true or false"),
    Path: ((str,), "a file's path"),
}


@dataclass(frozen=True, kw_only=True)
class Range:
    """Numbers that a key accepts."""

    least: float = -math.inf
    above: float = -math.inf
    most: float = math.inf
    below: float = math.inf

    def refusal(self, value: float) -> str | None:
        """What is wrong with a number, or None."""
        if self.least <= value <= self.most and self.above < value < self.below:
            return None
        bounds = (
            ("at least", self.least),
            ("more than", self.above),
            ("at most", self.most),
            ("less than", self.below),
        )
        wanted = " and ".join(f"{word} {bound:g}" for word, bound in bounds if math.isfinite(bound))
        return f"must be {wanted or 'a finite number'}, is {value:g}"


@dataclass(frozen=True)
class Choice:
    """Words that a key accepts."""

    words: tuple[str, ...]

    def refusal(self, value: str) -> str | None:
        """What is wrong with a word, or None."""
        return None if value in self.words else f"unknown {value!r}; known: {', '.join(self.words)}"


@dataclass
class Document:
    """One TOML file being read: its text's lines, where paths in it start from, and what is wrong with it."""

    path: Path
    root: Path
    files_exist: bool = True
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def in_order(self) -> list[str]:
        """The problems in the order of their lines."""
        return sorted(
            self.problems, key=lambda problem: int(problem.removeprefix(f"{self.path}:").split(":")[0])
        )

    def report(self, at: KeyPath, problem: str) -> None:
        """Note a problem of a key, with the line of the key or of the nearest table around it."""
        known = next((self.lines[at[:end]] for end in range(len(at), 0, -1) if at[:end] in self.lines), 1)
        entry = f"{self.path}:{known}: {problem}"
        if entry not in self.problems:
            self.problems.append(entry)


def open_document(path: Path, *, root: Path, files_exist: bool = True) -> tuple[Document, dict[str, Any]]:
    """Parse one file. A file that is absent or not TOML gives one problem and no keys.

    With `files_exist`, a path in it that names no file is a problem too.
    """
    document = Document(path, root, files_exist)
    try:
        text = path.read_text(encoding="utf-8")
        keys = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        document.report((), f"cannot be read: {error}")
        return document, {}
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"at line (\d+)", str(error))
        # What is missing at the end of the file has no line of its own.
        document.lines = {("",): int(place.group(1)) if place else text.count("\n")}
        document.report(("",), f"not TOML: {error}")
        return document, {}
    document.lines = lines_of(text)
    return document, keys


def lines_of(text: str) -> dict[KeyPath, int]:
    """Line of each key and table, from 1; an entry of an array of tables has its index in the path."""
    lines: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    inside_string = False
    for number, line in enumerate(text.splitlines(), 1):
        if not inside_string:
            if header := _HEADER.match(line):
                table = _opened(header.group(2), counts, is_array=header.group(1) == "[[")
                lines.setdefault(table, number)
            elif key := _KEY.match(line):
                lines.setdefault((*table, *_names(key.group(1))), number)
        # A key-like line inside a multi-line string is text.
        inside_string ^= (line.count('"""') + line.count("'''")) % 2 == 1
    return lines


def _names(dotted: str) -> tuple[str, ...]:
    """Parts of a dotted key. Quoted parts that hold dots themselves are not used in our files."""
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _opened(dotted: str, counts: dict[KeyPath, int], *, is_array: bool) -> KeyPath:
    """Path of the table that a header opens."""
    path: KeyPath = ()
    names = _names(dotted)
    for position, name in enumerate(names, 1):
        path = (*path, name)
        if is_array and position == len(names):
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def build(
    shape: type[Shape], keys: Mapping[str, Any], *, document: Document, at: KeyPath = ()
) -> Shape | None:
    """A dataclass from a table; None, and the problems noted, when any key of it is wrong."""
    before = len(document.problems)
    hints = get_type_hints(shape, include_extras=True)
    for key in keys.keys() - hints.keys():
        document.report((*at, key), f"unknown key {dotted((*at, key))!r}; known here: {', '.join(hints)}")
    values: dict[str, Any] = {}
    for one in dataclasses.fields(shape):  # type: ignore[arg-type]
        here = (*at, one.name)
        if one.name in keys:
            values[one.name] = _value(hints[one.name], keys[one.name], document=document, at=here)
        elif one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING:
            document.report(here, f"missing {dotted(here)!r}, {_wanted(hints[one.name])}")
    return shape(**values) if len(document.problems) == before else None


def dotted(at: KeyPath) -> str:
    """A key's path as people write it: ``objectives[2].target``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at).lstrip(".")


def _value(hint: object, value: object, *, document: Document, at: KeyPath) -> object:
    """One value checked against its annotation; what is wrong is noted."""
    hint, rules = _bare(hint)
    origin = get_origin(hint)
    if origin is tuple:
        return tuple(_items(get_args(hint)[0], value, document=document, at=at))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return build(hint, value, document=document, at=at)
    if origin is Mapping and isinstance(value, dict):
        return dict(_entries(get_args(hint), value, document=document, at=at))
    accepted, _ = _SCALARS.get(hint, ((), ""))
    # To Python a bool is an int; to a person it is not a number.
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        document.report(at, f"{dotted(at)!r} must be {_wanted(hint)}, is {value!r}")
        return None
    for refusal in _refusals(value, rules):
        document.report(at, f"{dotted(at)!r} {refusal}")
    if hint is Path:
        return _file(Path(str(value)), document=document, at=at)
    return float(value) if hint is float and isinstance(value, int) else value


def _refusals(value: object, rules: tuple[Range | Choice, ...]) -> Iterator[str]:
    """What the rules of a key have against a value of the right type."""
    if isinstance(value, float) and not math.isfinite(value):
        rules = (Range(),)
    for rule in rules:
        if isinstance(rule, Choice):
            refusal = rule.refusal(str(value))
        else:
            refusal = rule.refusal(value) if isinstance(value, int | float) else None
        if refusal:
            yield refusal


def _items(hint: object, value: object, *, document: Document, at: KeyPath) -> Iterator[object]:
    """Each entry of an array, checked."""
    if not isinstance(value, list):
        document.report(at, f"{dotted(at)!r} must be an array of {_wanted(hint)}, is {value!r}")
        return
    for index, entry in enumerate(value):
        yield _value(hint, entry, document=document, at=(*at, index))


def _entries(
    hints: tuple[object, ...], table: Mapping[str, object], *, document: Document, at: KeyPath
) -> Iterator[tuple[str, object]]:
    """Each entry of a table whose keys are the file's own, checked."""
    for_key, for_value = hints
    _, rules = _bare(for_key)
    for key, value in table.items():
        here = (*at, key)
        for refusal in _refusals(key, rules):
            document.report(here, f"{dotted(at)!r} has {refusal}")
        yield key, value if for_value is Any else _value(for_value, value, document=document, at=here)


def _file(relative: Path, *, document: Document, at: KeyPath) -> Path:
    """A path resolved against the root; a file that is not there is a problem."""
    path = document.root / relative
    if document.files_exist and not path.is_file():
        document.report(at, f"{dotted(at)!r} names no file: {relative} (looked in {document.root})")
    return path


def _bare(hint: object) -> tuple[object, tuple[Range | Choice, ...]]:
    """An annotation without its rules and without ``| None``, and the rules."""
    rules: tuple[Range | Choice, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *found = get_args(hint)
        rules = tuple(found)
    if get_origin(hint) is Literal:
        return str, (Choice(get_args(hint)),)
    if get_origin(hint) in {Union, UnionType}:
        inner, more = _bare(next(one for one in get_args(hint) if one is not NoneType))
        return inner, (*rules, *more)
    return hint, rules


def _wanted(hint: object) -> str:
    """An annotation in words."""
    hint, _ = _bare(hint)
    if dataclasses.is_dataclass(hint) or get_origin(hint) is Mapping:
        return "a table"
    if get_origin(hint) is tuple:
        return f"an array of {_wanted(get_args(hint)[0])}"
    _, words = _SCALARS[hint]
    return words
