"""Other programs: what they print is kept, and how they fail is told in a sentence."""

import os
import sys
from pathlib import Path

import pytest

from sealegs.cluster.command import output, pipe, run, succeeds
from sealegs.errors import ClusterError
from sealegs.waiting import now_s

NO_SUCH = "sealegs-no-such-program"
FOREVER = ["sleep", "600"]
MISSING = f"^{NO_SUCH} is not installed or not on PATH$"
SOON_S = 5.0


def shell(script: str) -> list[str]:
    """A program that does what a script says."""
    return ["sh", "-c", script]


def test_a_log_holds_the_command_and_all_it_printed(tmp_path: Path) -> None:
    """Both streams in their order, under the command itself; a second command is added."""
    log = tmp_path / "logs" / "step.log"

    run(shell("echo one; echo two >&2; echo three"), log=log)
    run(["cat"], log=log, stdin=b"four\n")

    assert log.read_text() == ("$ sh -c echo one; echo two >&2; echo three\none\ntwo\nthree\n$ cat\nfour\n")


def test_a_program_gets_the_environment_and_folder_it_is_given(tmp_path: Path) -> None:
    """And none of ours beside it; without input it reads an end, not our terminal."""
    log = tmp_path / "log"

    run(shell('cat; echo "$WORD $PWD"'), log=log, env={**os.environ, "WORD": "w"}, cwd=tmp_path)

    assert log.read_text().splitlines()[-1] == f"w {tmp_path}"


def test_a_failure_shows_the_last_lines_and_where_the_rest_is(tmp_path: Path) -> None:
    """The error holds the command, its code and its last twelve lines, none of an earlier command's."""
    log = tmp_path / "log"
    run(shell("echo earlier"), log=log)

    with pytest.raises(ClusterError) as failed:
        run(shell("seq 20; exit 3"), log=log)

    first, *said = str(failed.value).splitlines()
    assert first == f"`sh -c seq 20; exit 3` failed (3); all of it: {log}"
    assert said == [f"  {number}" for number in range(9, 21)]
    with pytest.raises(ClusterError) as silent:
        run(["false"], log=log)
    assert str(silent.value) == f"`false` failed (1); all of it: {log}"


def test_a_missing_program_is_told_in_a_sentence(tmp_path: Path) -> None:
    """However it is started, and on either side of a pipe."""
    with pytest.raises(ClusterError, match=MISSING):
        run([NO_SUCH, "x"], log=tmp_path / "log")
    with pytest.raises(ClusterError, match=MISSING):
        output([NO_SUCH])
    with pytest.raises(ClusterError, match=MISSING):
        pipe([NO_SUCH], ["cat"], limit_s=SOON_S)
    with pytest.raises(ClusterError, match=MISSING):
        pipe(["yes"], [NO_SUCH], limit_s=SOON_S)
    assert not succeeds([NO_SUCH])


def test_a_program_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """The error says after how long, and nothing waits for it."""
    began_s = now_s()

    with pytest.raises(ClusterError, match=r"^`sleep 600` took longer than 0 s; its output: .*log$"):
        run(FOREVER, log=tmp_path / "log", limit_s=0.02)
    with pytest.raises(ClusterError, match=r"^`sleep 600` took longer than 0 s$"):
        output(FOREVER, limit_s=0.02)

    assert now_s() - began_s < SOON_S


@pytest.mark.parametrize(
    ("source", "sink"),
    [(FOREVER, ["cat"]), (["true"], FOREVER), (FOREVER, ["true"])],
    ids=["source", "sink", "source whose sink has gone"],
)
def test_a_pipe_that_takes_too_long_is_ended(source: list[str], sink: list[str]) -> None:
    """Whichever side does not end, also a source that writes nothing and so never meets a closed pipe."""
    began_s = now_s()

    with pytest.raises(ClusterError, match=r"took longer than 0 s$"):
        pipe(source, sink, limit_s=0.02)

    assert now_s() - began_s < SOON_S


def test_what_one_printed_reaches_the_other(tmp_path: Path) -> None:
    """All of it, also more than a pipe holds."""
    size = 1_000_000

    pipe(["head", "-c", str(size), "/dev/zero"], shell(f"cat > {tmp_path / 'got'}"), limit_s=SOON_S)

    assert (tmp_path / "got").stat().st_size == size


@pytest.mark.parametrize(
    ("source", "sink", "code", "said"),
    [
        ("echo from source >&2; exit 3", "cat", 3, "from source"),
        ("echo x", "cat >/dev/null; echo from sink >&2; exit 4", 4, "from sink"),
        ("exec yes", "echo from sink >&2; exit 5", 5, "from sink"),
        ("exec yes", "true", -13, ""),
    ],
    ids=["source", "sink", "sink that does not read", "sink that reads too little"],
)
def test_a_pipe_fails_with_either_side(
    capfd: pytest.CaptureFixture[str], source: str, sink: str, code: int, said: str
) -> None:
    """With the code and the words of the side that failed, of which nothing reaches our own terminal."""
    with pytest.raises(ClusterError) as failed:
        pipe(shell(source), shell(sink), limit_s=SOON_S)

    assert str(failed.value) == f"`sh -c {source} | sh -c {sink}` failed ({code}): {said}"
    assert capfd.readouterr() == ("", "")


def test_output_is_what_was_printed() -> None:
    """Stripped, and without what went to the other stream."""
    assert output(shell("echo; echo ' a b '; echo not this >&2")) == "a b"


def test_output_fails_with_what_was_said() -> None:
    """The error holds the command, its code and its words."""
    with pytest.raises(ClusterError, match=r"^`sh -c echo why >&2; exit 7` failed \(7\): why$"):
        output(shell("echo why >&2; exit 7"))


def test_output_takes_an_environment() -> None:
    """One that is given replaces ours."""
    words = [sys.executable, "-S", "-c", "import os; print(os.environ['WORD'])"]

    assert output(words, env={"WORD": "w"}) == "w"
    assert succeeds(["true"])
    assert not succeeds(["false"])
