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


def test_whole_answers_are_asked_for_and_checked_token_by_token(tmp_path: Path) -> None:
    """With ``stream = false`` nothing comes before the last token was made, and all of them then."""
    log = tmp_path / "engine.log"
    offsets_s = [0.1 * number for number in range(5)]
    with (
        engine(log) as url,
        driving(tmp_path / "run", url, offsets_s=offsets_s, tokens=TOKENS, stream=False) as drive,
    ):
        drive.load.wait(END_LIMIT_S)
        rows = drive.rows()
    truth = truth_of(log)

    assert [(row["outcome"], row["tokens_received"]) for row in rows.values()] == [("ok", TOKENS)] * 5
    for name, row in rows.items():
        last_made_s = truth[name]["received_s"] + sum(truth[name]["sent_us"]) / 1e6
        first_seen_s = drive.zero_ns / 1e9 + row["first_token_s"]
        assert first_seen_s >= last_made_s - 1e-5  # both logs keep whole microseconds
