"""The cluster that end-to-end tests share, and runs on it."""

from pathlib import Path

import pytest

from sealegs.cluster import Cluster, connect
from sealegs.heal import heal

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster made here, with what killed runs left of faults undone.

    Without one every test is an error that names the command which makes one.
    """
    found = connect()
    list(heal(ROOT))
    return found
