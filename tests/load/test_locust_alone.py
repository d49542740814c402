"""A locustfile without a run: Locust as its users know it, in a terminal and with its page."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from tests.load.drive import CHAT
from tests.load.server import Server, serving
from tests.load.speaker import Post

from sealegs.waiting import wait_until

pytestmark = pytest.mark.load

START_LIMIT_S, END_LIMIT_S = 60.0, 60.0
KEY = "key-of-the-test"
# Five users are cut off at the end, and Locust writes its CSV once a second: as many again may be missing.
LAST_MAX = 10
# Client and server share cores with whatever else runs.
SLACK_MS = 500.0


class Always(dict[str, str]):
    """Manners of a server that treats every request alike."""

    def __init__(self, manner: str) -> None:
        super().__init__({"any": manner})
        self._manner = manner

    def get(self, *_: object) -> str:
        """The manner, whoever asks."""
        return self._manner


def locust(folder: Path, *options: str) -> subprocess.Popen[str]:
    """Locust on the packaged locustfile, the key in the environment; it writes into `folder`."""
    return subprocess.Popen(
        [sys.executable, "-m", "locust", "-f", str(CHAT), *options],
        cwd=folder,
        env=os.environ | {"SEALEGS_API_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def headless(folder: Path, url: str, *options: str) -> tuple[int, str]:
    """Exit code and output of Locust in a terminal: five users, some seconds."""
    told = ("--headless", "--host", url, "-u", "5", "-r", "5", "-t", "7s", "--csv", "out", *options)
    with locust(folder, *told) as process:
        said, _ = process.communicate(timeout=START_LIMIT_S + END_LIMIT_S)
    return process.returncode, said


def table(path: Path) -> list[dict[str, str]]:
    """A CSV file of Locust's."""
    with path.open() as rows:
        return list(csv.DictReader(rows))


def answered(server: Server) -> list[Post]:
    """Posts that got all of their tokens."""
    return [post for post in server.posts if len(post.sent_ns) == json.loads(post.body)["max_tokens"]]


def test_answers_are_counted_and_timed_from_sending_to_the_last_byte(tmp_path: Path) -> None:
    """Exit code 0; each whole answer is in the CSV once, with its time; what the end cut off is not."""
    with serving(token_gap_s=0.001) as server:
        code, said = headless(tmp_path, server.url)
        took_ms = [(post.sent_ns[-1] - post.received_ns) / 1e6 for post in answered(server)]
        row, _ = table(tmp_path / "out_stats.csv")

        assert code == 0, said
        assert (row["Type"], row["Name"], row["Failure Count"]) == ("POST", "chat", "0")
        assert 1 <= int(row["Request Count"]) <= len(took_ms)
        assert len(server.posts) - LAST_MAX <= int(row["Request Count"])
        assert 0 <= float(row["Min Response Time"]) - min(took_ms) <= SLACK_MS
        assert float(row["Max Response Time"]) <= max(took_ms) + SLACK_MS
        assert {post.authorization for post in server.posts} == {f"Bearer {KEY}"}


def test_users_wait_for_their_answers(tmp_path: Path) -> None:
    """Closed loop: while no answer ends, five users ask five times, and stopping cuts them off."""
    with serving(Always("silent")) as server:
        code, said = headless(tmp_path, server.url)

        assert len(server.posts) == 5
        assert [row["Request Count"] for row in table(tmp_path / "out_stats.csv")] == ["0"]
        assert code == 0, said


def test_failures_are_grouped_by_what_became_of_them(tmp_path: Path) -> None:
    """One line a word, whatever each request's detail, and exit code 1."""
    with serving(Always("busy")) as server:
        code, said = headless(tmp_path, server.url)
        (failure,) = table(tmp_path / "out_failures.csv")

        assert code == 1, said
        assert "http_429" in failure["Error"]
        assert failure["Occurrences"] == table(tmp_path / "out_stats.csv")[0]["Failure Count"]
        assert len(server.posts) - LAST_MAX <= int(failure["Occurrences"]) <= len(server.posts)


