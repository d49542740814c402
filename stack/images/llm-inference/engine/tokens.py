"""What the engine says: each token is a function of the request id and its index, so none can be mixed up."""

from hashlib import blake2s

OUTPUT_TOKENS_DEFAULT = 16  # OpenAI's own default for completions
OUTPUT_SHARE_MIN = 0.25


def token_text(request_id: str, index: int) -> str:
    """Text of token `index` (from 0) of a request: a blank and six hexadecimal digits."""
    return " " + blake2s(f"{request_id}:{index}".encode()).hexdigest()[:6]


def answer_text(request_id: str, count: int) -> str:
    """The first `count` tokens of a request in one string."""
    return "".join(token_text(request_id, index) for index in range(count))


def count_tokens(text: str) -> int:
    """Prompt tokens in a text: one a word, and never none, as a real prompt has at least its first token."""
    return max(1, len(text.split()))


def output_length(request_id: str, tokens_max: int) -> int:
    """Where the model would stop by itself: between a quarter and all of `tokens_max`, the same each time."""
    draw = int.from_bytes(blake2s(f"{request_id}:stop".encode()).digest()[:8], "big") / 2**64
    shortest = max(1, round(tokens_max * OUTPUT_SHARE_MIN))
    return shortest + int(draw * (tokens_max - shortest + 1))
