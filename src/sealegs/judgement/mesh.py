"""What the mesh's gateway says of requests: the lines of its access log, and what their flags mean.

A flag is evidence of where a request failed, and decides nothing.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import orjson
import pyarrow as pa

from sealegs.judgement.facts import rows_about

# How old a proxy's statistic may be that a look at the cluster has: they are read every other second.
OLD_S_MAX = 4.0
# Envoy 1.40, documentation of access logs, %RESPONSE_FLAGS%, in our words. Upstream is what stands
# behind the proxy that writes the line, downstream is who asked it.
FLAGS = {
    "UH": "no healthy upstream",
    "UF": "no connection to the upstream",
    "UO": "overflow: a connection pool is at its limit",
    "NR": "no route for the request",
    "NC": "no such upstream in the mesh",
    "URX": "retries used up",
    "DC": "the client hung up",
    "DR": "the client reset the stream",
    "LH": "the local health check fails",
    "UT": "the upstream took longer than the route's timeout",
    "LR": "reset by the proxy",
    "UR": "reset by the upstream",
    "UC": "the upstream closed the connection",
    "DI": "delayed by fault injection",
    "FI": "aborted by fault injection",
    "RL": "rate limited by the proxy",
    "UAEX": "denied by the authorization service",
    "RLSE": "the rate limit service failed",
    "IH": "a strictly checked header is not valid",
    "SI": "the stream was idle for too long",
    "DPE": "the request is not valid HTTP",
    "UPE": "the answer is not valid HTTP",
    "UMSDR": "the stream reached its longest time",
    "DT": "the connection reached its longest time",
    "RFCF": "answered from the proxy's cache",
    "NFCF": "a filter's configuration did not arrive",
    "OM": "the proxy is overloaded",
    "DF": "the upstream's name was not resolved",
    "DO": "dropped: the proxy is told to shed load",
    "UDO": "dropped: the proxy is told to shed all load",
}
NO_FLAG = "-"
# The id stands first, so that a line tells whose it is before it is parsed. A path or a header that a mesh
# logs may hold a key: what is not named here is not kept.
KEPT = (
    "request_id",
    "start_time",
    "response_code",
    "response_flags",
    "response_code_details",
    "upstream_host",
    "duration",
)
ID_AT = b'{"request_id":"'
# How the names of a gateway's logs end.
LOG = ".access.jsonl"

Record = Mapping[str, Any]


def kept(line: bytes) -> bytes | None:
    """What is kept of one line of a proxy's log, as a line; None of one that is not about a request."""
    record = _parsed(line)
    if not isinstance(record.get("request_id"), str):
        return None
    found = {name: record[name] for name in KEPT if record.get(name) is not None}
    return json.dumps(found, separators=(",", ":")).encode()


def about(lines: Iterable[bytes], request_ids: AbstractSet[str]) -> Iterator[Record]:
    """The records about some requests, out of lines that were `kept`; none of a torn one.

    Lines about other requests are not parsed, which is what makes a long log cheap.
    """
    wanted, at = {json.dumps(one)[1:-1].encode() for one in request_ids}, len(ID_AT)
    theirs = (line for line in lines if line[at : line.find(b'"', at)] in wanted)
    yield from filter(None, map(_parsed, theirs))


def last_of(records: Iterable[Record], requests: pa.Table) -> dict[str, Record]:
    """Request → the record about its last attempt, which is the one that the request's row tells of.

    Attempts share their request's id. Which record is whose the status tells, 0 being that no answer began;
    an attempt that did not reach the gateway has none.
    """
    found: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda one: str(one.get("start_time"))):
        found.setdefault(str(record.get("request_id")), []).append(record)
    columns = requests.select(["request_id", "status", "attempts"])
    rows = {row["request_id"]: row for row in rows_about(columns, found)}
    last = {}
    for request_id, its in found.items():
        row = rows.get(request_id, {})
        tried_again = (row.get("attempts") or 1) > 1
        fitting = [one for one in its if not tried_again or one.get("response_code") == (row["status"] or 0)]
        if fitting:
            last[request_id] = fitting[-1]
    return last


def flag_of(record: Record) -> str:
    """The flags of a record as the log has them, several with commas between; empty when there is none."""
    flags = str(record.get("response_flags") or NO_FLAG)
    return "" if flags == NO_FLAG else flags


def told(record: Record) -> str:
    """What the gateway says of a request, in words."""
    where, details = record.get("upstream_host"), str(record.get("response_code_details") or "")
    if flags := flag_of(record):
        meant = ", ".join(f"{flag} {FLAGS.get(flag, '')}".rstrip() for flag in flags.split(","))
        # As in upstream_reset_before_response_started{connection_timeout}.
        why = details.partition("{")[2].rstrip("}").replace("|", ", ").replace("_", " ")
        return meant + (f": {why}" if why else "") + (f" ({where})" if where else "")
    code = record.get("response_code")
    return f"no flag: {code} from {where}" if where else f"no flag: {details or code}"


def _parsed(line: bytes) -> Record:
    """The object that a line is; an empty one when it is none."""
    try:
        record = orjson.loads(line) if line.startswith(b"{") else None
    except orjson.JSONDecodeError:
        return {}
    return record if isinstance(record, dict) else {}