def test_several_processes_are_locusts_own(tmp_path: Path) -> None:
    """With ``--processes`` the users are on both, and the figures are of both."""
    with serving(token_gap_s=0.001) as server:
        code, said = headless(tmp_path, server.url, "--processes", "2")
        row, _ = table(tmp_path / "out_stats.csv")

        assert code == 0, said
        assert "to 2 ready workers" in said
        assert len(server.posts) - LAST_MAX <= int(row["Request Count"]) <= len(answered(server))
        assert int(row["Request Count"]) >= 1


def test_a_host_is_needed(tmp_path: Path) -> None:
    """Without one, or with one that cannot be spoken to, Locust says so and fails."""
    code, said = headless(tmp_path, "https://127.0.0.1:1")

    assert code == 1
    assert "--host 'https://127.0.0.1:1': load speaks plain HTTP, as in http://" in said


class Page:
    """Locust's web page as a browser uses it."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def text(self, path: str = "/", *, data: bytes | None = None) -> str:
        """A page, or with data the answer to a form."""
        with urlopen(self._url + path, data=data) as answer:  # noqa: S310  the page's own address
            text: str = answer.read().decode()
            return text

    def there(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self.text())
        except OSError:
            return False

    def swarm(self, **form: str | int) -> None:
        """Start, as its button does."""
        assert json.loads(self.text("/swarm", data=urlencode(form).encode()))["success"]

    def stop(self) -> None:
        """Stop, as its button does; afterwards no user is left."""
        self.text("/stop", data=b"")
        self.wait(user_count=0, state="stopped")

    def stats(self) -> dict[str, Any]:
        """What its tables show, and the total of requests."""
        stats: dict[str, Any] = json.loads(self.text("/stats/requests"))
        (total,) = (row for row in stats["stats"] if row["name"] == "Aggregated")
        return stats | {"requests": total["num_requests"]}

    def wait(self, *, requests_min: int = 0, **wanted: str | int) -> None:
        """Its figures are these, and there are so many requests. It shows each figure for up to 2 s."""
        wait_until(
            self.stats,
            ready=lambda stats: stats["requests"] >= requests_min and stats | wanted == stats,
            limit_s=END_LIMIT_S,
            every_s=0.1,
            what=f"{wanted}",
        )


@contextmanager
def page(folder: Path) -> Iterator[tuple[Page, subprocess.Popen[str]]]:
    """Locust with its page, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with locust(folder, "--web-host", "127.0.0.1", "--web-port", str(port)) as process:
        shown = Page(port)
        try:
            wait_until(shown.there, ready=bool, limit_s=START_LIMIT_S, every_s=0.1, what="Locust's page")
            yield shown, process
        finally:
            process.kill()
            process.communicate()


def test_the_page_starts_and_stops_and_starts_elsewhere(tmp_path: Path) -> None:
    """Users come and go as asked, host and profile are the form's, and a stop leaves nothing in flight."""
    with serving(token_gap_s=0.001) as first, serving(Always("silent")) as second:
        with page(tmp_path) as (shown, process):
            assert "traffic_profile" in shown.text()
            assert KEY not in shown.text()

            shown.swarm(user_count=3, spawn_rate=3, host=first.url, traffic_profile="code")
            shown.wait(user_count=3, state="running", requests_min=4)
            shown.stop()
            of_the_first = len(first.posts)
            assert shown.stats()["requests"] >= of_the_first - 3

            shown.swarm(user_count=2, spawn_rate=2, host=second.url, traffic_profile="chat")
            wait_until(
                lambda: len(second.posts),
                ready=lambda posts: posts == 2,
                limit_s=END_LIMIT_S,
                every_s=0.05,
                what="requests elsewhere",
            )
            shown.wait(user_count=2, state="running", requests=0)
            shown.stop()
            process.send_signal(signal.SIGTERM)
            assert process.wait(END_LIMIT_S) == 0

        assert len(first.posts) == of_the_first
        # Prompts of code are long: most have more than a thousand tokens, of chat a quarter.
        assert max(post.prompt_words for post in first.posts) > 1000
