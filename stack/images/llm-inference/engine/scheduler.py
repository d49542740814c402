"""Continuous batching as arithmetic: who runs, what a step costs, who is preempted. No clock, no sockets.

A step computes one token of every decoding sequence and, with what is left of the chunk budget, prompt tokens
of sequences in prefill (vLLM's chunked prefill: long prompts slow the others down but do not stop them).
A step takes ``decode_step_s + decode_step_per_seq_s * running + prefill tokens / prefill_tokens_per_s``.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

Phase = Literal["queued", "prefill", "decode", "done"]


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What the simulated accelerator can hold and how fast it computes."""

    batch_max: int
    kv_blocks: int
    kv_block_tokens: int
    prefill_chunk_tokens: int
    prefill_tokens_per_s: float
    decode_step_s: float
    decode_step_per_seq_s: float

    @property
    def context_tokens_max(self) -> int:
        """Longest prompt and answer together that one sequence may reach: all of the cache."""
        return self.kv_blocks * self.kv_block_tokens


@dataclass(eq=False, kw_only=True)
class Sequence:
    """One answer being made. `computed` counts the tokens of its context that are in the cache."""

    prompt_tokens: int
    output_tokens: int
    generated: int = 0
    computed: int = 0
    kv_blocks: int = 0
    phase: Phase = "queued"

    @property
    def uncomputed(self) -> int:
        """Tokens still to compute before the next one comes out: 1 while decoding, more in prefill."""
        return self.prompt_tokens + self.generated - self.computed


@dataclass(frozen=True)
class Step:
    """One step about to be computed."""

    duration_s: float
    admitted: tuple[Sequence, ...]
    preempted: tuple[Sequence, ...]


@dataclass
class Scheduler:
    """First come, first served, `batch_max` at a time; the youngest gives way when the cache is full."""

    capacity: Capacity
    waiting: deque[Sequence] = field(default_factory=deque)
    running: list[Sequence] = field(default_factory=list)
    kv_blocks_used: int = 0
    _chunks: dict[Sequence, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Sequences waiting or running."""
        return len(self.waiting) + len(self.running)

    @property
    def kv_usage(self) -> float:
        """Share of the cache in use, 0 to 1."""
        return self.kv_blocks_used / self.capacity.kv_blocks

    def add(self, sequence: Sequence) -> None:
        """Queue a sequence. ValueError when the whole cache could not hold it."""
        wanted = sequence.prompt_tokens + sequence.output_tokens
        if wanted > self.capacity.context_tokens_max:
            raise ValueError(f"{wanted} tokens asked for, at most {self.capacity.context_tokens_max}")
        self.waiting.append(sequence)

    def cancel(self, sequence: Sequence) -> None:
        """Take a sequence out wherever it is; what it held is free for the next step."""
        if sequence in self.running:
            self.running.remove(sequence)
            self._release(sequence)
        elif sequence in self.waiting:
            self.waiting.remove(sequence)
        self._chunks.pop(sequence, None)

    def plan(self) -> Step | None:
        """Choose what the next step computes; None when there is nothing to do."""
        preempted = self._grow()
        # Admitting right after a preemption would hand the freed blocks to the one that just lost them.
        admitted = () if preempted else self._admit()
        if not self.running:
            return None
        prefill_tokens = self._share_out()
        capacity = self.capacity
        duration_s = (
            capacity.decode_step_s
            + capacity.decode_step_per_seq_s * len(self.running)
            + prefill_tokens / capacity.prefill_tokens_per_s
        )
        return Step(duration_s, admitted, preempted)

    def commit(self) -> list[Sequence]:
        """Finish the planned step: the sequences that made a token, in the order of admission."""
        produced = []
        for sequence, tokens in self._chunks.items():
            sequence.computed += tokens
            if sequence.uncomputed:
                continue
            sequence.generated += 1
            sequence.phase = "decode"
            produced.append(sequence)
            if sequence.generated == sequence.output_tokens:
                self.running.remove(sequence)
                self._release(sequence)
                sequence.phase = "done"
        self._chunks = {}
        return produced

    def _grow(self) -> tuple[Sequence, ...]:
        """Give each running sequence room for its next token, oldest first, at the youngest's expense."""
        preempted: list[Sequence] = []
        position = 0
        while position < len(self.running):
            if self._reserve(self.running[position]):
                position += 1
                continue
            victim = self.running.pop()
            self._release(victim)
            # Its cache is gone but its tokens were sent: they are computed again, never said again.
            victim.computed = 0
            victim.phase = "queued"
            self.waiting.appendleft(victim)
            preempted.append(victim)
        return tuple(preempted)

    def _admit(self) -> tuple[Sequence, ...]:
        """Move sequences from the queue into free slots, in order, while the cache has room for them."""
        admitted: list[Sequence] = []
        while self.waiting and len(self.running) < self.capacity.batch_max and self._reserve(self.waiting[0]):
            sequence = self.waiting.popleft()
            sequence.phase = "prefill"
            self.running.append(sequence)
            admitted.append(sequence)
        return tuple(admitted)

    def _share_out(self) -> int:
        """Set each sequence's tokens for this step; returns the prompt tokens among them."""
        budget = self.capacity.prefill_chunk_tokens
        self._chunks = {}
        for sequence in self.running:
            chunk = 1
            if sequence.phase == "prefill":
                chunk = min(sequence.uncomputed, budget)
                budget -= chunk
            if chunk:
                self._chunks[sequence] = chunk
        return self.capacity.prefill_chunk_tokens - budget

    def _reserve(self, sequence: Sequence) -> bool:
        """Take the blocks that a sequence needs now; False, and nothing taken, if there are too few."""
        context_tokens = sequence.prompt_tokens + sequence.generated
        wanted = -(-context_tokens // self.capacity.kv_block_tokens) - sequence.kv_blocks
        if self.kv_blocks_used + wanted > self.capacity.kv_blocks:
            return False
        self.kv_blocks_used += wanted
        sequence.kv_blocks += wanted
        return True

    def _release(self, sequence: Sequence) -> None:
        """Give a sequence's blocks back."""
        self.kv_blocks_used -= sequence.kv_blocks
        sequence.kv_blocks = 0
