"""The client against the reference engine as a process: both sides' logs tell the same story."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.load.drive import END_LIMIT_S, ROOT, driving

pytestmark = pytest.mark.load

TOKENS = 60
STEADY, BURST = 20, 20
SLOTS = 10


@contextmanager
def engine(log: Path) -> Iterator[str]:
    """A reference engine on a free port, its output in `log`; stopped at the end of the block."""
    environment = {
        "HOST": "127.0.0.1",
        "HTTP_PORT": "0",
        "GRPC_PORT": "0",
        "MAX_CONCURRENT_REQUESTS": str(SLOTS),
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "engine"],
            cwd=ROOT / "stack" / "images" / "llm-inference",
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                assert process.stdout is not None
                listening = json.loads(process.stdout.readline())
                yield f"http://127.0.0.1:{listening['http_port']}"
            finally:
                process.terminate()
                out.write(process.communicate()[0].encode())


def truth_of(log: Path) -> dict[str, dict[str, Any]]:
    """The engine's own line about each request."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return {line["request_id"]: line for line in lines if line.get("truth")}


def test_client_and_engine_tell_the_same_story(tmp_path: Path) -> None:
    """Tokens, finish, pod and times agree for what was served; a burst beyond the slots is refused as 429."""
    offsets_s = [0.2 * number for number in range(STEADY)] + [6.0] * BURST
    log = tmp_path / "engine.log"
    with engine(log) as url, driving(tmp_path / "run", url, offsets_s=offsets_s, tokens=TOKENS) as drive:
        drive.load.wait(END_LIMIT_S)
        rows, chunks_ns = drive.rows(), drive.chunks_ns()
    truth = truth_of(log)
    served = {name: row for name, row in rows.items() if row["outcome"] == "ok"}
    refused = [row for row in rows.values() if row["outcome"] == "http_429"]

    assert len(rows) == STEADY + BURST
    assert len(served) + len(refused) == len(rows)
    assert STEADY + SLOTS <= len(served) < len(rows)
    assert {(row["retry_after_s"], row["tokens_received"]) for row in refused} == {(1.0, 0)}
    late_ms = []
    for name, row in served.items():
        said = truth[name]
        assert (said["tokens"], said["finish"], said["pod"]) == (TOKENS, row["finish_reason"], row["pod"])
        assert said["prompt_tokens"] == row["prompt_tokens"]
        sent_ns = [said["received_s"] * 1e9 + after_us * 1e3 for after_us in accumulate(said["sent_us"])]
        late_ms += [(got - sent) / 1e6 for got, sent in zip(chunks_ns[name], sent_ns, strict=True)]
    assert min(late_ms) >= -0.01  # both logs keep whole microseconds, and the deltas add up
    assert np.median(late_ms) <= 2.0
