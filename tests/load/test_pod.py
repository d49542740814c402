"""What runs in a load pod: it starts what it is told to, tells what that wrote, and ends when left alone."""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sealegs.evidence import read_json, write_json
from sealegs.traffic import pod
from sealegs.waiting import now_ns, wait_until

pytestmark = pytest.mark.load

END_LIMIT_S = 20.0


@contextmanager
def program(call: str) -> Iterator[subprocess.Popen[bytes]]:
    """A function of the pod's program, in a process of its own."""
    words = [
        sys.executable,
        "-c",
        f"import sys\nfrom pathlib import Path\nfrom sealegs.traffic import pod\n{call}",
    ]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def keeper(home: Path, *, lease_s: float) -> Iterator[subprocess.Popen[bytes]]:
    """The pod's first process."""
    with program(f"pod.keep(Path({str(home)!r}), lease_s={lease_s})") as process:
        yield process


def go(home: Path, *argv: str) -> None:
    """Have a program started as Locust is."""
    (home / "logs").mkdir(exist_ok=True)
    write_json(home / pod.GO, {"argv": [sys.executable, "-c", *argv]})


def told(home: Path, known: dict[str, int], *, until: str) -> list[tuple[str, str]]:
    """What is told, but for beats, up to the first line of the file `until`."""
    found: list[tuple[str, str]] = []
    with program(f"pod.tell(Path({str(home)!r}), told={known!r})") as teller:
        assert teller.stdout is not None
        for line in teller.stdout:
            name, _, text = line.decode().rstrip("\n").partition("\t")
            if name != pod.BEAT:
                found.append((name, text))
            if name == until:
                return found
    return found


def ended(home: Path) -> int:
    """Exit code of what was started, once it has ended."""
    said = wait_until(
        lambda: read_json(home / pod.EXIT), ready=bool, limit_s=END_LIMIT_S, every_s=0.05, what="the end"
    )
    assert said is not None
    return int(said["code"])


@pytest.mark.parametrize(("source", "code"), [("pass", 0), ("raise SystemExit(3)", 3)])
def test_the_pod_outlives_locust(tmp_path: Path, source: str, code: int) -> None:
    """How Locust ended is there to be read, and who reads it still finds the pod."""
    with keeper(tmp_path, lease_s=60) as first:
        go(tmp_path, source)

        assert ended(tmp_path) == code
        assert first.poll() is None


def test_a_killed_locust_is_told_as_killed(tmp_path: Path) -> None:
    """Its exit code is the signal's."""
    with keeper(tmp_path, lease_s=60):
        go(tmp_path, "import os; os.kill(os.getpid(), 9)")

        assert ended(tmp_path) == -9


@pytest.mark.parametrize(("lease_s", "stopped"), [(60.0, True), (0.5, False)])
def test_locust_ends_when_told_or_left_alone(tmp_path: Path, *, lease_s: float, stopped: bool) -> None:
    """A stop ends Locust and leaves the pod; silence ends both, and both in order: Locust may tidy up."""
    tidy = "import pathlib, signal, sys\nsignal.signal(15, lambda *_: sys.exit(7))\n"
    with keeper(tmp_path, lease_s=lease_s) as first:
        go(tmp_path, tidy + "pathlib.Path('begun').touch()\nsignal.pause()")
        wait_until((tmp_path / "begun").exists, ready=bool, limit_s=10, every_s=0.05, what="Locust to begin")
        if stopped:
            (tmp_path / pod.STOP).touch()
            assert ended(tmp_path) == 7
            assert first.poll() is None
        else:
            first.wait(END_LIMIT_S)
            assert ended(tmp_path) == 7


def test_who_is_heard_of_is_not_left_alone(tmp_path: Path) -> None:
    """Bytes on the teller's stdin keep the pod beyond its lease; an ``s`` among them stops Locust."""
    begun = tmp_path / "begun"
    with program(f"pod.tell(Path({str(tmp_path)!r}), told={{}})") as teller:
        assert teller.stdin is not None
        assert teller.stdout is not None
        # It listens.
        teller.stdout.readline()
        with keeper(tmp_path, lease_s=2.0) as first:
            go(tmp_path, "import pathlib, signal; pathlib.Path('begun').touch(); signal.pause()")
            beats_left = 50
            while beats_left:
                teller.stdin.write(b".")
                teller.stdin.flush()
                with pytest.raises(subprocess.TimeoutExpired):
                    first.wait(0.1)
                beats_left -= begun.exists()
            teller.stdin.write(b"s")
            teller.stdin.flush()

            assert ended(tmp_path) == -15


def test_an_order_is_unpacked_and_begun(tmp_path: Path) -> None:
    """The archive's files lie in the pod, and Locust is started by the command that came with it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("locustfiles/chat.py", "pass")
    argv = ["python3", "-m", "locust"]
    size = len(packed.getvalue())
    with program(f"pod.take(Path({str(tmp_path)!r}), size_bytes={size}, argv={argv!r})") as taker:
        # Its stdin stays open, as it does behind an API server.
        assert taker.stdin is not None
        taker.stdin.write(packed.getvalue())
        taker.stdin.flush()

        assert taker.wait(END_LIMIT_S) == 0
    assert (tmp_path / "locustfiles" / "chat.py").read_text() == "pass"
    assert read_json(tmp_path / pod.GO) == {"argv": argv}


def test_everything_is_told_once_and_the_end_last(tmp_path: Path) -> None:
    """Lines go on where they were known to; a torn last line is told when nobody will end it any more."""
    (tmp_path / "logs").mkdir()
    lines = [json.dumps({"number": number, "text": "ü\t"}, ensure_ascii=False) for number in range(3)]
    (tmp_path / "requests.jsonl").write_text("\n".join(lines) + "\n" + '{"torn"')
    (tmp_path / pod.LOG).write_text("a\n")
    write_json(tmp_path / "load-status.0.json", {"sent": 3})
    write_json(tmp_path / "load.json", {"sent": 0})
    write_json(tmp_path / pod.EXIT, {"code": 0})
    known = {"requests.jsonl": len(lines[0].encode()) + 1}

    assert told(tmp_path, known, until=pod.EXIT) == [
        ("requests.jsonl", lines[1]),
        ("requests.jsonl", lines[2]),
        ("requests.jsonl", '{"torn"'),
        ("logs/locust.log", "a"),
        ("load-status.0.json", '{"sent": 3}'),
        (pod.EXIT, '{"code": 0}'),
    ]


def test_a_line_is_told_when_it_is_whole(tmp_path: Path) -> None:
    """While Locust writes, half a line is no line."""
    path = tmp_path / "requests.jsonl"
    path.write_text('{"a":')
    write_json(tmp_path / "load-status.json", {"sent": 0})

    assert told(tmp_path, {}, until="load-status.json") == [("load-status.json", '{"sent": 0}')]


def test_the_clock_is_this_machines() -> None:
    """Each byte is answered with the time between question and answer."""
    with program("pod.clock()") as teller:
        assert teller.stdin is not None
        assert teller.stdout is not None
        for _ in range(3):
            asked_ns = now_ns()
            teller.stdin.write(b".")
            teller.stdin.flush()
            shown_ns = int(teller.stdout.readline())

            assert asked_ns < shown_ns < now_ns()


def test_a_command_that_is_none_is_refused() -> None:
    """It says what there is."""
    with pytest.raises(SystemExit, match="usage: keep"):
        pod.main(["tell-me"])
