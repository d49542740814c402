"""Errors for people: each names the file that it is about."""

from pathlib import Path

import pytest

from sealegs.errors import ClusterError, writing


@pytest.mark.parametrize(
    ("path", "why"), [("/dev/full", "No space left on device"), ("/dev/null/page.html", "Not a directory")]
)
def test_what_cannot_be_written_is_named(path: str, why: str) -> None:
    """Also where the kernel does not say which file it was, as on a full disk."""
    with pytest.raises(ClusterError, match=rf"^{path} cannot be written: {why}$"), writing(Path(path)):
        Path(path).write_text("page")
