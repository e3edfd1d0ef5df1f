"""How many processes and threads: chosen from the cores that this service may use."""

import math
import os
from dataclasses import dataclass
from pathlib import Path

from service.settings import Settings

CGROUP_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True, slots=True)
class Allotment:
    api_servers: int
    workers: int
    threads: int


def usable_cores(cgroup_cpu_max: Path = CGROUP_CPU_MAX) -> float:
    """Cores by affinity and by the cgroup's quota, whichever is less (cgroup v2, cpu.max)."""
    cores = float(len(os.sched_getaffinity(0)))
    try:
        quota, period = cgroup_cpu_max.read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else min(cores, int(quota) / int(period))


def allot(settings: Settings, cores: float) -> Allotment:
    """The rule; any of the three can be set by hand.

    On a CPU one single-threaded worker per core: a second thread within a forward pass gains less
    than a second worker (load_tests/README.md: capacity by workers and threads). An API process
    keeps up with about eight workers. On CUDA one worker per device.
    """
    if settings.device == "cuda":
        workers = settings.workers or 1
    else:
        workers = settings.workers or max(1, math.floor(cores))
    return Allotment(
        api_servers=settings.api_servers or max(1, math.ceil(workers / 8)),
        workers=workers,
        threads=settings.threads or 1,
    )
