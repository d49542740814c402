"""What was built is kept, and what was built by halves never is; two processes never build at once."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sealegs.cluster import cache
from sealegs.errors import ClusterError
from sealegs.waiting import wait_until

HOLDER = """
import sys
from pathlib import Path
from sealegs.cluster.cache import lock
with lock():
    print("held", flush=True)
    sys.stdin.read()
    Path(sys.argv[1]).touch()
"""


class Killed(BaseException):
    """A build that ends without a chance to tidy up."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    return cache.cache_dir()


def build(name: str = "thing", *, inputs: str = "1", text: str = "built") -> Path:
    """An artefact of one file."""
    return cache.artefact(name, inputs=[inputs], build=lambda into: put(into / "file", text))


def put(path: Path, text: str) -> None:
    """Write a file."""
    path.write_text(text)


def test_an_artefact_is_built_once() -> None:
    """The second time nothing is built: what stands under the same inputs is taken."""
    first = build(text="first")

    assert build(text="second") == first
    assert (first / "file").read_text() == "first"


def test_an_interrupted_build_is_never_used(folder: Path) -> None:
    """What a killed build left does not count, is not mixed into the next one, and does not stay."""

    def killed(into: Path) -> None:
        put(into / "half", "")
        raise Killed

    with pytest.raises(Killed):
        cache.artefact("thing", inputs=["1"], build=killed)
    assert not cache.artefact_path("thing", inputs=["1"]).exists()

    made = build()

    assert [path.name for path in made.iterdir()] == ["file"]
    assert list(folder.iterdir()) == [made]


def test_only_the_version_of_these_inputs_stays(folder: Path) -> None:
    """Once the new version stands the old one goes; artefacts whose names begin alike are left alone."""
    old = build(inputs="1")
    neighbours = [build("thing-else"), folder / "thing-else-0123456789ab.part", folder / "thing.json"]
    for one in neighbours[1:]:
        one.mkdir()

    new = build(inputs="2")

    assert sorted(folder.iterdir()) == sorted([new, *neighbours])
    assert not old.exists()


def test_a_version_stays_until_the_next_stands() -> None:
    """A build that fails costs nothing that was there."""
    old = build(inputs="1")

    def failing(_: Path) -> None:
        raise ClusterError("no compiler")

    with pytest.raises(ClusterError):
        cache.artefact("thing", inputs=["2"], build=failing)

    assert old.is_dir()


def test_a_name_may_hold_a_dot() -> None:
    """Two names that differ after a dot are two artefacts, also while they are made."""

    def outer(into: Path) -> None:
        put(into / "inner", str(build("go1.25")))

    made = cache.artefact("go1.24", inputs=["1"], build=outer)

    assert [path.name for path in made.iterdir()] == ["inner"]


CHANGES: dict[str, Callable[[Path], Any]] = {
    "content": lambda root: (root / "a.sh").write_text("echo 2\n"),
    "name": lambda root: (root / "a.sh").rename(root / "b.sh"),
    "exec bit": lambda root: (root / "a.sh").chmod(0o755),
    "place": lambda root: shutil.move(root / "a.sh", root / "below"),
    "one more": lambda root: (root / "below" / "new").touch(),
}


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder of sources."""
    (tmp_path / "sources" / "below" / "__pycache__").mkdir(parents=True)
    (tmp_path / "sources" / "a.sh").write_text("echo 1\n")
    (tmp_path / "sources" / "a.sh").chmod(0o644)
    return tmp_path / "sources"


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_digest_changes_with_its_inputs(sources: Path, change: Callable[[Path], Any]) -> None:
    """Whatever of the files could matter to a build changes it."""
    before = cache.digest([sources])
    change(sources)

    assert re.fullmatch(r"[0-9a-f]{12}", before)
    assert cache.digest([sources]) != before


def test_a_digest_does_not_change_with_what_python_leaves(sources: Path) -> None:
    """Bytecode, dates and the folder's own place are not inputs."""
    before = cache.digest([sources])
    (sources / "below" / "__pycache__" / "a.pyc").touch()
    (sources / "a.sh").touch()

    assert cache.digest([shutil.copytree(sources, sources.with_name("elsewhere"))]) == before


def test_words_are_inputs_too() -> None:
    """A flag counts as itself, and where one ends and the next begins does too."""
    assert len({cache.digest(words) for words in (["-s", "w"], ["-sw"], ["-w"], ["w", "-s"])}) == 4


def test_two_processes_are_kept_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While another process builds, this one waits, says for whom, and goes on when that one has ended."""
    done = tmp_path / "done"
    waited: list[str] = []
    words = [sys.executable, "-c", HOLDER, str(done)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"

        def let_other_end(*words: Any, **limits: Any) -> object:  # noqa: ANN401  as the one it stands in for
            waited.append(limits["what"])
            assert not done.exists()
            assert other.stdin is not None
            other.stdin.close()
            return wait_until(*words, **limits | {"every_s": 0.002})

        monkeypatch.setattr(cache, "wait_until", let_other_end)
        with cache.lock():
            assert done.exists()

    told = capsys.readouterr().err
    assert re.fullmatch(
        rf"sealegs: waiting for process {other.pid} \(since [\d:]+\), which works on the cluster\n", told
    )
    assert f"process {other.pid}" in waited[0]


def test_nobody_is_waited_for_when_nobody_builds(capsys: pytest.CaptureFixture[str]) -> None:
    """The lock is free again after its block, and taking it says nothing."""
    for _ in range(2):
        with cache.lock():
            pass

    assert capsys.readouterr().err == ""


def test_scratch_begins_empty_under_the_lock() -> None:
    """Whatever is there when the lock is taken was left by a killed process, and goes."""
    (cache.scratch() / "rootfs").mkdir()

    with cache.lock():
        assert list(cache.scratch().iterdir()) == []
        (cache.scratch() / "rootfs").mkdir()
        assert (cache.scratch() / "rootfs").is_dir()


class Usage(NamedTuple):
    """What the system says of a disk."""

    free: int


@pytest.mark.parametrize(("free_gb", "enough"), [(14.9, False), (15.0, True)])
def test_a_full_disk_is_told_before_anything_is_built(
    folder: Path, monkeypatch: pytest.MonkeyPatch, free_gb: float, *, enough: bool
) -> None:
    """The message says where, how much there is, how much is needed and what to do."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(int(free_gb * 2**30)))
    if enough:
        cache.require_disk()
        return

    with pytest.raises(ClusterError) as full:
        cache.require_disk()

    assert str(full.value) == (
        f"{folder} has 14.9 GB free and a cluster needs 15; make room, or set XDG_CACHE_HOME to a larger disk"
    )
