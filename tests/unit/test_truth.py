"""Engines' logs: of whatever lines, whole and torn, the whole ones are read and the torn ones counted."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sealegs import evidence
from sealegs.truth import NEEDED, PREFIX, read_truth

OTHERS = (b"INFO: about no request", b'{"loaded":1,"sent_us":[1,2]}', b"", b'{"truth":1}')


def truth_line(number: int) -> bytes:
    """An engine's line about one request, as the reference engine writes it; one in three has no stamps."""
    said = {
        "truth": 1,
        "request_id": f"r{number}",
        "pod": "a",
        "wall_s": 1.5,
        "received_s": float(number),
        "admitted_s": None,
        "first_token_s": 2.5,
        "end_s": 3.5,
        "sent_us": list(range(number % 5)),
        "tokens": number,
        "prompt_tokens": 7,
        "finish": "length",
    }
    if not number % 3:
        del said["sent_us"]
    return json.dumps(said, separators=(",", ":")).encode()


@st.composite
def logs(draw: st.DrawFn) -> bytes:
    """A log of truth lines, each whole or cut anywhere, among others; its last line may lack an end."""
    lines: list[bytes] = []
    for number in range(draw(st.integers(0, 12))):
        whole = truth_line(number)
        cut = draw(st.one_of(st.none(), st.integers(1, len(whole))))
        lines.append(draw(st.sampled_from((whole[:cut], *OTHERS))))
    return b"\n".join(lines) + draw(st.sampled_from((b"", b"\n")))


def read_slowly(content: bytes) -> tuple[list[str], int]:
    """The ids that whole lines are about, and how many lines are torn: line by line."""
    ids, torn = [], 0
    for line in content.splitlines(keepends=True):
        if line.startswith(PREFIX):
            said = object_of(line)
            if all(said.get(name) is not None for name in NEEDED):
                ids.append(said["request_id"])
            else:
                torn += line.endswith(b"\n")
    return ids, torn


def object_of(line: bytes) -> dict[str, Any]:
    """What a line says; nothing when it is torn."""
    try:
        return dict(json.loads(line))
    except ValueError:
        return {}


@pytest.mark.parametrize("block", [1, 700, 1 << 20])
@given(content=logs())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_torn_lines_cost_no_other_line(
    block: int, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read in blocks of any size, with stamps cut out, a log says what it says line by line."""
    monkeypatch.setattr(evidence, "BLOCK", block)
    log = tmp_path / "engine.log"
    log.write_bytes(content)
    ids, torn = read_slowly(content)

    table, damage = read_truth([log])

    assert table["request_id"].to_pylist() == ids
    assert damage == ((f"{torn} torn line{'s' * (torn > 1)} in engine.log",) if torn else ())


@given(
    content=st.binary(max_size=40).map(lambda some: some.replace(b"\x00", b"\n")), block=st.integers(1, 50)
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_come_whole_and_an_unfinished_one_alone(
    content: bytes, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost between two blocks, and only the last block is without an end."""
    monkeypatch.setattr(evidence, "BLOCK", block)
    file = tmp_path / "file"
    file.write_bytes(content)

    blocks = list(evidence.lines_of(file))

    assert b"".join(line for lines in blocks for line in lines) == content
    for lines in blocks[:-1]:
        assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
    assert not blocks or blocks[-1][-1].endswith(b"\n") or len(blocks[-1]) == 1
