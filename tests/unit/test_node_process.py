"""A container's process as its node has it, by a Docker that plays the node."""

import os
from pathlib import Path

import pytest

from sealegs.errors import ClusterError
from sealegs.faults import node_process

DOCKER = r"""#!/bin/sh
echo "$@" >> asked
case "$*" in
    *"tasks list") printf 'TASK    PID      STATUS\nid-0    41       RUNNING\nid-1    42       RUNNING\n' ;;
    *"cat /proc/42/stat") echo '42 (a) name) T) S 1 42 42 0' ;;
    *"cat /proc/41/stat") echo '41 (python3) T 1 41 41 0' ;;
    *"kill --signal SIGSTOP id-9") echo 'no running task found' >&2; exit 1 ;;
esac
"""


@pytest.fixture(autouse=True)
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker is first on the path."""
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)


def test_a_signal_is_sent_by_the_nodes_containerd(tmp_path: Path) -> None:
    """To the first process of that container, on that node, and to no other."""
    node_process.send("SIGSTOP", node="worker-b", container="id-1")

    asked = (tmp_path / "asked").read_text()
    assert asked == "exec worker-b ctr --namespace k8s.io tasks kill --signal SIGSTOP id-1\n"


def test_what_a_process_does_is_the_kernels_letter() -> None:
    """It is read behind the process's name, whatever that holds."""
    assert node_process.state(node="worker-b", container="id-0") == "T"
    assert node_process.state(node="worker-b", container="id-1") == "S"


def test_a_container_that_is_not_there_is_an_error() -> None:
    """Neither is it signalled nor said to do something."""
    with pytest.raises(ClusterError, match="container id-9 does not run on worker-b"):
        node_process.state(node="worker-b", container="id-9")
    with pytest.raises(ClusterError, match="no running task found"):
        node_process.send("SIGSTOP", node="worker-b", container="id-9")
