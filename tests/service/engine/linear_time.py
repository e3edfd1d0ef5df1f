"""Growth of CPU time with the size of the input: a figure that no slow machine changes much."""

import time
from collections.abc import Callable

DOUBLINGS = 3
# Linear work doubles with the input. Quadratic work takes four times as long, 64 over three
# doublings; caches and allocation explain some of what is between.
GROWTH_LIMIT = 2.0**DOUBLINGS * 2.0
TRIES = 5


def cpu_seconds(work: Callable[[str], object], text: str) -> float:
    """The least of three: whatever else the machine does only adds."""
    times = []
    for _ in range(3):
        started_at = time.process_time()
        work(text)
        times.append(time.process_time() - started_at)
    return min(times)


def growth(work: Callable[[str], object], make: Callable[[int], str], size: int) -> float:
    """How many times longer ``make(8 * size)`` takes than ``make(size)``: the least of some tries.

    A machine that is busy with others makes linear work look worse, and quadratic work no better.
    """
    least = float("inf")
    for _ in range(TRIES):
        ratio = cpu_seconds(work, make(size << DOUBLINGS)) / cpu_seconds(work, make(size))
        least = min(least, ratio)
        if least < GROWTH_LIMIT:
            break
    return least
