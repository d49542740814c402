"""What the files that a scenario names must hold for a run to begin: its locustfile, and its experiment."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sealegs.scenario.toml_shape import KeyPath


def problems(keys: Mapping[str, Any], *, root: Path) -> Iterator[tuple[KeyPath, str]]:
    """What is wrong with the files that are there, and with what is asked of them: where, and in words."""
    locustfile = _named(keys.get("traffic"), "locustfile", root=root)
    if locustfile and (problem := _not_python(locustfile)):
        yield ("traffic", "locustfile"), f"'traffic.locustfile' is no Python: {problem}"
    asked = keys.get("experiment")
    path = _named(asked, "file", root=root)
    if path is None or not isinstance(asked, dict):
        return
    experiment, problem = _read(path)
    if problem:
        yield ("experiment", "file"), f"'experiment.file' is no experiment: {problem}"
        return
    known, variables = experiment.get("configuration"), asked.get("vars")
    names = sorted(known) if isinstance(known, dict) else []
    # Chaos Toolkit takes a variable that the experiment does not have without a word, and without effect.
    for key in variables if isinstance(variables, dict) else ():
        if key not in names:
            told = f"the configuration of {asked['file']} has {', '.join(names) or 'nothing'}"
            yield ("experiment", "vars", key), f"unknown key 'experiment.vars.{key}'; {told}"


def _named(table: object, key: str, *, root: Path) -> Path | None:
    """The file that a key of a table names, if it does and the file is there."""
    name = table.get(key) if isinstance(table, dict) else None
    path = root / name if isinstance(name, str) else None
    return path if path and path.is_file() else None


def _not_python(path: Path) -> str | None:
    """Why a file does not compile, and where; None when it does."""
    try:
        compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        return f"{path}:{error.lineno or 1}: {error.msg}"
    except (OSError, ValueError) as error:
        return f"{path}:1: {error}"
    return None


def _read(path: Path) -> tuple[dict[str, Any], str | None]:
    """An experiment, and why the file holds none."""
    try:
        experiment = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        return {}, f"{path}:{error.lineno}: not JSON: {error.msg}"
    except (OSError, UnicodeDecodeError) as error:
        return {}, f"{path}:1: cannot be read: {error}"
    if not isinstance(experiment, dict) or not _has_method(experiment):
        return {}, f"{path}:1: has no 'method', the list of its steps"
    return experiment, None


def _has_method(experiment: Mapping[str, Any]) -> bool:
    method = experiment.get("method")
    return isinstance(method, list) and bool(method)
