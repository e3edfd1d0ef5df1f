"""A bound on the memory that a model may take."""

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

# Ten times what the largest bundle takes that is fit for serving.
LOAD_BYTES_LIMIT = 2 << 30


def limit_memory(more_bytes: int = LOAD_BYTES_LIMIT) -> None:
    """Let this process allocate at most so much more, for good; beyond that allocations fail.

    RLIMIT_DATA counts private writable memory, not the address space that is merely reserved
    (getrlimit(2)).
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    used = int(status.partition("VmData:")[2].split()[0]) << 10
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limits = [used + more_bytes, *(limit for limit in (soft, hard) if limit >= 0)]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))


@contextlib.contextmanager
def memory_limit(more_bytes: int = LOAD_BYTES_LIMIT) -> Iterator[None]:
    """``limit_memory`` for a while, in a process that has more to do than run one model."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit_memory(more_bytes)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
