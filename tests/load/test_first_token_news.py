"""What load says of first tokens while it is at work, against the rows that it leaves."""

from collections import Counter
from pathlib import Path

import pytest
from tests.load.drive import END_LIMIT_S, driving
from tests.load.server import serving

from sealegs.waiting import wait_until

pytestmark = pytest.mark.load

COUNT = 6


def test_first_tokens_are_told_while_their_streams_go_on(tmp_path: Path) -> None:
    """By two processes together: each TTFT is the row's, one percent off at most."""
    with (
        serving(token_gap_s=0.5) as server,
        driving(
            tmp_path / "run", server.url, offsets_s=[0.01 * n for n in range(COUNT)], processes=2
        ) as drive,
    ):
        status = wait_until(
            lambda: drive.load.status() or {"ttft_s_recent": {}},
            ready=lambda said: sum(said["ttft_s_recent"].values()) == COUNT,
            limit_s=END_LIMIT_S,
            every_s=0.02,
            what="all first tokens to be told",
        )
        drive.load.wait(END_LIMIT_S)
        rows = drive.rows().values()

    told_s = sorted(map(float, Counter(status["ttft_s_recent"]).elements()))
    ttfts_s = sorted(row["first_token_s"] - row["intended_s"] for row in rows)
    assert status["finished"] == 0
    assert told_s == pytest.approx(ttfts_s, rel=0.011)
