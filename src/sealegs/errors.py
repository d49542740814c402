"""The errors of our own; another that people meet is the built-in TimeoutError."""

from collections.abc import Sequence


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
