"""When an open loop sends requests, whether or not earlier ones have been answered."""

import random
from collections.abc import Iterator
from itertools import count
from typing import Literal

Pattern = Literal["constant", "poisson"]


def arrivals(pattern: Pattern, rate: float, seed: int = 0) -> Iterator[float]:
    """Seconds since the start, endless; ``rate`` is in requests per second."""
    if pattern == "constant":
        yield from (number / rate for number in count())
    random_source = random.Random(seed)
    at_seconds = 0.0
    while True:
        at_seconds += random_source.expovariate(rate)
        yield at_seconds
