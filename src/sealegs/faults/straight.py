"""Requests straight at an engine from inside its container, where no mesh and no queue is in between.

This file is a program too, sent there as it stands, so it has the standard library only. It asks so often
for so many tokens, one request after the other, and prints what became of them as JSON.
"""

import http.client
import json
import sys
import time
import uuid
from threading import Event

PATH = "/v1/chat/completions"
ANSWER_LIMIT_S = 10.0
# A full engine is asked again until it has room: among many who ask, this one often enough to be next.
ROOM_LIMIT_S = 5.0
AGAIN_S = 0.05
NO_ROOM = 429


def ask(port: int, *, tokens: int) -> dict[str, object]:
    """What one stream of `tokens` tokens was like, for which the engine had room, if it had in time.

    Returns:
        `status` (0 when there was none), `tokens` that came, whether it ended `whole`, and `step_s`, the mean
        of the times between two tokens, None where there are none.
    """
    until_s = time.monotonic() + ROOM_LIMIT_S
    seen = _ask_once(port, tokens=tokens)
    while seen["status"] == NO_ROOM and time.monotonic() < until_s:
        Event().wait(AGAIN_S)
        seen = _ask_once(port, tokens=tokens)
    return seen


def _ask_once(port: int, *, tokens: int) -> dict[str, object]:
    """The same, whether it had room or not."""
    message = {"role": "user", "content": "hello"}
    body = {"messages": [message], "stream": True, "max_tokens": tokens, "ignore_eos": True}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_LIMIT_S)
    status, stamps_s, whole = 0, [], False
    try:
        connection.request("POST", PATH, json.dumps(body), {"x-request-id": f"straight-{uuid.uuid4().hex}"})
        response = connection.getresponse()
        status = response.status
        for line in response:
            if line.startswith(b"data: {"):
                stamps_s.append(time.monotonic())
            whole = whole or line.startswith(b"data: [DONE]")
    except (OSError, http.client.HTTPException):
        whole = False
    finally:
        connection.close()
    steps = len(stamps_s) - 1
    # The mean: after a stall an engine catches up, and half of the times are then next to nothing.
    step_s = round((stamps_s[-1] - stamps_s[0]) / steps, 6) if steps > 0 else None
    return {"status": status, "tokens": len(stamps_s), "whole": whole, "step_s": step_s}


def main() -> None:
    """Ask as the arguments say: port, requests, tokens."""
    port, requests, tokens = map(int, sys.argv[1:4])
    seen = [ask(port, tokens=tokens) for _ in range(requests)]
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main()
