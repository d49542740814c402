"""The process of a pod's container as its node has it: signalled by the node's containerd, and looked at.

A process that is the first of its container cannot be killed or stopped from inside: the kernel keeps SIGKILL
and SIGSTOP from it (pid_namespaces(7)). Nodes of the cluster made here are containers of this machine, under
the node's name.
"""

from sealegs.cluster.command import output
from sealegs.errors import ClusterError

CONTAINERD = ("ctr", "--namespace", "k8s.io", "tasks")


def send(signal: str, *, node: str, container: str) -> None:
    """Send a signal to the first process of a container. ClusterError when containerd refuses."""
    output(["docker", "exec", node, *CONTAINERD, "kill", "--signal", signal, container])


def state(*, node: str, container: str) -> str:
    """The kernel's letter for what a container's first process does: ``T`` is stopped; see proc_pid_stat(5).

    Raises:
        ClusterError: the node has no such container.
    """
    lines = output(["docker", "exec", node, *CONTAINERD, "list"]).splitlines()
    pids = {words[0]: words[1] for line in lines if len(words := line.split()) > 1}
    if container not in pids:
        raise ClusterError(f"container {container} does not run on {node}")
    stat = output(["docker", "exec", node, "cat", f"/proc/{pids[container]}/stat"])
    # The name before it, in brackets, may hold anything, brackets and blanks too.
    return stat.rpartition(")")[2].split()[0]
