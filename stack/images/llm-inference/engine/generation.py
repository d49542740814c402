"""One request's answer on its way: its sequence, the stamps of what was written, and the truth about it."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from engine.scheduler import Phase, Sequence

# stop, length: by the model · abort: by the server · cancelled: by the client · refused: never begun.
Finish = Literal["stop", "length", "abort", "cancelled", "refused"]


@dataclass(eq=False, kw_only=True)
class Generation:
    """An answer being made for one request. All stamps are seconds of CLOCK_MONOTONIC."""

    request_id: str
    sequence: Sequence
    natural_finish: Finish
    received_s: float
    wall_s: float
    admitted_s: float | None = None
    end_s: float = 0.0
    finish: Finish | None = None
    aborted_in: Phase | None = None
    reset_at: int | None = None  # index of the token in whose place the connection is reset
    sent_s: list[float] = field(default_factory=list)
    whole_s: float | None = None  # when all tokens were written at once
    _made: asyncio.Queue[int | None] = field(default_factory=asyncio.Queue)

    def token_made(self) -> None:
        """The model has made this sequence's next token."""
        if self.finish:
            return
        if self.sequence.generated - 1 == self.reset_at:
            self.abort()
            return
        self._made.put_nowait(self.sequence.generated - 1)
        if self.sequence.phase == "done":
            self.finish = self.natural_finish
            self._made.put_nowait(None)

    def abort(self) -> None:
        """End the answer where it is."""
        if self.finish is None:
            self.finish = "abort"
            # Until its client has heard, it may be admitted in the place of another that was aborted too.
            self.aborted_in = self.sequence.phase
            self._made.put_nowait(None)

    async def tokens(self) -> AsyncIterator[int]:
        """Each token's index when it has been made, in order; stamped as the caller takes it to write it."""
        while (index := await self._made.get()) is not None:
            self.sent_s.append(time.monotonic())
            yield index

    @property
    def is_reset(self) -> bool:
        """Whether it ended where its connection was to be reset."""
        return self.finish == "abort" and len(self.sent_s) == self.reset_at

    def is_last(self, index: int) -> bool:
        """Whether a token is the one the answer ends with."""
        return index == self.sequence.output_tokens - 1

    def truth(self, *, pod: str) -> dict[str, object]:
        """What happened, for the log: token writes as deltas in microseconds, the first since received."""
        sent_s = self.sent_s if self.whole_s is None else [self.whole_s] * len(self.sent_s)
        stamps_us = [round((one_s - self.received_s) * 1e6) for one_s in sent_s]
        return {
            "truth": 1,
            "request_id": self.request_id,
            "pod": pod,
            "wall_s": round(self.wall_s, 6),
            "received_s": round(self.received_s, 6),
            "admitted_s": None if self.admitted_s is None else round(self.admitted_s, 6),
            "first_token_s": round(sent_s[0], 6) if sent_s else None,
            "end_s": round(self.end_s, 6),
            "sent_us": [after - before for before, after in pairwise([0, *stamps_us])],
            "tokens": len(self.sent_s),
            "prompt_tokens": self.sequence.prompt_tokens,
            "finish": self.finish,
            "phase_at_end": self.aborted_in or self.sequence.phase,
        }


def log(record: dict[str, object]) -> None:
    """One JSON line on stdout, at once."""
    sys.stdout.write(json.dumps(record, separators=(",", ":")) + "\n")
    sys.stdout.flush()
