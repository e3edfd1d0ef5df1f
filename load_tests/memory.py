"""Resident memory of every process of a service, and its growth."""

import psutil

from load_tests.service_process import Service


def resident_bytes(service: Service) -> dict[int, int]:
    """By process id; only for a service that was started here."""
    assert service.process is not None
    found = {}
    for process in service.process.processes():
        try:
            found[process.pid] = process.memory_info().rss
        except psutil.Error:
            continue
    return found


def growth(before: dict[int, int], after: dict[int, int]) -> dict[int, float]:
    """Growth as a share, for the processes that exist in both."""
    return {pid: after[pid] / before[pid] - 1 for pid in before if pid in after}
