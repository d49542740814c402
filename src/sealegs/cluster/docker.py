"""A Docker that answers: the user's own, left as it is, or one that we start and stop."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

from sealegs.cluster import debian
from sealegs.cluster.cache import cache_dir, log_path
from sealegs.cluster.command import output, run, succeeds
from sealegs.cluster.places import HERE
from sealegs.errors import ClusterError
from sealegs.evidence import read_json, write_json
from sealegs.waiting import wait_until

PACKAGES = (
    "docker.io",
    "containerd",
    "runc",
    "containernetworking-plugins",
    "iptables",
    "nftables",
    "iproute2",
    "conntrack",
    "ethtool",
    "socat",
    "jq",
)
CAP_SYS_RESOURCE = 24
# What a daemon makes outside its data folder.
PLACES = (Path("/etc/docker"), Path("/run/docker"), Path("/run/containerd"))
# All networks stay in 198.18.0.0/15, the range that RFC 2544 sets aside for tests.
BRIDGE = "198.18.250.1/24"
POOLS = [{"base": "198.18.128.0/17", "size": 24}]
INOTIFY = ("fs.inotify.max_user_instances=1024", "fs.inotify.max_user_watches=524288")


def answers() -> bool:
    """Whether a Docker daemon answers this user."""
    return succeeds(["docker", "info"], limit_s=20)


def ensure(*, log: Path) -> None:
    """A Docker daemon answers; one that already did is left alone.

    Raises:
        ClusterError: there is none and this machine is not one where we may install it.
    """
    if not answers():
        if not debian.may_install():
            raise ClusterError(
                "no Docker daemon answers here; start one (or let your user reach it: "
                "`docker info` must work), or run as root on Debian and sealegs installs its own"
            )
        debian.install(PACKAGES, log=log)
        _start(log)
    if os.geteuid() == 0:
        run(["sysctl", "-q", "-w", *INOTIFY], log=log)


def stop() -> None:
    """The daemon that `ensure` started is gone; a daemon of the user's own is not touched."""
    pid = _our_pid()
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        wait_until(
            _our_pid, ready=lambda found: found is None, limit_s=60, every_s=0.2, what="dockerd to end"
        )
    elif answers():
        return
    _pid_file().unlink(missing_ok=True)
    _sweep()


def _note_before() -> None:
    """Write down what the daemon is about to change on this machine, for `_sweep` to put back.

    What is noted already stands: after a daemon that was killed, what it changed is still changed.
    """
    if _before_file().exists():
        return
    policy = output(["iptables", "-S", "FORWARD"]).splitlines()[0]
    absent = [str(place) for place in PLACES if not place.exists()]
    write_json(_before_file(), {"forward": policy, "absent": absent})


def _sweep() -> None:
    """The bridge, the rules and the folders that a daemon of ours leaves behind are gone."""
    before = read_json(_before_file())
    if before is None:
        return
    # A daemon that was killed leaves its data folder mounted on itself, and containers' roots in it.
    succeeds(["umount", "--recursive", _data_root()])
    succeeds(["ip", "link", "delete", "docker0"])
    rules = [line for line in output(["iptables-save"]).splitlines() if not _is_dockers(line)]
    run(["iptables-restore"], log=log_path("docker"), stdin=("\n".join(rules) + "\n").encode())
    run(["iptables", *before["forward"].split()], log=log_path("docker"))
    for place in before["absent"]:
        shutil.rmtree(place, ignore_errors=True)
    _before_file().unlink()


def _is_dockers(rule: str) -> bool:
    """Whether a line of iptables-save is a chain or a rule that the daemon made."""
    return "docker" in rule.lower() or BRIDGE.rpartition(".")[0] in rule


def _data_root() -> Path:
    return cache_dir() / "docker"


def _before_file() -> Path:
    return cache_dir() / "dockerd-before.json"


def _start(log: Path) -> None:
    for stale in (Path("/var/run/docker.pid"), Path("/run/docker/containerd/containerd.pid")):
        if stale.exists() and not _is_running(stale):
            stale.unlink()
    _note_before()
    config = cache_dir() / "dockerd.json"
    config.write_text(json.dumps(_daemon_config(), indent=1))
    with (cache_dir() / "logs" / "dockerd.log").open("ab") as out:
        daemon = subprocess.Popen(
            ["dockerd", "--config-file", str(config)],
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    _pid_file().write_text(str(daemon.pid))
    wait_until(
        lambda: (daemon.poll(), answers()),
        ready=lambda state: state[1],
        error=lambda state: state[0] is not None,
        limit_s=60,
        every_s=0.3,
        what=f"the Docker daemon to answer (its log: {out.name}, the install's: {log})",
    )


def _daemon_config() -> dict[str, object]:
    config: dict[str, object] = {
        "bip": BRIDGE,
        "default-address-pools": POOLS,
        "data-root": str(_data_root()),
        "log-opts": {"max-size": "20m"},
    }
    if not _may_raise_limits():
        wrapper = str(shutil.copy(HERE / "docker" / "runc", cache_dir() / "runc"))
        config |= {"default-runtime": "sealegs", "runtimes": {"sealegs": {"path": wrapper}}}
    return config


def _may_raise_limits() -> bool:
    """Whether the bounding set holds CAP_SYS_RESOURCE, without which runc refuses --privileged."""
    status = Path("/proc/self/status").read_text()
    bounding = next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd:"))
    return bool(int(bounding, 16) >> CAP_SYS_RESOURCE & 1)


def _pid_file() -> Path:
    return cache_dir() / "dockerd.pid"


def _is_running(pid_file: Path) -> bool:
    return (Path("/proc") / pid_file.read_text().strip() / "exe").exists()


def _our_pid() -> int | None:
    """Process id of the daemon we started, if it still runs and still is a dockerd."""
    if not _pid_file().exists():
        return None
    pid = int(_pid_file().read_text())
    name = Path("/proc") / str(pid) / "comm"
    return pid if name.exists() and name.read_text().strip() == "dockerd" else None
