"""What `cluster up` compiles."""

import re
from pathlib import Path

import pytest

from sealegs.cluster import golang, images, up
from sealegs.cluster.places import HERE
from sealegs.cluster.progress import Progress


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Families in the order in which they were begun; nothing is really compiled, and no root made."""
    begun: list[str] = []

    def build(family: str) -> Path:
        begun.append(family)
        return Path(family)

    monkeypatch.setattr(golang, "build", build)
    monkeypatch.setattr(images, "slim", lambda: "slim")
    monkeypatch.setattr(images, "root", lambda name: name)
    return begun


@pytest.mark.parametrize("stock_image", [None, "kindest/node:v1.37.2"])
def test_every_family_is_compiled_once(compiled: list[str], stock_image: str | None) -> None:
    """All families are there under their names; a stock node image brings those of the node itself."""
    built = up.programs(Progress({}), stock_image=stock_image)

    wanted = set(golang.FAMILIES) - (up.NODE_FAMILIES if stock_image else set())
    assert built == {family: Path(family) for family in wanted}
    assert sorted(compiled) == sorted(wanted)


def test_the_go_asked_for_builds_every_family() -> None:
    """No go.mod asks for a newer Go than people are told to have."""
    lines = [
        re.findall(r"^go ([\d.]+)$", path.read_text(), re.MULTILINE)[0] for path in HERE.glob("go/*/go.mod")
    ]

    assert len(lines) == len(golang.FAMILIES)
    assert max(tuple(map(int, line.split("."))) for line in lines) == golang.GO_VERSION_MIN
