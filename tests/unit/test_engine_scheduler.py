"""The engine's scheduler: pure arithmetic of continuous batching."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.scheduler import Capacity, Scheduler, Sequence
from engine.tokens import count_tokens, output_length, token_text

CAPACITY = Capacity(
    batch_max=4,
    kv_blocks=100,
    kv_block_tokens=4,
    prefill_chunk_tokens=10,
    prefill_tokens_per_s=1000.0,
    decode_step_s=0.004,
    decode_step_per_seq_s=0.001,
)


def sequences(*lengths: tuple[int, int]) -> list[Sequence]:
    """One sequence for each pair of prompt and output tokens."""
    return [Sequence(prompt_tokens=prompt, output_tokens=output) for prompt, output in lengths]


def loaded(capacity: Capacity, asked: list[Sequence]) -> Scheduler:
    """A scheduler with sequences in its queue."""
    scheduler = Scheduler(capacity)
    for sequence in asked:
        scheduler.add(sequence)
    return scheduler


def test_first_token_comes_when_the_prompt_is_computed_and_then_one_a_step() -> None:
    """A prompt of 25 tokens takes three chunks of 10; the third step makes the first token."""
    (one,) = asked = sequences((25, 3))
    scheduler = loaded(CAPACITY, asked)
    durations_s, generated = [], []
    while step := scheduler.plan():
        scheduler.commit()
        durations_s.append(step.duration_s)
        generated.append(one.generated)

    assert generated == [0, 0, 1, 2, 3]
    assert durations_s == pytest.approx([0.015, 0.015, 0.010, 0.005, 0.005])
    assert (one.phase, scheduler.size, scheduler.kv_blocks_used) == ("done", 0, 0)


def test_a_step_lengthens_with_every_sequence_in_it() -> None:
    """All running sequences share one decode step, whose time has a part for each."""
    scheduler = loaded(CAPACITY, sequences((1, 9), (1, 9), (1, 9)))
    scheduler.plan()
    scheduler.commit()

    step = scheduler.plan()

    assert step is not None
    assert step.duration_s == pytest.approx(0.004 + 3 * 0.001)
    assert len(scheduler.commit()) == 3


def test_slots_are_given_in_order_of_arrival() -> None:
    """No more than batch_max run; the next in the queue takes a slot as soon as one is free."""
    asked = sequences((1, 2), (1, 9), (1, 9), (1, 9), (1, 1), (1, 1))
    scheduler = loaded(CAPACITY, asked)
    order = []
    for _ in range(4):
        step = scheduler.plan()
        assert step is not None
        order.append([asked.index(sequence) for sequence in step.admitted])
        scheduler.commit()

    assert order == [[0, 1, 2, 3], [], [4], [5]]


def test_the_youngest_gives_way_when_the_cache_is_full() -> None:
    """Preempted, it goes to the head of the queue and keeps what it has said; the oldest never waits."""
    oldest, youngest, queued = asked = sequences((4, 12), (4, 12), (4, 12))
    scheduler = loaded(replace(CAPACITY, batch_max=2, kv_blocks=4), asked)
    preempted: list[Sequence] = []
    while not preempted:
        step = scheduler.plan()
        assert step is not None
        preempted += step.preempted
        said = youngest.generated
        scheduler.commit()

    assert preempted == [youngest]
    assert scheduler.running == [oldest]
    assert list(scheduler.waiting) == [youngest, queued]
    assert (youngest.generated, youngest.computed, youngest.phase) == (said, 0, "queued")


def test_what_never_fits_is_refused() -> None:
    """A prompt and answer longer than the whole cache would wait for ever."""
    scheduler = Scheduler(CAPACITY)

    with pytest.raises(ValueError, match="401 tokens asked for, at most 400"):
        scheduler.add(Sequence(prompt_tokens=400, output_tokens=1))


def test_a_cancelled_sequence_makes_no_token_of_a_step_under_way() -> None:
    """Cancelled between plan and commit, it is out, and its blocks are free."""
    gone, stays = asked = sequences((1, 5), (1, 5))
    scheduler = loaded(CAPACITY, asked)
    scheduler.plan()

    scheduler.cancel(gone)

    assert scheduler.commit() == [stays]
    assert gone.generated == 0
    assert scheduler.kv_blocks_used == stays.kv_blocks


@given(
    lengths=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 24)), min_size=1, max_size=12),
    batch_max=st.integers(1, 6),
    kv_blocks=st.integers(16, 40),
    chunk=st.integers(1, 64),
    cancelled=st.sets(st.integers(0, 11)),
)
def test_tokens_are_conserved(
    lengths: list[tuple[int, int]], batch_max: int, kv_blocks: int, chunk: int, cancelled: set[int]
) -> None:
    """Under any pressure each sequence makes each of its tokens once, and the cache is never overdrawn."""
    asked = sequences(*lengths)
    capacity = replace(CAPACITY, batch_max=batch_max, kv_blocks=kv_blocks, prefill_chunk_tokens=chunk)
    scheduler = loaded(capacity, asked)
    made = dict.fromkeys(asked, 0)
    for count in range(100_000):
        step = scheduler.plan()
        if step is None:
            break
        assert len(scheduler.running) <= batch_max
        assert scheduler.kv_blocks_used == sum(one.kv_blocks for one in asked) <= kv_blocks
        if count in cancelled and count < len(asked):
            scheduler.cancel(asked[count])
        for sequence in scheduler.commit():
            made[sequence] += 1
            assert sequence.generated == made[sequence]

    for position, sequence in enumerate(asked):
        if position not in cancelled:
            assert made[sequence] == sequence.output_tokens
    assert (scheduler.size, scheduler.kv_blocks_used) == (0, 0)


def test_token_text_is_the_contract() -> None:
    """A blank and the first six hexadecimal digits of blake2s over ``id:index``."""
    assert [token_text("r000000", index) for index in (0, 1)] == [" 910400", " 0f5eaa"]


@given(request_id=st.text(min_size=1, max_size=20), tokens_max=st.integers(1, 5000))
def test_an_answer_that_may_stop_keeps_within_its_limit(request_id: str, tokens_max: int) -> None:
    """Its length is drawn from the request id: at least one token, at most the maximum, always the same."""
    length = output_length(request_id, tokens_max)

    assert 1 <= length <= tokens_max
    assert output_length(request_id, tokens_max) == length


def test_prompt_tokens_are_words() -> None:
    """One a word, and one for an empty prompt."""
    assert [count_tokens(text) for text in ("", "one", " one\n two three ")] == [1, 1, 3]
