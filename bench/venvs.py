"""A virtual environment for each peer, made when it is first needed and kept in the cache."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from harness import HERE, cache_dir

READY = ".ready"
PINS = HERE / "peers.toml"
NEWEST_MINOR = 14


class InstallError(Exception):
    """A peer cannot be had here; says what was tried."""


def bin_of(package: str) -> Path:
    """The folder of programs of the environment that has a package, installed when it is not there yet.

    Raises:
        InstallError: no fitting Python, or pip refused.
    """
    if package == "sealegs":
        return Path(sys.executable).parent
    wanted = tomllib.loads(PINS.read_text())[package]
    folder = cache_dir() / package
    pins = "\n".join(wanted["packages"]) + "\n"
    marker = folder / READY
    if not marker.exists() or marker.read_text() != pins:
        print(f"bench: installing {', '.join(wanted['packages'])} (once)", file=sys.stderr)
        _run([_python(wanted["python"]), "-m", "venv", str(folder)])
        _run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *wanted["packages"]])
        marker.write_text(pins)
    return folder / "bin"


def version_of(package: str, bin_dir: Path) -> str:
    """The version of a package in its environment."""
    if package == "sealegs":
        return importlib.metadata.version("sealegs") + _commit()
    asked = f"import importlib.metadata as m; print(m.version({package!r}))"
    said = subprocess.run([bin_dir / "python", "-c", asked], capture_output=True, text=True, check=True)
    return said.stdout.strip()


def _commit() -> str:
    """Which commit of ours, and whether files differ from it."""
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=HERE, capture_output=True, text=True, check=False
    )
    return f" ({said.stdout.strip()})" if said.returncode == 0 else ""


def _python(least: str) -> str:
    """A Python of at least a version: this one, one on PATH, or one of pyenv's."""
    minor = int(least.partition(".")[2])
    if sys.version_info >= (3, minor):
        return sys.executable
    for found in _pythons(minor):
        if subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0:
            return found
    raise InstallError(f"needs Python {least} or newer: none on PATH and none of pyenv's")


def _pythons(minor: int) -> Iterator[str]:
    """Where newer Pythons may be."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for one in range(minor, NEWEST_MINOR + 1):
        yield from filter(None, [shutil.which(f"python3.{one}")])
        yield from map(str, sorted(pyenv.glob(f"3.{one}.*/bin/python3")))


def _run(command: list[str]) -> None:
    """Run to success, or say the end of what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = " ".join((done.stderr or done.stdout).split())[-300:]
        raise InstallError(f"`{' '.join(command[-4:])}` failed: {last}")
