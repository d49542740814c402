"""The engine at work: takes requests in, steps the scheduler in real time, and says how each one ended."""

import asyncio
import time
from typing import Literal

from engine.errors import (
    BadRequestError,
    MisbehavingError,
    NotLoadedError,
    RefusedError,
    UnknownModelError,
)
from engine.faults import Misconduct
from engine.generation import Finish, Generation, log
from engine.metrics import Metrics
from engine.openai import Asked
from engine.scheduler import Scheduler, Sequence
from engine.settings import Settings
from engine.tokens import output_length

# A step begins when the one before was due, so lateness of the event loop does not add up. A process that
# was stopped for longer than this lost the time, as an accelerator would: it does not make it up in a burst.
LAG_FORGIVEN_S = 0.1

State = Literal["loading", "ready", "draining"]


class Engine:
    """One simulated accelerator and the requests on it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.state: State = "loading"
        self.scheduler = Scheduler(settings.capacity)
        self.misconduct = Misconduct()
        self.metrics = Metrics(self.scheduler, model_name=settings.model_names[0])
        self.idle = asyncio.Event()
        self.idle.set()
        self._work = asyncio.Event()
        self._generations: dict[Sequence, Generation] = {}

    def submit(self, request_id: str, asked: Asked, *, caller: str = "") -> Generation:
        """Queue a request. RefusedError when it may be tried again, BadRequestError when it never fits.

        MisbehavingError when it meets what this engine was told to do wrong, as one of its `caller`'s.
        """
        if self.state == "loading":
            raise NotLoadedError("the model is not loaded yet")
        if asked.model and asked.model not in self.settings.model_names:
            known = ", ".join(self.settings.model_names)
            raise UnknownModelError(f"model {asked.model!r} is not one of {known}")
        context_tokens = asked.prompt_tokens + asked.tokens_max
        limit = self.settings.capacity.context_tokens_max
        if context_tokens > limit:
            raise BadRequestError(f"prompt and max_tokens are {context_tokens} tokens, at most {limit}")
        length = asked.tokens_max if asked.ignore_eos else output_length(request_id, asked.tokens_max)
        generation = Generation(
            request_id=request_id,
            sequence=Sequence(prompt_tokens=asked.prompt_tokens, output_tokens=length),
            natural_finish="length" if length == asked.tokens_max else "stop",
            received_s=time.monotonic(),
            wall_s=time.time(),
        )
        wrong = self.misconduct.now
        if self.misconduct.meets(caller):
            if wrong.status:
                self._conclude(generation, "refused")
                raise MisbehavingError(wrong.status)
            if wrong.reset_at_token and asked.stream:
                generation.reset_at = wrong.reset_at_token - 1
        most = self.settings.max_concurrent_requests
        if len(self._generations) >= most:
            self._conclude(generation, "refused")
            said = f"{most} requests are in hand, the most this engine takes"
            raise RefusedError(said, status=self.settings.refuse_status)
        self.scheduler.add(generation.sequence)
        self._generations[generation.sequence] = generation
        self.idle.clear()
        self._work.set()
        return generation

    def close(self, generation: Generation, *, written: bool) -> None:
        """Let a request go. Not `written` to its end means that its client went away before."""
        self.scheduler.cancel(generation.sequence)
        del self._generations[generation.sequence]
        if not self._generations:
            self.idle.set()
        self._conclude(generation, generation.finish if written and generation.finish else "cancelled")

    def abort_all(self) -> None:
        """End every answer where it is; each client is told with finish_reason abort."""
        for generation in self._generations.values():
            generation.abort()

    async def run(self) -> None:
        """Step for as long as there is work, wait when there is none; ends only when cancelled."""
        due_s = time.monotonic()
        while True:
            step = self.scheduler.plan()
            if step is None:
                self._work.clear()
                await self._work.wait()
                due_s = time.monotonic()
                continue
            now_s = time.monotonic()
            for sequence in step.admitted:
                generation = self._generations[sequence]
                generation.admitted_s = generation.admitted_s or now_s
            self.metrics.preempted(len(step.preempted))
            due_s = max(due_s, now_s - LAG_FORGIVEN_S) + step.duration_s * self.misconduct.now.slow_factor
            await asyncio.sleep(due_s - now_s)
            for sequence in self.scheduler.commit():
                self.metrics.token_made()
                self._generations[sequence].token_made()

    def _conclude(self, generation: Generation, finish: Finish) -> None:
        """Count a request that is over and write the truth about it."""
        generation.finish = finish
        generation.end_s = time.monotonic()
        self.metrics.ended(generation)
        log(generation.truth(pod=self.settings.pod_name))
