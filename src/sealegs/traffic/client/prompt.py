"""The text of a prompt: a word for each token, alike where the trace says that prompts are alike.

Real servers keep the work they did for a prompt's beginning; how much of it comes again is part of the
traffic. So prompts of one `prefix` begin with the same words, and the rest is each request's own.
"""

import random
from hashlib import blake2s

from sealegs.traffic.client.exchange import Planned

# Words of one length: any stretch of the book is a slice, as cheap when it is long.
VOCABULARY = ("drain", "token", "cache", "batch", "queue", "shard", "probe", "route", "scale", "model")
WORD_BYTES = 6
BOOK_WORDS = 65_536
BOOK = "".join(f"{word} " for word in random.Random(0).choices(VOCABULARY, k=BOOK_WORDS)).encode()  # noqa: S311


def prompt_of(planned: Planned) -> bytes:
    """The prompt of a planned request: `prompt_tokens` words, of which `prefix_tokens` are its prefix's.

    The first of its own words is the request's id, so that no server has seen them before.
    """
    shared = min(planned.prefix_tokens, planned.prompt_tokens)
    own = planned.prompt_tokens - shared
    text = _passage(planned.prefix, shared)
    if own:
        text += planned.request_id.encode() + b" " + _passage(planned.request_id, own - 1)
    return text.rstrip()


def _passage(key: str, words: int) -> bytes:
    """So many words of the book, from a place of the key's own; after its end the book begins again."""
    start = int.from_bytes(blake2s(key.encode()).digest()[:8], "big") % BOOK_WORDS * WORD_BYTES
    size = words * WORD_BYTES
    if start + size <= len(BOOK):
        return BOOK[start : start + size]
    return ((BOOK[start:] + BOOK[:start]) * (words // BOOK_WORDS + 1))[:size]
