"""Clients that ask again, and clients that hang up: each request has one row, each attempt is on the wire."""

from collections import Counter
from pathlib import Path

import pytest
from tests.load.drive import END_LIMIT_S, driving
from tests.load.server import serving

from sealegs.evidence import read_lines
from sealegs.scenario.workload import Policy
from sealegs.waiting import wait_until

pytestmark = pytest.mark.load

SOON = Policy(retries=2, backoff_s=0.05, backoff_s_max=0.1)


def test_a_failed_attempt_is_followed_by_another(tmp_path: Path) -> None:
    """What the server could not do is asked again as often as the policy says, a cut stream is not."""
    manners = {"r000000": "fails", "r000001": "closes", "r000002": "cut_fin", "r000003": "unknown"}
    with (
        serving(manners) as server,
        driving(tmp_path / "run", server.url, offsets_s=[0.1 * n for n in range(5)], policy=SOON) as drive,
    ):
        drive.load.wait(END_LIMIT_S)
        rows, summary = drive.rows(), drive.document("load-summary.json")
        earlier = read_lines(drive.run_dir / "attempts.jsonl").records

        assert {name: (row["outcome"], row["attempts"]) for name, row in rows.items()} == {
            "r000000": ("http_5xx", 3),
            "r000001": ("reset_before_headers", 3),
            "r000002": ("cut_fin", 1),
            "r000003": ("http_4xx", 1),
            "r000004": ("ok", 1),
        }
        assert Counter(post.request_id for post in server.posts) == {
            name: row["attempts"] for name, row in rows.items()
        }
        assert Counter((one["request_id"], one["outcome"]) for one in earlier) == {
            ("r000000", "http_5xx"): 2,
            ("r000001", "reset_before_headers"): 2,
        }
        assert [one["attempt"] for one in earlier if one["request_id"] == "r000000"] == [1, 2]
        assert summary["sent"] == summary["finished"] == len(rows) == summary["planned"]


def test_a_request_was_sent_when_its_first_attempt_was(tmp_path: Path) -> None:
    """Its row begins with the first attempt and ends with the last; in between are the policy's pauses."""
    with (
        serving({"r000000": "fails"}) as server,
        driving(tmp_path / "run", server.url, offsets_s=[0], policy=SOON) as drive,
    ):
        drive.load.wait(END_LIMIT_S)
        row = drive.rows()["r000000"]
        first, second = read_lines(drive.run_dir / "attempts.jsonl").records

        assert row["sent_s"] == first["sent_s"] < first["end_s"] < second["sent_s"] < second["end_s"]
        assert second["sent_s"] - first["end_s"] >= 0.75 * SOON.backoff_s
        assert row["end_s"] - second["end_s"] >= 0.75 * SOON.backoff_s_max


def test_the_servers_retry_after_is_heeded(tmp_path: Path) -> None:
    """It says seven seconds: until then the request rests, and stopping enters it as it stands."""
    with (
        serving({"r000000": "busy"}) as server,
        driving(tmp_path / "run", server.url, offsets_s=[0, 0.2], policy=SOON) as drive,
    ):
        wait_until(
            lambda: (drive.load.status() or {"finished": 0})["finished"],
            ready=lambda finished: finished == 1,
            limit_s=END_LIMIT_S,
            every_s=0.05,
            what="the other request to end",
        )
        drive.load.stop()
        row = drive.rows()["r000000"]

        assert (row["outcome"], row["attempts"], row["retry_after_s"]) == ("http_429", 1, 7)
        assert len(server.posts) == 2
        assert read_lines(drive.run_dir / "attempts.jsonl").records == ()


def test_who_hangs_up_after_the_first_token_has_had_an_answer(tmp_path: Path) -> None:
    """It ends at once with its one token, and Locust counts no failure."""
    with (
        serving(token_gap_s=0.1) as server,
        driving(
            tmp_path / "run", server.url, offsets_s=[0, 0.1], tokens=50, changes={0: {"cancel": True}}
        ) as drive,
    ):
        drive.load.wait(END_LIMIT_S)
        rows = drive.rows()
        hung_up = rows["r000000"]

        assert (hung_up["outcome"], hung_up["tokens_received"]) == ("cancelled", 1)
        assert (
            hung_up["end_s"] - hung_up["first_token_s"]
            < 0.05
            < rows["r000001"]["end_s"] - rows["r000001"]["first_token_s"]
        )
        assert rows["r000001"]["outcome"] == "ok"
        locust_says = (drive.run_dir / "logs" / "locust.log").read_text().split("Aggregated")[1].split()
        assert locust_says[1].startswith("0(")
