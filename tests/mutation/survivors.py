"""The file of survivors: changes of the judge that no test notices, each with the reason why none can."""

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).with_name("survivors.toml")
HEAD = """\
# Changes of the judge that no test notices, each with the reason why none can or need. Written by
# `make mutation`, which measures them; reasons are written by hand. [measured] has a hash of each file as it
# was when it was measured.
"""


@dataclass(frozen=True, kw_only=True)
class Survivor:
    """A change of one function that its tests did not notice: the line as it is, and as it was changed to."""

    function: str
    was: str
    now: str
    why: str

    @property
    def module(self) -> str:
        """The module of the function, such as ``stats``."""
        return self.function.split(".")[2]

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two changes the same one."""
        return self.function, self.was, self.now

    def because(self, why: str) -> Self:
        """The same with its reason."""
        return replace(self, why=why)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """File → hash of it when it was measured, and what survived then."""

    files: Mapping[str, str]
    survivors: tuple[Survivor, ...]


def read() -> Measured:
    """What ``survivors.toml`` says."""
    keys = tomllib.loads(FILE.read_text()) if FILE.exists() else {}
    return Measured(
        files=keys.get("measured", {}), survivors=tuple(Survivor(**one) for one in keys.get("survivor", ()))
    )


def measured_now() -> dict[str, str]:
    """File → hash of it now, of every file that is mutated."""
    mutated = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]["only_mutate"]
    return {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest()[:16] for name in mutated}


def written(files: Mapping[str, str], survivors: Iterable[Survivor]) -> str:
    """The text of ``survivors.toml``."""
    # A TOML basic string is escaped as a JSON one is.
    blocks = [
        "[[survivor]]\n"
        + "".join(
            f"{name} = {json.dumps(getattr(one, name), ensure_ascii=False)}\n"
            for name in ("function", "was", "now", "why")
        )
        for one in sorted(survivors, key=lambda one: one.key)
    ]
    measured = "[measured]\n" + "".join(f'"{name}" = "{digest}"\n' for name, digest in files.items())
    return "\n".join([HEAD, measured, *blocks])
