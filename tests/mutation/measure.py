"""Change the judge in hundreds of small ways, and see that its tests notice each: `make mutation`.

mutmut changes one operator, number or word of the judge at a time and runs the judge's tests on it. A change
that no test notices survives; each survivor is written with its reason into ``survivors.toml``, and
`tests/unit/test_mutation.py` holds that file against the source. Exits with 1 when a survivor has no reason,
or a reason no survivor.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.mutation.survivors import FILE, ROOT, Survivor, measured_now, read, written

RESULT = re.compile(r"^\s*(\S+): (.+)$", re.MULTILINE)
# A test that never ends has noticed something, but not told.
UNNOTICED = ("survived", "no tests", "timeout", "suspicious")


def main() -> int:
    """Measure, compare with what is known, and say what differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "modules", nargs="*", metavar="MODULE", help="such as stats; all of the judge without"
    )
    parser.add_argument(
        "--accept", action="store_true", help="write survivors down, new ones without a reason"
    )
    asked = parser.parse_args()
    files = {name: digest for name, digest in measured_now().items() if Path(name).stem in asked.modules}
    files = files or measured_now()
    modules = [Path(name).stem for name in files]
    with tempfile.TemporaryDirectory(prefix="sealegs-mutation-") as folder:
        tree = Path(folder)
        copy_tree(tree)
        mutmut(tree, "run", *(f"sealegs.judgement.{module}.*" for module in modules), quiet=False)
        found = list(survivors(tree, modules))
    known = read()
    others = [one for one in known.survivors if one.module not in modules]
    reasons = {one.key: one.why for one in known.survivors if one.module in modules}
    new = [one for one in found if one.key not in reasons]
    stale = reasons.keys() - {one.key for one in found}
    print(f"\n{len(found)} survived: {len(found) - len(new)} with a reason, {len(new)} without")
    for title, listed in (("no reason", [one.key for one in new]), ("no longer survives", sorted(stale))):
        for function, was, now in listed:
            print(f"\n{title}: {function}\n- {was}\n+ {now}")
    if asked.accept or not (new or stale):
        explained = [one.because(reasons.get(one.key, "")) for one in found]
        FILE.write_text(written({**known.files, **files}, [*others, *explained]))
        print(f"written: {FILE.relative_to(ROOT)}")
    return int(bool(new or stale))


def copy_tree(tree: Path) -> None:
    """What git tracks or would track, in a folder of its own, so that nothing is changed here."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)


def survivors(tree: Path, modules: Sequence[str]) -> Iterator[Survivor]:
    """The changes of some modules that no test noticed, from what mutmut left in a tree."""
    for name, word in RESULT.findall(mutmut(tree, "results")):
        if name.split(".")[2] not in modules:
            continue
        if word not in UNNOTICED:
            raise SystemExit(f"mutmut says of {name}: {word}; measure again")
        lines = mutmut(tree, "show", name).splitlines()
        was = [line[1:].strip() for line in lines if re.match("-(?!--)", line)]
        now = [line[1:].strip() for line in lines if re.match(r"\+(?!\+\+)", line)]
        function = re.sub(r"x_(\w+)__mutmut_\d+$", r"\1", name)
        yield Survivor(function=function, was="\n".join(was), now="\n".join(now), why="")


def mutmut(tree: Path, *arguments: str, quiet: bool = True) -> str:
    """What a command of mutmut prints; its progress goes to the terminal unless it is `quiet`."""
    program = Path(sys.executable).with_name("mutmut")
    done = subprocess.run([program, *arguments], cwd=tree, check=True, capture_output=quiet, text=True)
    return done.stdout or ""


if __name__ == "__main__":
    sys.exit(main())
