"""The errors of our own; another that people meet is the built-in TimeoutError."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class ScenarioError(Exception):
    """A file of yours cannot be used as it is; every problem found is listed.

    Attributes:
        problems: one line each, ``file:line: what is wrong and what is expected``.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


class ClusterError(Exception):
    """The environment is not what the work needs: what happened, where, and what to do about it."""


class MissingError(ClusterError):
    """The cluster lacks what a scenario says that it needs. The run's evidence has it; nothing went wrong."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the block writes to a file, or into a folder, is written. ClusterError, which names it, if not."""
    try:
        yield
    except OSError as error:
        # A full disk does not say which file it was.
        raise ClusterError(f"{error.filename or path} cannot be written: {error.strerror}") from error
