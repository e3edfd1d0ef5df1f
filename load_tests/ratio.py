"""Two revisions of the service, interleaved in one run, and the ratio of their figures.

Noise that lasts longer than a round affects both sides of a pair; which side goes first alternates.
The interval is a percentile bootstrap over the pairs' ratios, so it needs no assumption about how
the noise is distributed; with few rounds it is wide, and it says so.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

RESAMPLES = 5000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Ratio:
    """B to A; above 1 is more of the figure. ``low`` and ``high`` hold 95 % of the resamples."""

    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.middle:.3f} ({self.low:.3f} to {self.high:.3f})"


def bootstrap_ratio(pairs: Sequence[tuple[float, float]], seed: int = 0) -> Ratio:
    """Median of B / A over (A, B) pairs of one round each.

    Raises:
        ValueError: there are fewer than three pairs.
    """
    if len(pairs) < 3:
        raise ValueError("an interval needs at least three rounds")
    ratios = [after / before for before, after in pairs]
    random_source = random.Random(seed)
    medians = sorted(median(random_source.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    tail = round((1 - CONFIDENCE) / 2 * RESAMPLES)
    return Ratio(median(ratios), medians[tail], medians[-tail - 1])
