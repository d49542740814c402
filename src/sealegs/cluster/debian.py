"""Packages of this machine's own Debian, where we may install them."""

import os
from collections.abc import Sequence
from pathlib import Path

from sealegs.cluster.command import run, succeeds
from sealegs.errors import ClusterError


def may_install() -> bool:
    """Whether this is a Debian machine and we are root on it."""
    return os.geteuid() == 0 and Path("/etc/debian_version").exists()


def install(packages: Sequence[str], *, log: Path) -> None:
    """These packages are installed; those that are already are left as they are.

    Raises:
        ClusterError: one is missing and this is not a machine where we may install it, or apt failed.
    """
    missing = [name for name in packages if not succeeds(["dpkg", "-s", name])]
    if not missing:
        return
    if not may_install():
        raise ClusterError(
            f"missing here: {', '.join(missing)}; install them, or run as root on Debian and sealegs does"
        )
    # RUNLEVEL keeps a package's scripts from starting its daemon: we start it with a configuration.
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    run(["apt-get", "update", "-qq"], log=log, env=env)
    run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], log=log, env=env)
