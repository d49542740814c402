"""A Docker that is a few lines of shell: first on the path, at work in the test's own folder."""

import os
from pathlib import Path

import pytest

LOG = "asked"


def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cases: str) -> None:
    """`docker` answers as `cases` of a shell's ``case`` over all its words say; what it is asked is kept."""
    put(tmp_path, monkeypatch, f'#!/bin/sh\necho "$*" >> {LOG}\ncase "$*" in\n{cases}\nesac\n')


def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """`docker` is this program."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "docker").write_text(program)
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)


def asked(tmp_path: Path, word: str) -> list[str]:
    """What was asked that has a word in it, in order."""
    log = tmp_path / LOG
    return [line for line in log.read_text().splitlines() if word in line] if log.exists() else []
