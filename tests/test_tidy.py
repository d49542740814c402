"""The house's rules on its own source, held by a test (the idea is TigerBeetle's tidy)."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.layers import BLIND, LAYERS, SITES

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "sealegs"

MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 50
BROAD_EXCEPT_ALLOWED = {"run.py", "cli.py"}
WAIT_LOOP = Path("src", "sealegs", "waiting.py")
# Programs copied into images: nothing there can import `sealegs.waiting`.
COPIED = {"cluster", "stack"}


def tracked(*suffixes: str) -> list[Path]:
    """Files git tracks or would track, with one of these suffixes."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return [ROOT / name for name in listed if name.endswith(suffixes) and (ROOT / name).is_file()]


def python_files() -> list[Path]:
    """Every Python file of the project."""
    return tracked(".py")


def part_of(path: Path) -> str:
    """Name of the part a file of the package belongs to: its module or its folder."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(tree: ast.AST) -> Iterator[str]:
    """Dotted names that a module imports, wherever in it the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def findings(path: Path) -> Iterator[str]:
    """Each breach of a rule in one Python file, as ``path:line: error: what, use what``."""
    text = path.read_text()
    tree = ast.parse(text)
    name = path.relative_to(ROOT)
    if (lines := text.count("\n")) > MODULE_LINES_MAX:
        yield f"{name}:1: error: {lines} lines, split by job at {MODULE_LINES_MAX}"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                limit = FUNCTION_LINES_MAX
                yield f"{name}:{node.lineno}: error: {node.name} is {length} lines, at most {limit}"
        elif isinstance(node, ast.ExceptHandler) and is_broad(node) and path.name not in BROAD_EXCEPT_ALLOWED:
            yield f"{name}:{node.lineno}: error: broad except, name what can be raised"
        elif isinstance(node, ast.Call) and is_bare_sleep(node) and not may_sleep(name):
            yield f"{name}:{node.lineno}: error: bare sleep, use sealegs.waiting.wait_until"
    libraries = {imported.split(".")[0] for imported in imports_of(tree)}
    for library, sites in SITES.items():
        if library in libraries:
            site = part_of(path) if path.is_relative_to(PACKAGE) else name.parts[0]
            if site not in sites and name.parts[0] not in {"tests", "stack"}:
                yield f"{name}:1: error: {library} is imported only in {', '.join(sorted(sites))}"


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Whether a handler catches everything."""
    caught = [handler.type, *getattr(handler.type, "elts", [])]
    return handler.type is None or any(
        isinstance(one, ast.Name) and one.id in {"Exception", "BaseException"} for one in caught
    )


def may_sleep(name: Path) -> bool:
    """Whether a file, named from the root, is the wait loop itself or cannot import it."""
    return name == WAIT_LOOP or name.parts[0] in COPIED


def is_bare_sleep(node: ast.Call) -> bool:
    """Whether a call is ``time.sleep``; asyncio's and gevent's belong to models of time."""
    return (
        isinstance(node.func, ast.Attribute)
        and node.func.attr == "sleep"
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "time"
    )


def upward_imports() -> Iterator[str]:
    """Each import of the package that goes against the direction of the layers."""
    for path in sorted(PACKAGE.rglob("*.py")):
        part = part_of(path)
        for imported in imports_of(ast.parse(path.read_text())):
            target = imported.split(".")[1:2]
            if not imported.startswith("sealegs.") or target[0] not in LAYERS or target[0] == part:
                continue
            if LAYERS[target[0]] > LAYERS[part] or target[0] in BLIND.get(part, set()):
                yield f"{path.relative_to(ROOT)}:1: error: {part} must not import {target[0]}"


def test_every_python_file_keeps_the_rules() -> None:
    """Module and function length, sleeps, excepts and import sites hold everywhere."""
    assert [found for path in python_files() for found in findings(path)] == []


def test_imports_go_one_way() -> None:
    """Pure code sees no edge, edges see no act, acts see no orchestration; drawing sees evidence only."""
    assert list(upward_imports()) == []


def test_every_part_has_a_layer() -> None:
    """A new module says where it stands before anything imports it."""
    parts = {part_of(path) for path in PACKAGE.rglob("*.py")}

    assert parts - set(LAYERS) == set()


SLEEP = "import time\ntime.sleep(1)\n"


@pytest.mark.parametrize(
    "source",
    [
        SLEEP,
        "try:\n    pass\nexcept Exception:\n    pass\n",
        "try:\n    pass\nexcept (ValueError, BaseException):\n    pass\n",
        "import kubernetes\n",
        "def f():\n" + "    x = 1\n" * 60,
        "x = 1\n" * 301,
    ],
)
def test_a_breach_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """Each rule can go red: the checker finds a planted breach."""
    monkeypatch.setitem(findings.__globals__, "ROOT", tmp_path)
    planted = tmp_path / "planted.py"
    planted.write_text(source)

    assert len(list(findings(planted))) == 1


@pytest.mark.parametrize(
    ("place", "may"),
    [
        ("cluster/network/podnet.py", True),
        ("stack/images/llm-inference/engine/load.py", True),
        ("src/sealegs/waiting.py", True),
        ("src/sealegs/cluster/kind.py", False),
        ("src/sealegs/kube/waiting.py", False),
        ("tests/unit/test_stack.py", False),
        ("locustfiles/chat.py", False),
    ],
)
def test_only_the_wait_loop_and_programs_of_images_may_sleep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, *, may: bool
) -> None:
    """What can import the wait loop has to use it; where it lies decides, not what it is called."""
    monkeypatch.setitem(findings.__globals__, "ROOT", tmp_path)
    monkeypatch.setitem(findings.__globals__, "PACKAGE", tmp_path / "src" / "sealegs")
    planted = tmp_path / place
    planted.parent.mkdir(parents=True)
    planted.write_text(SLEEP)

    assert len(list(findings(planted))) == (0 if may else 1)


def test_no_note_to_self_is_left() -> None:
    """Unfinished work is an issue, not a comment."""
    left = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    hits = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked(".py", ".go", ".sh", ".yaml", ".toml", ".json", ".md")
        if path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if left.search(line)
    ]

    assert hits == []


def test_lock_file_has_hashes_and_no_addresses() -> None:
    """Every pin carries hashes, and nothing in the lock says where it was downloaded from."""
    lock = (ROOT / "requirements.lock").read_text()

    assert "://" not in lock
    assert lock.count("==") <= lock.count("--hash=sha256:")


def test_every_ignored_lint_rule_says_why() -> None:
    """An ignore without its reason beside it is not accepted."""
    text = (ROOT / "pyproject.toml").read_text()
    ignored = tomllib.loads(text)["tool"]["ruff"]["lint"]["ignore"]

    assert [rule for rule in ignored if not re.search(rf'"{rule}",\s*# \w', text)] == []
