"""Plain JSON values into frozen dataclasses: the annotations say what a key must hold.

A record was written by us, but perhaps by another version, and a year of them is read for one page: each
class is looked at once, and the first thing that does not fit ends the reading.
"""

import dataclasses
import math
from collections.abc import Callable
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

Shape = TypeVar("Shape")
Reader = Callable[[Any], Any]


class ShapeError(ValueError):
    """A value is not what its place asks for; `path` leads to it."""

    def __init__(self, wanted: str) -> None:
        super().__init__(wanted)
        self.wanted = wanted
        self.path: list[str] = []

    def __str__(self) -> str:
        return f"{'.'.join(reversed(self.path)) or 'the document'} is not {self.wanted}"


def shaped(shape: type[Shape], value: object) -> Shape:
    """The value as an instance of a dataclass; keys that it does not know are ignored.

    Raises:
        ShapeError: a key is absent or holds something else; says which.
    """
    # mypy takes no class for hashable that is only known by a variable.
    kind: Any = shape
    made: Shape = _reader(kind)(value)
    return made


@cache
def _reader(kind: Any) -> Reader:  # noqa: ANN401  an annotation
    """What reads a value of an annotation."""
    if dataclasses.is_dataclass(kind):
        return _object_reader(kind)
    origin, of = get_origin(kind), get_args(kind)
    if origin is tuple:
        return _many(_reader(of[0]))
    if origin is dict:
        return _named(_reader(of[1]))
    if origin is Literal:
        return _one_of(frozenset(of))
    if origin is UnionType:
        inner = _reader(next(one for one in of if one is not NoneType))
        return lambda value: None if value is None else inner(value)
    return {str: _text, bool: _flag, int: _whole, float: _number}[kind]


def _object_reader(kind: Any) -> Reader:  # noqa: ANN401  a dataclass
    hints = get_type_hints(kind)
    fields = [
        (one.name, _reader(hints[one.name]), one.default is dataclasses.MISSING)
        for one in dataclasses.fields(kind)
    ]

    def read(value: Any) -> Any:  # noqa: ANN401  plain JSON
        if not isinstance(value, dict):
            raise ShapeError("an object")
        given = {}
        for name, reader, is_needed in fields:
            if name in value:
                try:
                    given[name] = reader(value[name])
                except ShapeError as error:
                    error.path.append(name)
                    raise
            elif is_needed:
                raise ShapeError(f"an object with {name}")
        return kind(**given)

    return read


def _many(inner: Reader) -> Reader:
    def read(value: Any) -> Any:  # noqa: ANN401  plain JSON
        if not isinstance(value, list):
            raise ShapeError("a list")
        return tuple(map(inner, value))

    return read


def _named(inner: Reader) -> Reader:
    def read(value: Any) -> Any:  # noqa: ANN401  plain JSON
        if not isinstance(value, dict):
            raise ShapeError("an object")
        return {key: inner(one) for key, one in value.items()}

    return read


def _one_of(words: frozenset[Any]) -> Reader:
    def read(value: Any) -> Any:  # noqa: ANN401  plain JSON
        if not isinstance(value, str) or value not in words:
            raise ShapeError(f"one of {', '.join(sorted(words))}")
        return value

    return read


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ShapeError("text")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ShapeError("true or false")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ShapeError("a whole number")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ShapeError("a finite number")
    return value
