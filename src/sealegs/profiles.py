"""A profile: how long prompts and answers of one kind of traffic are, resampled from a trace's own rows.

Rows are drawn whole: prompt and answer lengths hardly correlate but are not independent, and no lognormal
fits either tail, so neither is modelled.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Tokens = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Lengths:
    """Prompt and output tokens of requests: parallel arrays, one entry a request."""

    prompt_tokens: Tokens
    output_tokens: Tokens

    def __len__(self) -> int:
        return len(self.prompt_tokens)

    def take(self, chosen: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> "Lengths":
        """Some of the requests, by index or by flag."""
        return Lengths(self.prompt_tokens[chosen], self.output_tokens[chosen])


def lengths_of(rows: pa.Table) -> Lengths:
    """The lengths in a trace's table (columns ``prompt_tokens`` and ``output_tokens``)."""
    return Lengths(rows["prompt_tokens"].to_numpy(), rows["output_tokens"].to_numpy())


def draw(trace: Lengths, *, count: int, rng: np.random.Generator) -> Lengths:
    """`count` requests, each a row of the trace drawn with replacement."""
    return trace.take(rng.integers(len(trace), size=count))


def fitting(lengths: Lengths, *, context_tokens_max: int) -> npt.NDArray[np.bool_]:
    """Which requests a model of that context can serve whole.

    The others are to be dropped and counted: cut to fit, they would make an atom at the limit that no trace
    has.
    """
    # In 64 bits: a sum of two lengths near the limit of 32 must not wrap round to a small one.
    whole = lengths.prompt_tokens.astype(np.int64) + lengths.output_tokens
    return np.asarray(whole <= context_tokens_max)
