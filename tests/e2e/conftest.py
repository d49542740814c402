"""The cluster that end-to-end tests share, and runs on it."""

import pytest

from sealegs.cluster import Cluster, connect


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster made here. Without one every test is an error that names the command which makes one."""
    return connect()
