"""How a load process stands to its machine: it goes before others, and never outlives its runner."""

import contextlib
import ctypes
import os
import signal
from pathlib import Path

PR_SET_PDEATHSIG = 1
NICE = -10


def put_before_others(pid: int) -> None:
    """Have a process scheduled before the cluster on the same machine: a late client measures itself.

    It is for a process just made, the first of its session: threads that it has already stay as they are, and
    a kernel that shares its time among sessions (autogroup) looks at a process's niceness only within its
    own. Without the right to it (not root) nothing changes, and the schedule's lag tells.
    """
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, pid, NICE)
        with contextlib.suppress(FileNotFoundError):
            Path(f"/proc/{pid}/autogroup").write_text(str(NICE))


def die_with(parent_pid: int, *, number: signal.Signals = signal.SIGTERM) -> None:
    """Have the kernel send a signal to this process when its parent ends, however that ends.

    Raises:
        SystemExit: the parent has gone already.
        OSError: the kernel refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # A parent that ended before the call above sent nothing.
    if os.getppid() != parent_pid:
        raise SystemExit(f"the runner (process {parent_pid}) has gone: nothing is sent")
