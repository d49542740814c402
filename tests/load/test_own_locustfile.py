"""A user's own locustfile, as CONTRIBUTING.md shows it, in a run."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from tests.load.drive import API_KEY, END_LIMIT_S, ROOT, driving

pytestmark = pytest.mark.load

OWN = Path(__file__).with_name("own_locustfile.py")
TOKENS = 5


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Completions(BaseHTTPRequestHandler):
    """OpenAI's older completions, streamed: what is said is ``text``."""

    protocol_version = "HTTP/1.1"
    asked: list[Asked]

    def do_POST(self) -> None:
        """Answer in as many tokens as are asked for."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(Asked(self.path, dict(self.headers), body))
        said = [{"text": " yes", "finish_reason": None}] * (body["max_tokens"] - 1)
        said.append({"text": ".", "finish_reason": "length"})
        events = [json.dumps({"choices": [{"index": 0, **one}]}) for one in said]
        answer = "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name for it
        """Nobody reads it."""


@contextmanager
def completions() -> Iterator[tuple[str, list[Asked]]]:
    """Where a server listens until the block ends, and what it is asked."""
    asked: list[Asked] = []
    handler = type("Handler", (Completions,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_their_format_and_their_key_are_on_the_wire(tmp_path: Path) -> None:
    """Path, header and template are theirs; lengths are the schedule's; answers are counted and whole."""
    with (
        completions() as (url, asked),
        driving(
            tmp_path / "run",
            url,
            offsets_s=[0.0, 0.1, 0.2],
            tokens=TOKENS,
            locustfile=OWN,
            texts="counted",
        ) as drive,
    ):
        drive.load.wait(END_LIMIT_S)
        rows = [row for _, row in sorted(drive.rows().items())]

        assert [(one.path, one.headers["x-api-key"]) for one in asked] == [("/v1/completions", API_KEY)] * 3
        assert not any("authorization" in map(str.lower, one.headers) for one in asked)
        assert {(one.body["model"], one.body["max_tokens"]) for one in asked} == {("support-7b", TOKENS)}
        parts = [re.split("\n?### .*:\n", one.body["prompt"]) for one in asked]
        assert [(begin, end) for begin, _, end in parts] == [("", "")] * 3
        lengths = sorted(len(text.split()) for _, text, _ in parts)
        assert lengths == [row["prompt_tokens"] for row in rows]
        assert [(row["outcome"], row["tokens_received"]) for row in rows] == [("ok", TOKENS)] * 3
        assert re.search(
            r"^POST +customer +3 +0\(", (drive.run_dir / "logs" / "locust.log").read_text(), re.MULTILINE
        )


def test_the_example_is_this_file() -> None:
    """What CONTRIBUTING.md shows is what was tested, to the letter, and short."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    shown = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)

    assert OWN.read_text() in shown
    assert len(OWN.read_text().splitlines()) <= 30
