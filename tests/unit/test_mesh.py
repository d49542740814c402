"""The gateway's access log: what is kept of it, whose each line is, and how a page tells it."""

import dataclasses
import json
from pathlib import Path

import pyarrow as pa
import pytest
from tests.golden.make_run import made_facts, make_run
from tests.unit import api_objects
from tests.unit.api_server import Cluster
from tests.unit.recording import recording

from sealegs import tables
from sealegs.judge import judge, read_facts
from sealegs.judgement import mesh
from sealegs.judgement.verdict import decide
from sealegs.report import render
from sealegs.waiting import wait_until

MESH_PODS = "/api/v1/namespaces/istio-system/pods"
# Recorded from the gateway of a cluster made here, without the addresses and sizes.
UH = (
    b'{"authority":"mesh-flags.local","duration":2,"method":"GET","path":"/uh","request_id":"s8-uh",'
    b'"response_code":503,"response_code_details":"no_healthy_upstream","response_flags":"UH",'
    b'"start_time":"2026-11-26T14:02:23.277Z","upstream_host":null,"user_agent":"curl/7.88.1"}'
)
UF = (
    b'{"duration":2332,"method":"POST","path":"/v1/chat/completions","request_id":"r000104",'
    b'"response_code":503,"response_code_details":"upstream_reset_before_response_started'
    b'{connection_timeout}","response_flags":"UF","start_time":"2026-11-26T14:01:51.082Z",'
    b'"upstream_host":"198.18.3.3:8080"}'
)
URX = (
    b'{"duration":25,"method":"GET","path":"/urx","request_id":"s8-urx","response_code":503,'
    b'"response_code_details":"upstream_reset_before_response_started{remote_connection_failure|'
    b'delayed_connect_error:_Connection_refused}","response_flags":"URX,UF",'
    b'"start_time":"2026-11-26T14:02:23.453Z","upstream_host":"127.0.0.1:9"}'
)
REFUSED = "remote connection failure, delayed connect error: Connection refused"
UT = (
    b'{"duration":3151,"method":"POST","path":"/v1/chat/completions","request_id":"s8-ut",'
    b'"response_code":200,"response_code_details":"response_timeout","response_flags":"UT",'
    b'"start_time":"2026-11-26T14:02:28.760Z","upstream_host":"198.18.3.3:8080"}'
)
WITH_KEY = (
    b'{"authority":"127.0.0.1:30080","duration":29,"method":"POST","path":"/v1/chat/completions?api-key=s3cret",'
    b'"request_id":"r000002","response_code":401,"response_code_details":"via_upstream","response_flags":"-",'
    b'"start_time":"2026-11-26T14:00:33.884Z","upstream_host":"198.18.3.3:8080","user_agent":"curl/7.88.1"}'
)
AGENT = b"2026-11-26T13:58:59.285391Z\tinfo\tEnvoy proxy is ready"


def test_a_key_in_an_address_is_not_kept() -> None:
    """A client may put its key into the path, and a mesh may log headers: only named fields are kept."""
    line = WITH_KEY.replace(b'"user_agent"', b'"authorization":"Bearer s3cret","user_agent"')

    assert json.loads(mesh.kept(line) or b"") == {
        "request_id": "r000002",
        "start_time": "2026-11-26T14:00:33.884Z",
        "response_code": 401,
        "response_flags": "-",
        "response_code_details": "via_upstream",
        "upstream_host": "198.18.3.3:8080",
        "duration": 29,
    }


@pytest.mark.parametrize(
    "line", [AGENT, b"", b"{", UH[:90], b'{"level":"info"}', b'{"request_id":null}', b"[1]"]
)
def test_a_line_that_is_not_about_a_request_is_not_kept(line: bytes) -> None:
    """Nor is a torn one."""
    assert mesh.kept(line) is None


def test_only_the_lines_about_some_requests_are_read() -> None:
    """Others are not even parsed: they may be anything; one that is torn is left out."""
    lines = [mesh.kept(line) or b"" for line in (UH, URX, UT, WITH_KEY)]
    other = b'{"request_id":"s8-uhu", this is no JSON'
    torn = lines[2][:60]

    found = list(mesh.about([lines[0], lines[1], torn, other, b"", lines[3]], {"s8-uh", "s8-ut", "r000002"}))

    assert [one["request_id"] for one in found] == ["s8-uh", "r000002"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (UH, "UH no healthy upstream"),
        (UF, "UF no connection to the upstream: connection timeout (198.18.3.3:8080)"),
        (URX, f"URX retries used up, UF no connection to the upstream: {REFUSED} (127.0.0.1:9)"),
        (UT, "UT the upstream took longer than the route's timeout (198.18.3.3:8080)"),
        (WITH_KEY, "no flag: 401 from 198.18.3.3:8080"),
        (UH.replace(b'"UH"', b'"NEW"'), "NEW"),
        (b'{"request_id":"r1"}', "no flag: None"),
    ],
)
def test_a_flag_is_told_with_its_meaning(line: bytes, said: str) -> None:
    """As Envoy has it, with the reason and the host where it names them; an unknown one stands alone."""
    assert mesh.told(json.loads(line)) == said


