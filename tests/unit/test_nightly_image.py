"""The CronJob's image is one that the CronJob can run, made of files that are there."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "nightly"


@pytest.fixture(scope="module")
def recipe() -> dict[str, list[str]]:
    """Each instruction of the Dockerfile and what it is given, in order; comments are "#"."""
    found: dict[str, list[str]] = {}
    for line in (FOLDER / "Dockerfile").read_text().splitlines():
        word, _, rest = line.partition(" ")
        found.setdefault(word, []).append(rest)
    return found


@pytest.fixture(scope="module")
def pod() -> dict[str, Any]:
    """The CronJob's pod."""
    (job,) = (
        one for one in yaml.safe_load_all((FOLDER / "cronjob.yaml").read_text()) if one["kind"] == "CronJob"
    )
    spec: dict[str, Any] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return spec


def test_the_pod_finds_its_program(recipe: dict[str, list[str]], pod: dict[str, Any]) -> None:
    """The name, the user and the place of the command are the same on both sides."""
    (container,) = pod["containers"]
    (folder,), (user,) = recipe["WORKDIR"], recipe["USER"]

    assert any(f"-t {container['image']} " in comment for comment in recipe["#"])
    assert recipe["ENTRYPOINT"] == [f'["{container["command"][0]}"]']
    assert container["command"][0] == f"{folder}/.venv/bin/sealegs"
    assert user.partition(":")[0] == str(pod["securityContext"]["runAsUser"])


def test_what_goes_in_is_there(recipe: dict[str, list[str]]) -> None:
    """Each copied file is in the repository, and so are those that installing the package reads."""
    copied = {name for given in recipe["COPY"] for name in given.split()[:-1]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    made_of = re.findall(r"^\$\(READY\): (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()

    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert {"Makefile", "src", "stack", *made_of, project["readme"], *project["license-files"]} == copied


def test_no_registry_is_named(recipe: dict[str, list[str]]) -> None:
    """The base is a short name, and whoever has another registry gives another one."""
    assert recipe["FROM"] == ["${BASE}"]
    assert re.fullmatch(r"BASE=[a-z]+:[\w.-]+", recipe["ARG"][0])
