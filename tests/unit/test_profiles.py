"""Drawn lengths are those of the trace: its rows, its quantiles, and nothing cut."""

import numpy as np
import pytest

from sealegs.data import read_lengths
from sealegs.profiles import Lengths, draw, fitting, lengths_of

# Of the conversation trace, computed apart from this code when the trace was studied.
PROMPT_QUANTILES = {0.01: 29, 0.25: 396, 0.5: 1020, 0.75: 1189, 0.99: 4142}
OUTPUT_QUANTILES = {0.01: 16, 0.25: 85, 0.5: 129, 0.75: 395, 0.99: 601}


@pytest.fixture(scope="module")
def chat() -> Lengths:
    """The packaged conversation trace."""
    return lengths_of(read_lengths("chat"))


def test_packaged_trace_is_the_published_one(chat: Lengths) -> None:
    """Rows, extremes and quantiles are those of the trace as published."""
    assert len(chat) == 19_366
    assert (chat.prompt_tokens.max(), chat.output_tokens.max()) == (14_050, 1_000)
    for found, published in (
        (chat.prompt_tokens, PROMPT_QUANTILES),
        (chat.output_tokens, OUTPUT_QUANTILES),
    ):
        assert np.quantile(found, list(published)) == pytest.approx(list(published.values()), abs=1)


def test_rows_are_drawn_whole(chat: Lengths) -> None:
    """A drawn pair is a pair of the trace: prompt and answer are never drawn apart."""
    drawn = draw(chat, count=5_000, rng=np.random.default_rng(3))
    pairs = set(zip(chat.prompt_tokens.tolist(), chat.output_tokens.tolist(), strict=True))

    assert set(zip(drawn.prompt_tokens.tolist(), drawn.output_tokens.tolist(), strict=True)) <= pairs


def test_drawn_lengths_follow_the_trace(chat: Lengths) -> None:
    """Over many draws the middle and the tail of both lengths are the trace's, within sampling error."""
    drawn = draw(chat, count=40_000, rng=np.random.default_rng(5))
    for found, published in (
        (drawn.prompt_tokens, PROMPT_QUANTILES),
        (drawn.output_tokens, OUTPUT_QUANTILES),
    ):
        assert np.quantile(found, list(published)) == pytest.approx(list(published.values()), rel=0.1)


def test_same_seed_same_rows(chat: Lengths) -> None:
    """The seed decides, and only the seed."""
    first, again, other = (draw(chat, count=50, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))

    assert first.prompt_tokens.tolist() == again.prompt_tokens.tolist()
    assert first.prompt_tokens.tolist() != other.prompt_tokens.tolist()


def test_what_fits_is_prompt_and_answer_together() -> None:
    """A request fits up to the last token of the context; a sum too long for 32 bits does not wrap round."""
    lengths = Lengths(np.array([60, 60, 2**31 - 1], np.int32), np.array([40, 41, 2**31 - 1], np.int32))

    assert fitting(lengths, context_tokens_max=100).tolist() == [True, False, False]


def test_a_profile_that_is_not_packaged_is_refused() -> None:
    """No file, no rows."""
    with pytest.raises(FileNotFoundError):
        read_lengths("no-such-profile")
