"""A prompt has the words it should have, and shares those that it should share."""

from hypothesis import given
from hypothesis import strategies as st

from sealegs.traffic.client.exchange import Planned
from sealegs.traffic.client.prompt import BOOK_WORDS, prompt_of


def planned(request_id: str, tokens: int, *, prefix: str = "", prefix_tokens: int = 0) -> Planned:
    """A request with such a prompt."""
    return Planned(
        request_id=request_id,
        intended_s=0.0,
        prompt_tokens=tokens,
        output_tokens=1,
        model_type="default",
        prefix=prefix,
        prefix_tokens=prefix_tokens,
    )


def shared_words(one: bytes, other: bytes) -> int:
    """With how many equal words two prompts begin."""
    pairs = zip(one.split(), other.split(), strict=False)
    return next(
        (number for number, (a, b) in enumerate(pairs) if a != b), min(len(one.split()), len(other.split()))
    )


@given(tokens=st.integers(1, 3000), prefix_tokens=st.integers(0, 4000))
def test_a_prompt_has_a_word_for_each_token(tokens: int, prefix_tokens: int) -> None:
    """Whatever the prefix, also one said to be longer than the prompt."""
    text = prompt_of(planned("r000001", tokens, prefix="system", prefix_tokens=prefix_tokens))

    assert len(text.split()) == tokens


def test_a_prompt_longer_than_the_book_has_all_its_words() -> None:
    """The book begins again after its end."""
    for tokens in (BOOK_WORDS - 1, BOOK_WORDS, 3 * BOOK_WORDS + 7):
        assert len(prompt_of(planned("r000001", tokens)).split()) == tokens


def test_prompts_share_their_prefix_and_no_more() -> None:
    """Two of one prefix begin alike for its length; then each goes its own way."""
    one = prompt_of(planned("r000001", 500, prefix="system-1", prefix_tokens=200))
    other = prompt_of(planned("r000002", 800, prefix="system-1", prefix_tokens=200))
    foreign = prompt_of(planned("r000003", 800, prefix="system-2", prefix_tokens=200))

    assert shared_words(one, other) == 200
    assert shared_words(one, foreign) < 20


def test_a_conversation_grows_from_what_was_said() -> None:
    """When all of a prompt is its prefix's, the next turn begins with the whole of the last."""
    last = prompt_of(planned("r000001", 700, prefix="agents-3-s1", prefix_tokens=700))
    following = prompt_of(planned("r000002", 950, prefix="agents-3-s1", prefix_tokens=950))

    assert following.startswith(last)


def test_a_prompt_without_prefix_was_never_said_before() -> None:
    """Its first word is the request's own."""
    assert prompt_of(planned("r000042", 5)).split()[0] == b"r000042"
