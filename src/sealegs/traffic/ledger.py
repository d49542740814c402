"""Each request's end, entered once: its row, its stamps, the counts and Locust's own event."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sealegs.evidence import JsonLines
from sealegs.scenario.workload import ANSWERED
from sealegs.traffic.client.exchange import Planned
from sealegs.traffic.client.outcome import Outcome
from sealegs.traffic.meter import Meter
from sealegs.traffic.row import Ended, attempt_of, chunks_of, row_of, unsent_row


class UnansweredError(Exception):
    """What Locust is told about a request that was not answered whole: the outcome's word and detail."""


class Ledger:
    """One load process's evidence. `fire` is Locust's ``request`` event, `name` the requests' name there."""

    def __init__(
        self, run_dir: Path, *, worker: int, zero_ns: int, meter: Meter, fire: Callable[..., None], name: str
    ) -> None:
        self._rows = JsonLines(run_dir / "requests.jsonl")
        self._chunks = JsonLines(run_dir / "chunks.jsonl")
        self._attempts = JsonLines(run_dir / "attempts.jsonl")
        self._worker = worker
        self._zero_ns = zero_ns
        self._meter = meter
        self._fire = fire
        self._name = name

    def enter(self, ended: Ended, *, sent_ns: int) -> Mapping[str, Any]:
        """A request that was first sent at `sent_ns` has ended with this attempt. Returns its row."""
        exchange = ended.exchange
        row = row_of(ended, sent_ns=sent_ns, worker=self._worker, zero_ns=self._zero_ns)
        self._rows.append(row)
        if exchange.reply.answer.texts_ns:
            self._chunks.append(chunks_of(exchange, zero_ns=self._zero_ns))
        self._meter.ended(ended.outcome.word)
        took_s = row["end_s"] - row["intended_s"]
        self._tell_locust(ended.outcome, took_s=took_s, size=exchange.reply.size_bytes)
        return row

    def enter_attempt(self, ended: Ended) -> None:
        """An attempt has failed, and another one leaves."""
        self._attempts.append(attempt_of(ended, zero_ns=self._zero_ns))
        self._meter.again()

    def enter_unsent(self, planned: Planned, outcome: Outcome) -> None:
        """A request was not sent."""
        self._rows.append(unsent_row(planned, outcome, worker=self._worker))
        self._meter.ended(outcome.word, was_sent=False)
        self._tell_locust(outcome, took_s=0.0, size=0)

    def _tell_locust(self, outcome: Outcome, *, took_s: float, size: int) -> None:
        """Locust's tables, files and exit code stay true by one event a request."""
        context: dict[str, Any] = {}
        # Locust groups failures by their text; the detail, different for each request, stays in the row.
        self._fire(
            request_type="POST",
            name=self._name,
            response_time=took_s * 1e3,
            response_length=size,
            response=None,
            context=context,
            exception=None if outcome.word in ANSWERED else UnansweredError(outcome.word),
        )
