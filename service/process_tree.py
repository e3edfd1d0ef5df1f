"""No process of the service outlives the one that started it."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent ends, however it ends (prctl(2))."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it ended before the kernel was told
        os._exit(1)


def bind_forked_children() -> None:
    """Let every process forked from here die with this one and leave signals to it.

    A signal to the whole process group reaches the children too; they wait for this process to
    end them in order. Uvicorn installs its own handlers over these.
    """
    parent_pid = os.getpid()

    def in_child() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        die_with(parent_pid)

    os.register_at_fork(after_in_child=in_child)
