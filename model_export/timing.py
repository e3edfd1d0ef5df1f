"""How long a call takes on a machine that does other things too."""

import time
from collections.abc import Callable


def best_seconds(call: Callable[[], object], budget_seconds: float) -> float:
    """The shortest of many runs: whatever else the machine does can only add time."""
    call()
    best, end = float("inf"), time.perf_counter() + budget_seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best
