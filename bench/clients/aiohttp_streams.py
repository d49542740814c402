"""A minimal load script as a careful user of aiohttp writes it: open loop, one task a request, uvloop.

Usage: aiohttp_streams.py FOLDER, which holds job.json and gets told.jsonl. Events are parsed as they come.
"""

import asyncio
import json
import random
import sys
from pathlib import Path
from time import monotonic_ns

import aiohttp
import uvloop

DATA, DONE = b"data: ", b"[DONE]"
START_S = 0.5


async def main() -> None:
    """Send each request at its time, then wait for all."""
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text())
    draw = random.Random(1)  # noqa: S311  an arrival process, no secret
    due_ns, told, tasks = monotonic_ns() + round(START_S * 1e9), [], []
    patience = aiohttp.ClientTimeout(total=60, sock_read=job["gap_s_max"])
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(job["url"], connector=connector, timeout=patience) as session:
        for number in range(round(job["rate_rps"] * job["seconds"])):
            gap_s = draw.expovariate(job["rate_rps"]) if job["paced"] else 1 / job["rate_rps"]
            due_ns += round(gap_s * 1e9)
            await asyncio.sleep(max(0.0, (due_ns - monotonic_ns()) / 1e9))
            row = {"request_id": f"r{number:06d}", "planned_ns": due_ns, "received_ns": []}
            told.append(row)
            tasks.append(asyncio.create_task(ask(session, row, job["tokens"])))
        await asyncio.gather(*tasks)
    (folder / "told.jsonl").write_text("".join(json.dumps(row) + "\n" for row in told))


async def ask(session: aiohttp.ClientSession, row: dict[str, object], tokens: int) -> None:
    """One request; its outcome is the name of what aiohttp raises."""
    body = {
        "model": "bench",
        "stream": True,
        "max_tokens": tokens,
        "messages": [{"role": "user", "content": f"{row['request_id']} a b c d e f g"}],
    }
    row["sent_ns"] = monotonic_ns()
    received_ns: list[int] = row["received_ns"]  # type: ignore[assignment]
    try:
        async with session.post(
            "/v1/chat/completions", json=body, headers={"x-request-id": str(row["request_id"])}
        ) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                if not line.startswith(DATA) or DONE in line:
                    continue
                event = json.loads(line[len(DATA) :])
                choices = event.get("choices")
                if choices and choices[0]["delta"].get("content"):
                    received_ns.append(monotonic_ns())
        row["outcome"] = "success"
    except (aiohttp.ClientError, TimeoutError) as error:
        row["outcome"] = type(error).__name__


uvloop.run(main())
