"""The judge was changed in hundreds of small ways, and every change that no test noticed has a reason."""

from collections import Counter

from tests.mutation.survivors import ROOT, measured_now, read

AGAIN = "measure again: `make mutation`"


def test_what_was_measured_is_what_there_is() -> None:
    """A judge that was changed since is one whose tests nobody has tested."""
    assert read().files == measured_now(), AGAIN


def test_every_survivor_has_a_reason() -> None:
    """In a sentence, not a word, and each survivor once."""
    found = read().survivors

    assert [one.key for one in found if len(one.why.split()) < 4] == []
    assert [key for key, times in Counter(one.key for one in found).items() if times > 1] == []


def test_every_survivor_is_of_a_line_that_stands() -> None:
    """A reason for a line that is no more explains nothing."""
    sources = [(ROOT / name).read_text() for name in measured_now()]
    lines = {line.strip() for source in sources for line in source.splitlines()}

    assert [one.key for one in read().survivors if not {*one.was.splitlines()} <= lines] == [], AGAIN
