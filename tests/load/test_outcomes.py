"""Each way in which a stack can fail a request, done once by a server and told apart by the client."""

import inspect
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import get_args

import pytest
from tests.load import test_processes, test_sessions, test_wire
from tests.load.drive import END_LIMIT_S, Drive, driving
from tests.load.server import Server, serving
from tests.load.speaker import POD

from sealegs.scenario.workload import Deadlines
from sealegs.traffic.client.outcome import Word

pytestmark = pytest.mark.load

TOKENS = 8
DEADLINES = Deadlines(connect_s=0.5, first_token_s=2.0, gap_s=1.5, total_s=6.0)
# What the server does, the outcome, the tokens that had come by then, and the status.
MANNERS = [
    ("whole", "ok", TOKENS, 200),
    ("stops_early", "ok", TOKENS - 1, 200),
    ("trickles", "ok", TOKENS, 200),
    ("crams", "ok", TOKENS, 200),
    ("measures", "ok", TOKENS, 200),
    ("dresses", "ok", TOKENS, 200),
    ("pads", "ok", TOKENS, 200),
    ("hints", "ok", TOKENS, 200),
    ("says_close", "ok", TOKENS, 200),
    ("is_old", "ok", TOKENS, 200),
    ("adds", "ok", TOKENS, 200),
    ("closes", "reset_before_headers", 0, None),
    ("resets", "reset_before_headers", 0, None),
    ("gibberish", "reset_before_headers", 0, None),
    ("boasts", "reset_before_headers", 0, None),
    ("drips", "deadline_first_token", 0, None),
    ("mute", "deadline_first_token", 0, None),
    ("silent", "deadline_first_token", 0, 200),
    ("stalls", "stall", 2, 200),
    ("cut_fin", "cut_fin", 3, 200),
    ("cut_rst", "cut_rst", 3, 200),
    ("no_finish", "no_finish", 3, 200),
    ("no_done", "no_finish", TOKENS, 200),
    ("bad_chunk", "no_finish", 3, 200),
    ("overflows", "no_finish", 1, 200),
    ("one_event", "no_finish", 3, 200),
    ("aborts", "abort", 3, 200),
    ("error_event", "error_event", 3, 200),
    ("odd_event", "error_event", 3, 200),
    ("foreign", "bad_token", TOKENS, 200),
    ("missing", "bad_token", TOKENS - 1, 200),
    ("repeated", "bad_token", TOKENS + 1, 200),
    ("short", "bad_token", TOKENS - 1, 200),
    ("page", "no_finish", 0, 200),
    ("untyped", "no_finish", 0, 200),
    ("zipped", "no_finish", 0, 200),
    ("busy", "http_429", 0, 429),
    ("fails", "http_5xx", 0, 500),
    ("unknown", "http_4xx", 0, 404),
]
# What the evidence says more than the outcome, where a reader needs it.
DETAILS = {
    "closes": "the server closed without an answer",
    "gibberish": "the reply is no HTTP",
    "boasts": "headers of more than 65536 bytes",
    "bad_chunk": "the reply is no HTTP: Invalid character in chunk size after 3 of 8 tokens",
    "overflows": "a reply of more than 67108864 bytes after 1 of 8 tokens",
    "one_event": "an event of more than 8000000 bytes after 3 of 8 tokens",
    "odd_event": """event is not as OpenAI's: b'{"choices": {"0": """,
    "page": "the answer is no event stream but text/html: sorry",
    "untyped": "the answer is no event stream but without a content type: data: {",
    "zipped": "the answer is no event stream but text/event-stream in gzip",
}
NAMELESS = {"page", "untyped", "zipped"}


def request_id(number: int) -> str:
    """Id of a request by its place in the schedule."""
    return f"r{number:06d}"


@pytest.fixture(scope="module")
def misbehaved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Drive, Server]]:
    """One run against a server that does each thing once; it has ended."""
    manners = {request_id(number): manner for number, (manner, *_) in enumerate(MANNERS)}
    with serving(manners) as server:
        offsets_s = [0.05 * number for number in range(len(MANNERS))]
        run_dir = tmp_path_factory.mktemp("outcomes") / "run"
        with driving(run_dir, server.url, offsets_s=offsets_s, tokens=TOKENS, deadlines=DEADLINES) as drive:
            drive.load.wait(END_LIMIT_S)
            yield drive, server