def record(start_s: int, code: int, flags: str) -> mesh.Record:
    """A line about one request."""
    start = f"2026-11-26T14:00:{start_s:02}.000Z"
    return {"request_id": "r1", "start_time": start, "response_code": code, "response_flags": flags}


@pytest.mark.parametrize(
    ("status", "attempts", "flags"),
    [(503, 3, "UC"), (200, 3, "UT"), (None, 3, "DC"), (429, 3, None), (503, 1, "UT"), (None, None, "UT")],
)
def test_a_line_belongs_to_the_last_attempt_by_its_status(
    status: int | None, attempts: int | None, flags: str | None
) -> None:
    """Of several attempts the latest with the row's status; of one attempt, or of no row, the latest."""
    records = [record(4, 503, "UC"), record(1, 503, "UH"), record(9, 200, "UT"), record(2, 0, "DC")]
    row = {"request_id": "r1", "status": status, "attempts": attempts}
    requests = pa.Table.from_pylist([row] if attempts else [], schema=tables.REQUESTS)

    found = mesh.last_of(records, requests)

    assert {one: mesh.flag_of(last) for one, last in found.items()} == ({"r1": flags} if flags else {})


def test_the_gateways_log_is_copied_beside_the_engines(tmp_path: Path) -> None:
    """Of its lines about requests what is kept, of no other pod of the mesh."""
    cluster = Cluster()
    for name, app in (("gate", "istio-ingressgateway"), ("pilot", "istiod")):
        cluster.put(MESH_PODS, api_objects.pod(name, app=app, namespace="istio-system"))
        said = enumerate((AGENT, UH, WITH_KEY))
        cluster.logs[name] = [f"2099-01-01T00:00:00.{at}Z {line.decode()}" for at, line in said]

    with recording(tmp_path, cluster) as seen:
        logs = seen.run_dir / "logs"
        wait_until(lambda: list(logs.iterdir()), ready=bool, limit_s=3, every_s=0.01, what="the log")

    assert [path.name for path in logs.iterdir()] == ["gate.access.jsonl"]
    text = (logs / "gate.access.jsonl").read_text()
    assert [json.loads(line)["request_id"] for line in text.splitlines()] == ["s8-uh", "r000002"]
    assert "s3cret" not in text


def lost_in(run_dir: Path) -> tuple[str, str]:
    """A request of a run that was lost, and one that was answered."""
    rows = read_facts(run_dir).requests.to_pylist()
    lost, good = (
        [row["request_id"] for row in rows if (row["outcome"] == "ok") is ok] for ok in (False, True)
    )
    return lost[0], good[0]


def write_log(run_dir: Path, *lines: bytes) -> None:
    """A gateway's log in a run's folder."""
    (run_dir / "logs" / f"gate{mesh.LOG}").write_bytes(b"".join(line + b"\n" for line in lines))


def test_a_flag_is_evidence_and_changes_no_verdict(tmp_path: Path) -> None:
    """Facts have the lines of lost requests only; a torn line is no damage; the verdict's bytes stay."""
    run_dir = make_run(tmp_path, case="fail-truncated")
    judge(run_dir)
    before = (run_dir / "verdict.json").read_bytes()
    lost, good = lost_in(run_dir)
    about_lost, about_good = ((mesh.kept(UT) or b"").replace(b"s8-ut", one.encode()) for one in (lost, good))
    write_log(run_dir, about_good, about_lost, about_lost[:-9])

    facts = read_facts(run_dir)
    judge(run_dir)

    assert [one["request_id"] for one in facts.mesh] == [lost]
    assert facts.damage == ()
    assert (run_dir / "verdict.json").read_bytes() == before
    assert decide(dataclasses.replace(made_facts("pass"), mesh=facts.mesh)) == decide(made_facts("pass"))


def test_a_page_shows_the_flag_beside_the_outcome(tmp_path: Path) -> None:
    """With its meaning in the table of lost requests, and in short where a claim cites the request."""
    run_dir = make_run(tmp_path, case="fail-truncated")
    judge(run_dir)
    without = render(run_dir).read_text(encoding="utf-8")
    lost, _ = lost_in(run_dir)
    write_log(run_dir, (mesh.kept(UT) or b"").replace(b"s8-ut", lost.encode()))

    page = render(run_dir).read_text(encoding="utf-8")

    told = "<small>UT the upstream took longer than the route&#39;s timeout (198.18.3.3:8080)</small>"
    assert page.count(told) == 1
    assert f"{lost} (UT)" in page
    assert "gate.access.jsonl</a> what the mesh's gateway says of each request" in page.replace("&#39;", "'")
    assert "(UT)" not in without


def test_what_a_gateway_logged_is_text_and_never_markup(tmp_path: Path) -> None:
    """Each field of its line is shown as it is."""
    run_dir = make_run(tmp_path, case="fail-truncated")
    judge(run_dir)
    lost, _ = lost_in(run_dir)
    evil = "<script>{</script>"
    fields = dict.fromkeys(mesh.KEPT, evil) | {"request_id": lost}
    write_log(run_dir, json.dumps(fields, separators=(",", ":")).encode())

    page = render(run_dir).read_text(encoding="utf-8")

    assert "<script>" not in page
    assert page.count("&lt;script&gt;{&lt;/script&gt;") >= 2
