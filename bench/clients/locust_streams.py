"""Streaming users as Locust's users write them: iter_lines, JSON parsed per event, a closed loop.

The job is in $BENCH_FOLDER/job.json; what was seen goes to told.jsonl beside it. A request's outcome is what
its Locust event says, and in brackets what the task met that the event does not say.
"""

import itertools
import json
import os
from collections.abc import Iterable
from pathlib import Path
from time import monotonic_ns
from typing import Any

from locust import FastHttpUser, HttpUser, TaskSet, constant, constant_throughput, events, task

FOLDER = Path(os.environ["BENCH_FOLDER"])
WORK = json.loads((FOLDER / "job.json").read_text())
PER_USER_RPS = WORK["rate_rps"] / WORK["streams"]
PACE = constant_throughput(PER_USER_RPS) if WORK["paced"] else constant(0)
PATH = "/v1/chat/completions"
DATA, DONE = "data: ", "[DONE]"
TOLD: dict[str, dict[str, Any]] = {}
NUMBERS = itertools.count()


class Streams:
    """What both kinds of user do."""

    def on_start(self) -> None:
        """A user's pace is its own: planned times count from its second request."""
        self.number, self.turn, self.began_ns = next(NUMBERS), 0, 0

    def begin(self) -> dict[str, Any]:
        """The row and the arguments of the next request."""
        sent_ns = monotonic_ns()
        planned_ns = None
        if self.turn <= 1:
            # Locust counts the first pause from when it made the user, not from the first request.
            self.began_ns = sent_ns
        elif WORK["paced"]:
            planned_ns = self.began_ns + round((self.turn - 1) / PER_USER_RPS * 1e9)
        request_id = f"u{self.number}t{self.turn}"
        self.turn += 1
        self.row = TOLD[request_id] = {
            "request_id": request_id,
            "sent_ns": sent_ns,
            "planned_ns": planned_ns,
            "received_ns": [],
            "outcome": "no event",
        }
        content = f"{request_id} a b c d e f g"
        body = {"model": "bench", "stream": True, "max_tokens": WORK["tokens"]}
        return {
            "json": body | {"messages": [{"role": "user", "content": content}]},
            "headers": {"x-request-id": request_id},
            "context": {"request_id": request_id},
        }

    def take(self, lines: Iterable[str | bytes]) -> None:
        """Read the stream of the request begun last to its end."""
        received_ns = self.row["received_ns"]
        for raw in lines:
            line = raw if isinstance(raw, str) else raw.decode()
            if not line.startswith(DATA) or DONE in line:
                continue
            choices = json.loads(line[len(DATA) :]).get("choices")
            if choices and choices[0]["delta"].get("content"):
                received_ns.append(monotonic_ns())


class FastUser(Streams, FastHttpUser):
    """FastHttpUser with its own iter_lines."""

    wait_time = PACE
    network_timeout = 60.0

    @task
    def stream(self) -> None:
        """One answer."""
        asked = self.begin()
        self.take(self.client.iter_lines(PATH, method="POST", **asked))


class RequestsUser(Streams, HttpUser):
    """HttpUser: requests with stream=True."""

    wait_time = PACE

    @task
    def stream(self) -> None:
        """One answer."""
        asked = self.begin()
        with self.client.post(PATH, stream=True, catch_response=True, timeout=60, **asked) as answer:
            if not answer.ok:
                answer.failure(f"status {answer.status_code}")
            self.take(answer.iter_lines(chunk_size=None))


@events.request.add_listener
def on_request(context: dict[str, Any], exception: BaseException | None, **_: object) -> None:
    """What Locust calls it."""
    outcome = type(exception).__name__ if exception else "success"
    TOLD[context["request_id"]]["outcome"] = outcome


@events.user_error.add_listener
def on_user_error(user_instance: TaskSet, exception: BaseException, **_: object) -> None:
    """What the task met stays beside what the event says. Locust hands over the user's task set."""
    user_instance.user.row["met"] = type(exception).__name__


@events.quitting.add_listener
def on_quitting(**_: object) -> None:
    """Write down what was seen."""
    with (FOLDER / "told.jsonl").open("w") as file:
        for row in TOLD.values():
            met = row.pop("met", None)
            row["outcome"] += f" ({met} in the task)" if met else ""
            file.write(json.dumps(row) + "\n")