@pytest.mark.parametrize("number", range(len(MANNERS)), ids=[manner for manner, *_ in MANNERS])
def test_each_end_is_told_apart(misbehaved: tuple[Drive, Server], number: int) -> None:
    """The outcome, and what the stream delivered before it failed."""
    manner, outcome, tokens, status = MANNERS[number]
    row = misbehaved[0].rows()[request_id(number)]

    assert (row["outcome"], row["tokens_received"], row["status"]) == (outcome, tokens, status), row
    assert DETAILS.get(manner, "") in row["outcome_detail"]
    assert row["pod"] == (POD if status == 200 and manner not in NAMELESS else None)
    assert (row["first_token_s"] is not None) == (tokens > 0)
    assert len(misbehaved[0].chunks_ns().get(request_id(number), [])) == tokens
    assert row["retry_after_s"] == (7 if status == 429 else None)


def test_every_request_is_sent_once(misbehaved: tuple[Drive, Server]) -> None:
    """One POST each on the wire, also where the server closed before it answered."""
    assert Counter(post.request_id for post in misbehaved[1].posts) == Counter(
        request_id(number) for number in range(len(MANNERS))
    )


def test_counts_add_up(misbehaved: tuple[Drive, Server]) -> None:
    """Planned, sent and finished are the rows; what Locust counts as failed is what is not ok."""
    drive, _ = misbehaved
    rows, summary = drive.rows(), drive.document("load-summary.json")
    outcomes = Counter(row["outcome"] for row in rows.values())

    assert len(rows) == summary["planned"] == summary["sent"] == summary["finished"] == len(MANNERS)
    assert drive.document("load-status.json")["outcomes"] == dict(outcomes)
    locust_says = (drive.run_dir / "logs" / "locust.log").read_text().split("Aggregated")[1].split()
    assert locust_says[0] == str(len(rows))
    assert locust_says[1].startswith(f"{len(rows) - outcomes['ok']}(")


@pytest.mark.parametrize("manner", ["mute", "silent", "stalls"])
def test_a_deadline_is_kept(misbehaved: tuple[Drive, Server], manner: str) -> None:
    """The client gives up at its limit: not before it, and not much later."""
    drive, _ = misbehaved
    row = drive.rows()[request_id([one for one, *_ in MANNERS].index(manner))]
    waited_s = row["end_s"] - (row["last_token_s"] if manner == "stalls" else row["sent_s"])
    limit_s = DEADLINES.gap_s if manner == "stalls" else DEADLINES.first_token_s

    assert limit_s <= waited_s < limit_s + 0.5


def test_every_word_has_been_brought_about() -> None:
    """A new outcome needs a manner that ends in it, or a test elsewhere that names it."""
    words = {outcome for _, outcome, *_ in MANNERS}

    assert words | set(ELSEWHERE) == set(get_args(Word))
    assert words.isdisjoint(ELSEWHERE)
    for word, test in ELSEWHERE.items():
        assert f'"{word}"' in inspect.getsource(test), word


@contextmanager
def full_backlog() -> Iterator[str]:
    """An address where connections are neither refused nor accepted."""
    with socket.socket() as listener, ExitStack() as fillers:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(2):
            filler = fillers.enter_context(socket.socket())
            filler.settimeout(0)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_no_connection_and_no_end(tmp_path: Path) -> None:
    """A closed port refuses, a full one is waited for up to its limit, an endless answer up to its own."""
    with socket.socket() as reserved, full_backlog() as full, serving({request_id(0): "endless"}) as server:
        reserved.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can have the port
        urls = {
            "refused": f"http://127.0.0.1:{reserved.getsockname()[1]}",
            "deadline_connect": full,
            "deadline_total": server.url,
        }
        with ExitStack() as drives:
            started = {
                outcome: drives.enter_context(
                    driving(tmp_path / outcome, url, offsets_s=[0], tokens=200, deadlines=DEADLINES)
                )
                for outcome, url in urls.items()
            }
            for outcome, drive in started.items():
                drive.load.wait(END_LIMIT_S)
                assert drive.rows()[request_id(0)]["outcome"] == outcome


# The words that no manner of a server can bring about, and the test that does.
ELSEWHERE: dict[Word, Callable[..., None]] = {
    "refused": test_no_connection_and_no_end,
    "deadline_connect": test_no_connection_and_no_end,
    "deadline_total": test_no_connection_and_no_end,
    "cancelled": test_wire.test_a_client_hangs_up_after_the_first_token,
    "cut_by_us": test_processes.test_stopping_cuts_what_is_in_flight,
    "cap_refused": test_processes.test_the_cap_holds_back_and_says_so,
    "never_sent": test_sessions.test_what_load_does_not_live_to_send_is_entered,
}
