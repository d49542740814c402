"""The client's clock against the server's: what it says about time is what happened."""

from collections.abc import Iterator

import numpy as np
import pytest
from tests.load.drive import API_KEY, END_LIMIT_S, Drive, driving
from tests.load.server import Server, serving

pytestmark = pytest.mark.load

REQUESTS, EVERY_S, TOKENS, TOKEN_GAP_S = 100, 0.05, 60, 0.02
# Client, server and whatever else runs share two cores: a late moment is the machine's, a late habit the
# client's.
ERROR_MS_P50_MAX, ERROR_MS_P95_MAX = 1.0, 20.0


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Drive, Server]]:
    """A hundred streams at 20 a second, some 24 at a time; all have ended."""
    with serving(token_gap_s=TOKEN_GAP_S) as server:
        offsets_s = [EVERY_S * number for number in range(REQUESTS)]
        run_dir = tmp_path_factory.mktemp("timing") / "run"
        with driving(run_dir, server.url, offsets_s=offsets_s, tokens=TOKENS) as drive:
            drive.load.wait(END_LIMIT_S)
            yield drive, server


def errors_ms_of(drive: Drive, server: Server) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """By how much each token's stamp is after its sending."""
    chunks_ns = drive.chunks_ns()
    return np.array(
        [
            (received_ns - sent_ns) / 1e6
            for post in server.posts
            for received_ns, sent_ns in zip(chunks_ns[post.request_id], post.sent_ns, strict=True)
        ]
    )


def assert_close(errors_ms: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    """Receive times follow send times closely, and none precedes its own."""
    assert errors_ms.min() >= -0.001  # the evidence keeps whole microseconds
    assert np.median(errors_ms) <= ERROR_MS_P50_MAX
    assert np.quantile(errors_ms, 0.95) <= ERROR_MS_P95_MAX


def test_every_token_is_counted_and_stamped_when_it_arrives(measured: tuple[Drive, Server]) -> None:
    """Counts are exact, and each token's stamp is that of its sending within the bounds."""
    drive, server = measured
    rows = drive.rows()

    assert {row["outcome"] for row in rows.values()} == {"ok"}
    assert {row["tokens_received"] for row in rows.values()} == {TOKENS}
    errors_ms = errors_ms_of(drive, server)
    assert len(errors_ms) == REQUESTS * TOKENS
    assert_close(errors_ms)


def test_the_client_says_how_late_its_stamps_are(measured: tuple[Drive, Server]) -> None:
    """By the kernel's stamps of a sample, and in agreement with the server's of all."""
    drive, server = measured
    summary = drive.document("load-summary.json")

    assert REQUESTS * TOKENS / 61 - 1 <= summary["receive_errors"] <= REQUESTS * TOKENS / 20
    said_ms = summary["receive_error_s_p50"] * 1e3
    assert 0 < said_ms <= summary["receive_error_s_p99"] * 1e3
    assert said_ms == pytest.approx(np.median(errors_ms_of(drive, server)), abs=ERROR_MS_P50_MAX / 2)


def test_first_token_and_gaps_are_the_servers(measured: tuple[Drive, Server]) -> None:
    """The row's first token, last token and longest gap agree with what the server sent."""
    drive, server = measured
    rows = drive.rows()
    first_ms, last_ms, gap_ms = np.transpose(
        [
            (
                rows[post.request_id]["first_token_s"] * 1e3 - (post.sent_ns[0] - drive.zero_ns) / 1e6,
                rows[post.request_id]["last_token_s"] * 1e3 - (post.sent_ns[-1] - drive.zero_ns) / 1e6,
                rows[post.request_id]["gap_s_max"] * 1e3 - np.diff(post.sent_ns).max() / 1e6,
            )
            for post in server.posts
        ]
    )

    assert_close(first_ms)
    assert_close(last_ms)
    assert np.median(np.abs(gap_ms)) <= 2 * ERROR_MS_P50_MAX


def test_the_schedule_is_on_the_wire(measured: tuple[Drive, Server]) -> None:
    """Each request reaches the server at its intended time, in order, however many streams are open."""
    drive, server = measured
    rows = drive.rows()
    late_ms = np.array(
        [
            (post.received_ns - drive.zero_ns) / 1e6 - rows[post.request_id]["intended_s"] * 1e3
            for post in server.posts
        ]
    )
    intended_s = [rows[f"r{number:06d}"]["intended_s"] for number in range(REQUESTS)]

    assert intended_s == pytest.approx([drive.begin_s + EVERY_S * number for number in range(REQUESTS)])
    assert late_ms.min() >= 0
    assert np.median(late_ms) <= 5.0
    assert np.quantile(late_ms, 0.95) <= 30.0
    summary = drive.document("load-summary.json")
    lag_s = sorted(row["sent_s"] - row["intended_s"] for row in rows.values())
    assert summary["lag_s_max"] == pytest.approx(lag_s[-1], abs=1e-5)
    assert summary["lag_s_p50"] == pytest.approx(float(np.median(lag_s)), abs=1e-3)
    assert summary["gc_frozen"]


def test_what_is_asked_is_what_is_planned(measured: tuple[Drive, Server]) -> None:
    """The prompt has as many words as tokens were planned, and the key is in no file of the run."""
    drive, server = measured
    rows = drive.rows()
    for post in server.posts:
        assert post.prompt_words == rows[post.request_id]["prompt_tokens"]
        assert post.authorization == f"Bearer {API_KEY}"
    for path in drive.run_dir.rglob("*"):
        assert path.is_dir() or API_KEY.encode() not in path.read_bytes()
